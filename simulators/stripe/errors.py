"""Stripe's error answers. Source: docs.stripe.com/api/errors and docs.stripe.com/error-codes."""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]


class StripeError(Exception):
    """An answer `{"error": {…}}`; `executed` says that work had begun, so an idempotency key keeps it."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str | None = None,
        executed: bool = False,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.status, self.executed = status, executed
        self.error: JSON = {"type": type, "message": message}
        if code:
            self.error |= {"code": code, "doc_url": documentation(code)}
        self.error |= {name: value for name, value in details.items() if value is not None}

    def body(self, request_id: str) -> JSON:
        log = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": self.error | {"request_log_url": log}}


def documentation(code: str) -> str:
    return f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"


def missing(kind: str, id: str, param: str, status: int = 404) -> StripeError:
    """An object that is not there: 404 when the path names it, 400 when a parameter does."""
    return StripeError(f"No such {kind}: '{id}'", status=status, code="resource_missing", param=param)


def unexpected_state(intent: JSON, verb: str, allowed: tuple[str, ...]) -> StripeError:
    message = (
        f"This PaymentIntent could not be {verb} because it has a status of {intent['status']}. "
        f"Only a PaymentIntent with one of the following statuses may be {verb}: {', '.join(allowed)}."
    )
    return StripeError(message, code="payment_intent_unexpected_state", executed=True, payment_intent=intent)


def server_error() -> StripeError:
    message = (
        "Sorry! There was an error while talking to one of our backends. "
        "Support has been notified. If you need immediate help, please contact us."
    )
    return StripeError(message, status=500, type="api_error", executed=True)


def rate_limited() -> StripeError:
    message = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
    return StripeError(message, status=429, code="rate_limit")
