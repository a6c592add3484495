"""Which errors an operation can answer with: by what it is, and by what it does."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.conf import settings

from config.documenting.operations import KEY
from core import errors
from core.api import PROBLEM
from core.errors import ApiError, every_error
from merchants.display_access import DisplayTokenRefused
from payments.codes import NoLongerPayable

_PAYING = {"create_payment"}
_KEEPING = {"create_saved_method"}
_SCHEDULING = {"create_schedule", "change_schedule"}
_MOVING = {"pause_schedule", "resume_schedule", "cancel_schedule"}
_OF_PERIODS = {"set_schedule_period_amount", "skip_schedule_period"}
_CHANGING = {"capture_payment", "cancel_payment", "create_refund", "give_evidence", "accept_dispute"}
_WEBHOOKS = {"rotate_webhook_secret", "ping_webhook_endpoint", "replay_webhook_events"}
_SOURCES = {"create_order_source", "change_order_source", "verify_order_source"}
_ACCOUNTS = {"create_provider_account", "rotate_provider_account_credentials"}

OF_OPERATIONS: dict[type[ApiError], set[str]] = {
    errors.AmountNotRepresentable: _PAYING
    | {"capture_payment", "create_refund", "set_schedule_period_amount"}
    | _SCHEDULING,
    errors.NoRoute: _PAYING | _KEEPING,
    errors.PromptOpen: _PAYING,
    errors.OrderTaken: _PAYING,
    errors.OrderTotalDiffers: _PAYING,
    errors.OrderSourceUnusable: _PAYING | {"find_order"},
    errors.OrderSourceAway: _PAYING | _SOURCES | {"find_order"},
    errors.ProviderBusy: _PAYING | _KEEPING | {"detach_saved_method", "create_static_code"},
    errors.SavedMethodUnusable: _PAYING | _SCHEDULING,
    errors.Conflict: _WEBHOOKS
    | {"merge_customer", "rotate_api_key", "rotate_display_token", "assign_unallocated_receipt", "simulate_payment"}
    | {"capture_payment", "cancel_payment", "make_saved_method_default", "register_provider_account_callbacks"}
    | {"change_schedule", "create_order_source", "change_order_source", "create_static_code"}
    | _MOVING
    | _OF_PERIODS,
    NoLongerPayable: {"get_payment_qr_svg", "get_payment_qr_png"},
    errors.NotCapturable: {"capture_payment"},
    errors.CaptureExceedsAuthorized: {"capture_payment"},
    errors.NotCancellable: {"cancel_payment"},
    errors.NotRefundable: {"create_refund"},
    errors.PaymentDisputed: {"create_refund"},
    errors.RefundExceedsCaptured: {"create_refund"},
    errors.DisputeNotAnswerable: {"give_evidence", "accept_dispute"},
    errors.ReferenceTaken: {"create_customer", "change_customer"},
    errors.CustomerErased: {"change_customer", "merge_customer"},
    errors.LegalHold: {"erase_customer"},
    errors.ProviderAppTaken: _ACCOUNTS,
    errors.BeyondOwnKey: {"create_api_key", "rotate_api_key"},
    errors.LimitReached: {"create_api_key", "rotate_api_key", "create_webhook_endpoint", "change_webhook_endpoint"}
    | {"create_display_token", "rotate_display_token"},
    DisplayTokenRefused: {"follow_store", "get_payment_qr_svg", "get_payment_qr_png"},
}
"""Errors that only some operations know. One that stands neither here nor in EVERYWHERE is told of every write."""

_FOR_ALL = {
    errors.InvalidRequest,
    errors.Unauthorized,
    errors.Forbidden,
    errors.NotAcceptable,
    errors.RateLimited,
    errors.Unavailable,
    ApiError,
}
_FOR_BODIES = {errors.LengthRequired, errors.PayloadTooLarge, errors.UnsupportedMediaType}
_FOR_INPUT = {errors.InvalidRequest, errors.CardDataNotAllowed}
_FOR_POSTS = {errors.InvalidRequest, errors.IdempotencyInProgress, errors.IdempotencyKeyReused}
EVERYWHERE = {
    *(_FOR_ALL | _FOR_BODIES | _FOR_INPUT | _FOR_POSTS),
    errors.IdempotencyKeyRequired,
    errors.NotFound,
    errors.MethodNotAllowed,
}


def describe(method: str, operation: dict[str, Any]) -> None:
    """Put the problems that the operation can answer with in the place of those that any could."""
    answers = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
    by_status: dict[int, list[type[ApiError]]] = {}
    for error in every_error():
        if error in set(_of(method, operation)):
            by_status.setdefault(error.status, []).append(error)
    answers |= {str(status): answer(status, found) for status, found in sorted(by_status.items())}
    operation["responses"] = answers


def _of(method: str, operation: dict[str, Any]) -> Iterator[type[ApiError]]:
    yield from _FOR_ALL
    parameters = operation.get("parameters", [])
    if method in ("post", "put", "patch"):
        yield from _FOR_BODIES | _FOR_INPUT
    if any(parameter["in"] == "query" for parameter in parameters):
        yield from _FOR_INPUT
    if any(parameter["in"] == "path" for parameter in parameters):
        yield errors.NotFound
    if method == "post":
        yield from _FOR_POSTS
    if any(parameter["name"] == KEY and parameter["required"] for parameter in parameters):
        yield errors.IdempotencyKeyRequired
    for error in set(every_error()) - EVERYWHERE:
        if operation["operationId"] in OF_OPERATIONS.get(error, ()) or (error not in OF_OPERATIONS and method != "get"):
            yield error


def answer(status: int, found: list[type[ApiError]]) -> dict[str, Any]:
    """How an operation is refused with this status, by one of these errors."""
    codes = [error.code for error in found]
    told = HTTPStatus(status).phrase if len(found) > 1 else found[0].title
    links = ", ".join(f"[`{code}`](/docs/errors/{code})" for code in codes)
    shape = {"properties": {"status": {"const": status}, "code": {"enum": codes}}}
    headers = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
    if status in (429, 503):
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    return {
        "description": f"{told}: {links}",
        "headers": headers,
        "content": {
            PROBLEM: {
                "schema": {"allOf": [{"$ref": "#/components/schemas/Problem"}, shape]},
                "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
            }
        },
    }


def examples() -> dict[str, Any]:
    """One for every error that there is, as `#/components/examples/{code}`."""
    return {error.code: {"summary": error.title, "value": _example(error)} for error in every_error()}


def _example(error: type[ApiError]) -> dict[str, Any]:
    meaning = " ".join((error.__doc__ or "").replace("`", "").split())
    detail = f"{meaning.partition('. ')[0].rstrip('.')}."
    shown = error(detail).problem(
        request_id="req_01kag2p7d3e8ktz4v0m5w9x1yb", documentation=f"{settings.PUBLIC_URL}/docs/errors/"
    )
    if error is errors.InvalidRequest:
        told = "must be a whole number of minor units: KES 250.00 is 25000"
        shown |= {"detail": f"/amount: {told}", "param": "/amount"}
        shown["errors"] = [{"param": "/amount", "code": "invalid", "detail": told}]
    return shown
