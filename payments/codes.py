"""The code of a payment that waits to be scanned, for as long as it can be paid."""

from typing import Any

from django.conf import settings

from core.errors import ApiError, NotFound
from payments.models import Payment
from payments.providers import REGISTRY
from payments.services import payer_links
from payments.services.booking import has_expired
from payments.services.shown_codes import CODE


class NoLongerPayable(ApiError):
    """The payment is paid, has ended or has run out of time, so that its code must not be scanned any more."""

    status, code, title = 410, "no_longer_payable", "The code is not shown any more"
    remedy = (
        "Take it off the screen and read the payment: its `state` says how it ended. For another try make a new one."
    )


def next_action_of(payment: Payment) -> dict[str, Any] | None:
    """What the payer has to do; for a code, with the addresses of its images."""
    action = payer_links.next_action_of(payment)
    if not action or action["type"] != CODE:
        return action
    at = f"{settings.PUBLIC_URL}/v1/payments/{payment.pk}/qr"
    return {**action, "image_svg_url": f"{at}.svg", "image_png_url": f"{at}.png"}


def code_of(payment: Payment) -> str:
    """The text of the code. Raises NoLongerPayable once it cannot be paid by it, NotFound where there is none."""
    action = payment.next_action or {}
    is_over = not payment.is_open or has_expired(payment)
    if action.get("type") == CODE and not is_over:
        return str(action["qr_string"])
    if is_over and _gives_codes(payment):
        told = f"is {payment.state}" if not payment.is_open else "has run out of time"
        raise NoLongerPayable(f"{payment.pk} {told}: its code is not shown any more.")
    raise NotFound(f"{payment.pk} has no code to be scanned.")


def _gives_codes(payment: Payment) -> bool:
    tried = {attempt.account.provider for attempt in payment.attempts.all()}
    return any(CODE in REGISTRY[name].capabilities.methods[payment.method].next_actions for name in tried)
