"""The API's errors: what went wrong, with which field, and what to do next (RFC 9457).

An error status always means that nothing was created; a provider's decline is not an error. `ApiError` is the
root of the tree. The docstring of each class says what it means and `remedy` what to do next: both are its page
in the reference, where words in backquotes are shown as code.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault in a request: where (a JSON pointer, or a query parameter's name), what, and a word for it."""

    pointer: str
    detail: str
    code: str = "invalid"


@dataclass(eq=False)
class ApiError(Exception):
    """Something failed here that should not have. The fault is written down, with the request's id."""

    detail: str
    param: str | None = None
    errors: list[FieldError] = field(default_factory=list)
    retry_after: int | None = None
    headers: dict[str, str] = field(default_factory=dict)

    status = 500
    code = "internal_error"
    title = "Something failed on our side"
    remedy = (
        "Repeat a GET freely. Repeat a POST with the same `Idempotency-Key`: it continues what was begun and never "
        "begins it twice. If it fails again, tell us the `request_id`."
    )

    @classmethod
    def naming(cls, faults: Sequence[FieldError]) -> Self:
        """The error that lists these faults, at least one, and speaks of the first."""
        first = faults[0]
        return cls(f"{first.pointer}: {first.detail}", param=first.pointer, errors=list(faults))

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"

    def problem(self, *, request_id: str, documentation: str) -> dict[str, Any]:
        """The body of `application/problem+json`."""
        body: dict[str, Any] = {
            "type": f"{documentation}{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "param": self.param,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = [
                {"param": error.pointer, "code": error.code, "detail": error.detail} for error in self.errors
            ]
        return body


class InvalidRequest(ApiError):
    """A field is missing, unknown, of the wrong type or not allowed. `errors` lists every fault at once, each with the
    place in the body."""

    status, code, title = 400, "invalid_request", "The request is not valid"
    remedy = (
        "Correct what `errors` names and send the request again. The same `Idempotency-Key` may be used: a refused "
        "request binds nothing."
    )


class AmountNotRepresentable(InvalidRequest):
    """The provider that would take this payment counts in other steps, or takes no amount that small or large. M-Pesa
    takes whole shillings, for example."""

    code, title = "amount_not_representable", "The provider cannot carry this amount"
    remedy = "Ask for an amount that `detail` allows, or for another method or provider."


class CardDataNotAllowed(InvalidRequest):
    """The request carries a card number or a security code. It was refused unread: nothing of it was stored or
    logged."""

    code, title = "card_data_not_allowed", "Card data must not be sent to this API"
    remedy = (
        "Let the provider's own form in the browser make a payment method, and send its id as `payment_method`. "
        "Look where your own logs may have kept the number."
    )


class IdempotencyKeyRequired(InvalidRequest):
    """Every POST needs an `Idempotency-Key`, so that a request whose answer was lost can be repeated without paying
    twice."""

    code, title = "idempotency_key_required", "An Idempotency-Key header is required"
    remedy = (
        "Send a key of your own making, up to 255 characters, new for each thing that you want to happen and the "
        "same for every try of it."
    )


class NoRoute(InvalidRequest):
    """No account at a provider is enabled that can take this method, currency and capture in this mode."""

    code, title = "no_provider_available", "No provider account can take this payment"
    remedy = (
        "Choose a method and currency that one of your provider accounts takes, or ask the people who run this "
        "installation to add an account."
    )


class SavedMethodUnusable(InvalidRequest):
    """The saved method cannot be charged: it is detached, expired or not set up yet, or its provider account is
    switched off."""

    code, title = "saved_method_unusable", "The saved method cannot be charged"
    remedy = "Read the saved method, and ask the customer for another card where it is detached or expired."


class Unauthorized(ApiError):
    """The key is missing, unknown, expired or revoked, or it came from an address that it may not be used from. One
    answer stands for all of these."""

    status, code, title = 401, "unauthorized", "The API key was not accepted"
    remedy = (
        "Send a current key as `Authorization: Bearer sk_…`. If you do, look at its expiry and its allowed "
        "addresses, or have a new one made."
    )


class Forbidden(ApiError):
    """The key is good, but lacks the scope that `param` names."""

    status, code, title = 403, "scope_missing", "The API key may not do this"
    remedy = "Use a key with that scope, or have one made that has it."


class NotFound(ApiError):
    """There is nothing at this path, or no such object for this merchant in this mode. Test and live are separate
    worlds."""

    status, code, title = 404, "not_found", "There is no such object"
    remedy = "Check the id, and whether the key's mode is the one in which the object was made."


class MethodNotAllowed(ApiError):
    """The path exists, but not for this HTTP method."""

    status, code, title = 405, "method_not_allowed", "This method is not allowed here"
    remedy = "Look the path up in the reference: it lists what each path takes."


class NotAcceptable(ApiError):
    """The `Accept` header asks for something other than JSON."""

    status, code, title = 406, "not_acceptable", "The answer cannot be given in that form"
    remedy = "Send `Accept: application/json`, or no such header."


class Conflict(ApiError):
    """The object is in a state in which this makes no sense."""

    status, code, title = 409, "conflict", "The object is not in a state that allows this"
    remedy = "Read the object; its `state` says what has happened meanwhile. Do not repeat the request as it is."


class IdempotencyInProgress(Conflict):
    """A request with this key arrived before and has not been answered yet. What it does is being done once."""

    code, title = "idempotency_in_progress", "The first request with this key is still running"
    remedy = (
        "Wait as long as `Retry-After` says and send the same request with the same key: you will get the first "
        "one's answer."
    )


class LimitReached(Conflict):
    """There are as many of these as one merchant may have at a time in this mode; `detail` says how many."""

    code, title = "limit_reached", "There are as many of these as there may be"
    remedy = "Disable or revoke what is no longer used, and send the request again."


class PromptOpen(Conflict):
    """The payer's phone shows a prompt for this business already. A second one would invite paying twice."""

    code, title = "prompt_open", "A prompt is already open on this phone"
    remedy = "Wait until that payment has ended: follow its webhooks or read it. Then send the request again."


class NotCancellable(Conflict):
    """The payment is paid or ended, or what was sent to the payer cannot be withdrawn from this provider."""

    code, title = "not_cancellable", "The payment can no longer be cancelled"
    remedy = "Read the payment. If it has succeeded, refund it; if it is still open, it ends by itself at `expires_at`."


class NotCapturable(Conflict):
    """Only an authorized payment can be captured, and only once."""

    code, title = "not_capturable", "The payment cannot be captured now"
    remedy = "Read the payment: its `state` says whether it was captured, cancelled or has expired already."


class NotRefundable(Conflict):
    """The payment holds no money that could go back now."""

    code, title = "not_refundable", "The payment cannot be refunded now"
    remedy = (
        "Read the payment. An open one can be cancelled instead; for one whose receipt is still to come, try again "
        "later."
    )


class ReferenceTaken(Conflict):
    """Another of your customers has this `reference`. A reference is unique per mode when it is given."""

    code, title = "reference_taken", "The reference belongs to another customer"
    remedy = "Search by the reference and use that customer, or choose another reference."


class CustomerErased(Conflict):
    """The customer was erased. Nothing of them can be read, changed or brought back."""

    code, title = "customer_erased", "The customer was erased"
    remedy = "Create a new customer, if they ask you to."


class LegalHold(Conflict):
    """What is kept of this customer must be kept for now, by law; an erasure waits for that to end."""

    code, title = "legal_hold", "A legal hold keeps this customer's data"
    remedy = "Ask the people who run this installation, and send the request again when they say so."


class ProviderAppTaken(Conflict):
    """Another account has the app at the provider that `param` names. A new access token of an app ends the life of
    the one before, so that two accounts with one app would stop each other's payments."""

    code, title = "provider_app_taken", "Another account uses this app at the provider"
    remedy = (
        "Set new credentials on the account that has the app, or register another app at the provider for this one. "
        "An account that is disabled keeps its app: its payments are still settled."
    )


class OrderTaken(Conflict):
    """The order is paid, being paid by another payment, or closed where it lives. A second payment of it would be paid
    twice."""

    code, title = "order_taken", "The order is paid, or being paid"
    remedy = (
        "Read `/v1/payments?order_source=…&order=…`. Cancel the payment that is open before you ask for another; one "
        "that has succeeded has paid the order, until it is refunded whole."
    )


class OrderSourceUnusable(Conflict):
    """The order source is switched off, or its tables are not as its mapping says: `detail` names what is missing."""

    code, title = "order_source_unusable", "The order source cannot be used"
    remedy = (
        "Correct the tables, or the mapping with `PATCH /v1/order-sources/{id}`; `POST …/verify` looks at them again. "
        "A payment without `order` can be taken meanwhile."
    )


class PaymentDisputed(Conflict):
    """The payer's bank has taken this payment's money back, or may. A refund on top of that would pay it twice."""

    code, title = "payment_disputed", "The payment is disputed"
    remedy = (
        "Read `/v1/disputes?payment=…`. Answer the dispute, or accept it: then the payer has the money by the dispute. "
        "A dispute that was won no longer stands in the way."
    )


class DisputeNotAnswerable(Conflict):
    """The dispute waits for no answer: it was answered or decided, or another answer to it is under way."""

    code, title = "dispute_not_answerable", "The dispute cannot be answered now"
    remedy = (
        "Read the dispute: its `state` says whether an answer is wanted, and `pending_response` whether one is under "
        "way. Evidence that has been submitted cannot be changed."
    )


class LengthRequired(ApiError):
    """The body came in chunks, without a `Content-Length`. It was refused unread, so that it cannot pass for an empty
    one."""

    status, code, title = 411, "length_required", "The request does not say how long it is"
    remedy = "Send the body in one piece with a `Content-Length`, as most libraries do for a text that they hold whole."


class PayloadTooLarge(ApiError):
    """The body is larger than this API reads."""

    status, code, title = 413, "payload_too_large", "The request is too large"
    remedy = "Send less: metadata is for a few short texts, not for documents."


class UnsupportedMediaType(ApiError):
    """The body is not declared as JSON."""

    status, code, title = 415, "unsupported_media_type", "The request is not JSON"
    remedy = "Send `Content-Type: application/json`."


class IdempotencyKeyReused(ApiError):
    """This key belongs to a request with another body or path, for ever."""

    status, code, title = 422, "idempotency_key_reused", "This key was used for another request"
    remedy = "If you mean something new, take a new key. If you meant to repeat, send exactly what you sent first."


class RefundExceedsCaptured(ApiError):
    """What was captured, less what is refunded or being refunded, is not enough."""

    status, code, title = 422, "refund_exceeds_captured", "The refund is larger than what is left"
    remedy = "Read the payment's `captured_amount` and its refunds, and ask for at most what is left."


class CaptureExceedsAuthorized(ApiError):
    """A capture may take what the payer has agreed to, or less."""

    status, code, title = 422, "capture_exceeds_authorized", "The capture is larger than what is held"
    remedy = "Capture at most the payment's `amount`; make another payment for the rest."


class OrderTotalDiffers(ApiError):
    """The amount that was asked for is not the order's total where it lives; `detail` names both. The order may have
    been edited since."""

    status, code, title = 422, "order_total_differs", "The order's total is another"
    remedy = "Read the order again and ask for its total, with a new `Idempotency-Key`."


class BeyondOwnKey(ApiError):
    """A key was asked for that may do more than the key which asks, for longer, or from more addresses. `errors` names
    each of these."""

    status, code, title = 422, "beyond_own_key", "A key cannot make one that may do more than itself"
    remedy = (
        "Ask for at most what your own key has: its scopes, its end, its addresses. What it lacks is given by the "
        "people who run this installation."
    )


class RateLimited(ApiError):
    """This key, or this address, has made too many requests in the current window."""

    status, code, title = 429, "rate_limited", "Too many requests"
    remedy = "Wait as long as `Retry-After` says. The header `RateLimit` of every answer shows how much is left."


class Unavailable(ApiError):
    """A part that this service needs is away. A POST created nothing, or its repeat with the same key continues what it
    began; a change may have been made, and may be sent again."""

    status, code, title = 503, "service_unavailable", "The service is not available for a moment"
    remedy = "Send the same request with the same `Idempotency-Key` after the time in `Retry-After`."


class ProviderBusy(Unavailable):
    """The provider answers so slowly that it is given no more calls for now, and no other account can take this.
    Nothing was created."""

    code, title = "provider_busy", "The provider is answering slowly and no other can take this"
    remedy = "Send the same request again after the time in `Retry-After`, or offer the payer another method."


class OrderSourceAway(Unavailable):
    """The database in which the orders live does not answer. Nothing was created."""

    code, title = "order_source_unavailable", "The order source does not answer"
    remedy = (
        "Send the same request again after the time in `Retry-After`, or take the payment without `order` and mark the "
        "order paid yourself when its webhook comes."
    )


def every_error() -> list[type[ApiError]]:
    """The whole tree, for the reference and for the tests that keep its codes unique."""
    found: list[type[ApiError]] = []
    waiting: list[type[ApiError]] = [ApiError]
    while waiting:
        found.append(waiting.pop(0))
        waiting += found[-1].__subclasses__()
    return found
