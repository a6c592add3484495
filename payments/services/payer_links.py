"""Links that bring an absent payer back to answer their bank (off-session charges).

The token is derived from a master key and kept as a hash only; whoever may see the payment is shown the link anew.
"""

from django.conf import settings

from core import clock
from core.crypto import Purpose
from events import sealing
from events.keys import ring
from events.transitions import move
from payments.models import Attempt, Payment
from payments.providers.base import FailureCode, Report
from payments.states import AttemptState, PaymentState

_ABOUT = "payer-link"


def wants_payer(attempt: Attempt, report: Report) -> bool:
    """Whether the bank has refused only because the payer was not there, and they may still come."""
    code = report.failure.code if report.failure else None
    return (
        code is FailureCode.AUTHENTICATION_REQUIRED
        and attempt.payment.off_session
        and report.still_payable
        and attempt.state == AttemptState.OPEN
        and not attempt.closing_as
    )


def bring_back(attempt: Attempt, *, by: str, because: str) -> None:
    """Wait for the payer, up to the payment's expiry; what is not answered then is closed at the provider."""
    payment = attempt.payment
    changes: dict[str, object] = {}
    if payment.link_hash is None:
        token = _tokens(payment)[0]
        changes = {
            "link_hash": sealing.token_hash(token, livemode=payment.livemode),
            "expires_at": payment.expires_at or clock.now() + settings.CUSTOMER_ACTION_LIFE,
            "next_action": {"type": "redirect"},
        }
    move(payment, PaymentState.REQUIRES_ACTION, by=by, because=because, **changes)


def _tokens(payment: Payment) -> list[str]:
    """Under each master key, the active one first."""
    return ring().keyed_hashes(Purpose.PATH_TOKEN, _ABOUT, payment.pk, livemode=payment.livemode)


def next_action_of(payment: Payment) -> dict[str, object] | None:
    """What the payer has to do, with the address of our own page where that is the next step."""
    action: dict[str, object] | None = payment.next_action
    if not action or "url" in action or payment.link_hash is None:
        return action
    for token in _tokens(payment):
        if payment.link_hash in sealing.token_hashes(token):
            return {**action, "url": f"{settings.PUBLIC_URL}/authenticate/{token}"}
    return action


def payment_of(token: str) -> Payment | None:
    """The payment that a link is for."""
    found = Payment.objects.filter(link_hash__in=sealing.token_hashes(token)).select_related("merchant", "saved_method")
    return found.first()


def is_live(payment: Payment) -> bool:
    """Whether the payer can still do something."""
    in_time = payment.expires_at is None or payment.expires_at > clock.now()
    return in_time and payment.state in (PaymentState.REQUIRES_ACTION, PaymentState.PROCESSING)


def count() -> int:
    """How many payments have a link, whose hash nobody makes anew."""
    return Payment.objects.filter(link_hash__isnull=False).count()
