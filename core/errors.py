"""The API's errors: what went wrong, with which field, and what to do next (RFC 9457).

An error status always means that nothing was created; a provider's decline is not an error.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault in a request: where (a JSON pointer, or a query parameter's name), what, and a word for it."""

    pointer: str
    detail: str
    code: str = "invalid"


@dataclass(eq=False)
class ApiError(Exception):
    """The root of everything that the API answers with an error status."""

    detail: str
    param: str | None = None
    errors: list[FieldError] = field(default_factory=list)
    retry_after: int | None = None

    status = 500
    code = "internal_error"
    title = "Something failed on our side"

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
    status, code, title = 400, "invalid_request", "The request is not valid"


class AmountNotRepresentable(InvalidRequest):
    code, title = "amount_not_representable", "The provider cannot carry this amount"


class CardDataNotAllowed(InvalidRequest):
    code, title = "card_data_not_allowed", "Card data must not be sent to this API"


class IdempotencyKeyRequired(InvalidRequest):
    code, title = "idempotency_key_required", "An Idempotency-Key header is required"


class NoRoute(InvalidRequest):
    code, title = "no_provider_available", "No provider account can take this payment"


class Unauthorized(ApiError):
    status, code, title = 401, "unauthorized", "The API key was not accepted"


class Forbidden(ApiError):
    status, code, title = 403, "scope_missing", "The API key may not do this"


class NotFound(ApiError):
    status, code, title = 404, "not_found", "There is no such object"


class MethodNotAllowed(ApiError):
    status, code, title = 405, "method_not_allowed", "This method is not allowed here"


class NotAcceptable(ApiError):
    status, code, title = 406, "not_acceptable", "The answer cannot be given in that form"


class Conflict(ApiError):
    status, code, title = 409, "conflict", "The object is not in a state that allows this"


class IdempotencyInProgress(Conflict):
    code, title = "idempotency_in_progress", "The first request with this key is still running"


class PromptOpen(Conflict):
    code, title = "prompt_open", "A prompt is already open on this phone"


class NotCancellable(Conflict):
    code, title = "not_cancellable", "The payment can no longer be cancelled"


class NotCapturable(Conflict):
    code, title = "not_capturable", "The payment cannot be captured now"


class NotRefundable(Conflict):
    code, title = "not_refundable", "The payment cannot be refunded now"


class PayloadTooLarge(ApiError):
    status, code, title = 413, "payload_too_large", "The request is too large"


class UnsupportedMediaType(ApiError):
    status, code, title = 415, "unsupported_media_type", "The request is not JSON"


class IdempotencyKeyReused(ApiError):
    status, code, title = 422, "idempotency_key_reused", "This key was used for another request"


class RefundExceedsCaptured(ApiError):
    status, code, title = 422, "refund_exceeds_captured", "The refund is larger than what is left"


class CaptureExceedsAuthorized(ApiError):
    status, code, title = 422, "capture_exceeds_authorized", "The capture is larger than what is held"


class RateLimited(ApiError):
    status, code, title = 429, "rate_limited", "Too many requests"


class Unavailable(ApiError):
    status, code, title = 503, "service_unavailable", "The service is not available for a moment"


class ProviderBusy(Unavailable):
    code, title = "provider_busy", "The provider is answering slowly and no other can take this"


def every_error() -> list[type[ApiError]]:
    """The whole tree, for the reference and for the tests that keep its codes unique."""
    found: list[type[ApiError]] = []
    waiting: list[type[ApiError]] = [ApiError]
    while waiting:
        found.append(waiting.pop(0))
        waiting += found[-1].__subclasses__()
    return found
