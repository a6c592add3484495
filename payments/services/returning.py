"""A payer who was absent has come back: the same payment goes on at the provider, once (money.md 5)."""

from django.db import IntegrityError, transaction

from core.database import violated
from core.errors import Conflict
from payments.models import Attempt, Operation, Payment
from payments.providers.base import Kind, Order
from payments.services import operations, payer_links
from payments.services.locking import lock_attempt
from payments.services.places import place_in_flight
from payments.services.preparing import prepare
from payments.states import AttemptState, PaymentState, SavedMethodState

BY = "payer"


def confirm(payment: Payment) -> Payment:
    """Go on with the payment, now that its payer is here; the payment as it is then.

    A payer who is already on the way to their bank is only sent there again. Raises Conflict when there is nothing to
    confirm, or another press of the button is under way; ProviderBusy.
    """
    attempt = payment.attempts.select_related("account").latest("pk")
    with place_in_flight(attempt.account):
        try:
            with transaction.atomic():
                locked = lock_attempt(attempt)
                prepared = _prepared(locked)
                if prepared is not None:
                    prepared[0].save(force_insert=True)
        except IntegrityError as error:
            if violated(error) != "one_open_change":
                raise
            raise Conflict("This payment is being confirmed.") from error
        if prepared is None:
            return locked.payment
        return operations.perform(*prepared).attempt.payment


def _prepared(attempt: Attempt) -> tuple[Operation, Order] | None:
    """The write that goes on with the payment; None where the payer only needs the bank's page."""
    payment = attempt.payment
    if not payer_links.is_live(payment) or attempt.state != AttemptState.OPEN or attempt.closing_as:
        raise Conflict("There is nothing left to confirm.")
    saved = payment.saved_method
    if saved is None or saved.state == SavedMethodState.DETACHED:
        raise Conflict("This card is not kept any more.")
    if bank_page(payment):
        return None
    return prepare(attempt, Kind.CONFIRM, by=BY, money=payment.money, sending=True)


def bank_page(payment: Payment) -> str:
    """Where the payer answers their bank; empty while that is not known, or not wanted any more."""
    if payment.state != PaymentState.REQUIRES_ACTION:
        return ""
    return str((payment.next_action or {}).get("url") or "")
