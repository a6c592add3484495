"""Giving money that came without a payment to one: an open one, or one that is made for it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import models, transaction

from core import ids
from core.errors import Conflict, InvalidRequest
from events.idempotency import Claim
from payments.models import Attempt, Payment, UnallocatedReceipt
from payments.providers import REGISTRY
from payments.services import booking, receipts
from payments.services.arriving import conclude_questions
from payments.services.booking import Because
from payments.services.locking import lock_attempt
from payments.states import UnallocatedState

Bind = Callable[..., None]


@dataclass(frozen=True, slots=True)
class NewPayment:
    """What a merchant says of a payment that is made for money which is there already."""

    reference: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


def assign(
    unallocated: UnallocatedReceipt, to: str | NewPayment, *, by: str, claim: Claim | None = None
) -> UnallocatedReceipt:
    """Make the receipt a payment's: `to` is a payment's id, or says what to make. As it is then.

    Raises InvalidRequest for a payment that cannot have it, naming the field, and Conflict when it is assigned.
    """
    because = Because(by=by, source="assignment", detail=f"{unallocated.pk} assigned")
    with transaction.atomic():
        attempt = None if isinstance(to, NewPayment) else lock_attempt(_attempt_of(unallocated, to))
        locked = _lock(unallocated)
        new: list[models.Model] = []
        if isinstance(to, NewPayment):
            attempt = _made_for(locked, to)
            new = [attempt.payment, attempt]
        _bind(locked, claim, new)
        if attempt is None:
            raise RuntimeError("a receipt is assigned to an attempt")
        receipts.allocate(locked, attempt, because)
        booking.settle_found(attempt, because)
        conclude_questions(attempt, because)
    return locked


def _lock(unallocated: UnallocatedReceipt) -> UnallocatedReceipt:
    rows = UnallocatedReceipt.objects.select_for_update(of=("self",))
    locked = rows.select_related("receipt", "account").get(pk=unallocated.pk)
    if locked.state != UnallocatedState.OPEN:
        raise Conflict(f"{locked.pk} was assigned to {locked.payment_id}.")
    return locked


def _attempt_of(unallocated: UnallocatedReceipt, payment_id: str) -> Attempt:
    """The payment's latest attempt at the account where the money is."""
    mine = Attempt.objects.filter(
        payment=payment_id, merchant=unallocated.merchant_id, livemode=unallocated.livemode
    ).select_related("payment")
    attempts = [] if "\x00" in payment_id else list(mine.order_by("-pk"))
    if not attempts:
        raise InvalidRequest(f"There is no payment {payment_id} for this key.", param="/payment")
    here = [attempt for attempt in attempts if attempt.account_id == unallocated.account_id]
    if not here:
        raise InvalidRequest(
            f"{payment_id} was not asked for at {unallocated.account_id}, where the money is.", param="/payment"
        )
    if here[0].payment.currency != unallocated.money.currency:
        raise InvalidRequest(
            f"{payment_id} is in {here[0].payment.currency}, the money in {unallocated.money.currency}.",
            param="/payment",
        )
    return here[0]


def _made_for(unallocated: UnallocatedReceipt, asked: NewPayment) -> Attempt:
    """An unsaved payment of just that money, with an attempt that nothing is sent for."""
    capabilities = REGISTRY[unallocated.account.provider].capabilities
    payment = Payment(
        merchant_id=unallocated.merchant_id,
        livemode=unallocated.livemode,
        amount=unallocated.money.amount,
        currency=unallocated.money.currency,
        method=next(iter(capabilities.methods)),
        reference=asked.reference,
        metadata=asked.metadata,
        store_id=unallocated.store_id,
        instrument_hint=unallocated.payer_hint,
    )
    return Attempt(
        payment=payment,
        merchant_id=unallocated.merchant_id,
        livemode=unallocated.livemode,
        account=unallocated.account,
        provider_reference=ids.random_reference(
            length=capabilities.reference_length, alphabet=capabilities.reference_alphabet
        ),
        asked_amount=payment.amount,
    )


def _bind(unallocated: UnallocatedReceipt, claim: Claim | None, new: list[models.Model]) -> None:
    if claim is not None:
        claim.bind(unallocated.pk, *new)
    else:
        for row in new:
            row.save(force_insert=True)
