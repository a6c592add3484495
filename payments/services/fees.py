"""What a capture costs: expected by the account's schedule, final when the provider has told what it kept.

Where a provider tells nothing, the schedule is its tariff and the fee is final at once.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from core import clock
from core.database import insert_all
from core.money import Money
from core.providers import NothingCreated, OutcomeUnknown, Unsupported
from events import attention, work
from events.models import Attention
from events.transitions import record
from merchants.fees import expected_fee
from payments.models import Attempt, Fee, Operation, Payment, Receipt
from payments.providers import REGISTRY
from payments.providers.base import Cost, Kind
from payments.services import connections, posting
from payments.services.locking import lock_attempt
from payments.services.preparing import order_for

ASK_AFTER = tuple(timedelta(minutes=minutes) for minutes in (5, 30, 180, 1440, 4320, 10_080))
"""When a provider that tells its fees is asked for one, counted from the capture."""

COLUMNS = ("fee_amount", "fee_is_final", "net_amount", "settlement_currency", "settlement_reference", "settles_on")
"""What is set here on a payment's row, for the caller to write with what else it changes."""


def book_fee(receipt: Receipt, cost: Cost | None) -> None:
    """The fee of a new receipt for captured money, as far as it is known now; the payment is locked."""
    account, payment = receipt.owner.account, receipt.owner.payment
    expected = expected_fee(account_id=account.pk, method=payment.method, money=receipt.money, at=receipt.created_at)
    told_later = REGISTRY[account.provider].capabilities.reports_cost
    if expected is None and not told_later:
        return
    fee = Fee(receipt=receipt, lane=account.pk, currency=receipt.currency)
    fee.expected_amount = None if expected is None else expected.amount
    if cost is not None:
        _finish(fee, cost)
    elif told_later:
        fee.due_at = _next_time(fee)
        if expected is not None:
            posting.post_expected_fee(receipt, expected)
            _show(payment, expected, final=False)
    elif expected is not None:
        fee.amount = expected.amount
        posting.post_final_fee(receipt, expected)
        _show(payment, expected, final=True)
    insert_all(fee)


def _finish(fee: Fee, cost: Cost) -> None:
    """The provider has told: exchange what it holds, replace the expected fee, show what is left."""
    receipt = fee.receipt
    payment = receipt.owner.payment
    if cost.settled.currency != receipt.currency:
        posting.post_exchange(receipt, cost)
    posting.post_final_fee(receipt, cost.fee)
    fee.amount, fee.currency, fee.reference, fee.due_at = cost.fee.amount, cost.fee.currency, cost.reference, None
    if cost.fee.currency == payment.currency:
        _show_all(payment, fee)
    else:
        payment.fee_amount, payment.net_amount = cost.fee.amount, (cost.settled - cost.fee).amount
        payment.fee_is_final = True
    payment.settlement_currency = cost.fee.currency
    payment.settlement_reference, payment.settles_on = cost.reference[:100], cost.settles_on


def _show(payment: Payment, fee: Money, *, final: bool) -> None:
    """A payment's fees add up: money that came in two receipts costs twice."""
    payment.fee_amount = (payment.fee_amount or 0) + fee.amount
    payment.net_amount = payment.captured_amount - payment.fee_amount
    payment.settlement_currency, payment.fee_is_final = payment.currency, final


def _show_all(payment: Payment, told: Fee) -> None:
    """Beside the fee that was told just now, those of money that came in other receipts: final, or as expected."""
    others = Fee.objects.filter(receipt__attempt__payment=payment).exclude(pk=told.pk)
    kept = [told.amount, *(fee.expected_amount if fee.amount is None else fee.amount for fee in others)]
    payment.fee_amount = sum(amount or 0 for amount in kept)
    payment.net_amount = payment.captured_amount - payment.fee_amount
    payment.fee_is_final = all(fee.amount is not None for fee in others)


# Asking


def ask(fee: Fee) -> None:
    """Ask the provider what it kept; book what it says, or ask again at the next of the times."""
    question = _question(fee)
    cost = _told(question)
    with transaction.atomic():
        attempt = lock_attempt(question.attempt)
        held = Fee.objects.select_for_update().select_related("receipt").get(pk=fee.pk)
        held.receipt.attempt = attempt
        if held.amount is not None:
            return
        held.asked, held.claim, held.tries = held.asked + 1, None, 0
        if cost is not None:
            _finish(held, cost)
            record(attempt.payment, **{column: getattr(attempt.payment, column) for column in COLUMNS})
        else:
            _ask_later(held, attempt.payment)
        held.save()


def _question(fee: Fee) -> Operation:
    """The payment as its provider is asked about it; never saved. One that was made for money has no creation."""
    attempt = Attempt.objects.select_related("payment", "account").get(pk=fee.receipt.attempt_id)
    return Operation(
        attempt=attempt, kind=Kind.CREATE, amount=attempt.payment.amount, currency=attempt.payment.currency
    )


def _told(operation: Operation) -> Cost | None:
    if not operation.attempt.provider_id:
        return None
    provider = connections.connect(operation.attempt.account)
    try:
        return connections.ask(provider, provider.fetch_cost(order_for(operation)), purpose="fetch_cost").cost
    except (NothingCreated, OutcomeUnknown, Unsupported):
        return None


def _ask_later(fee: Fee, payment: Payment) -> None:
    fee.due_at = _next_time(fee)
    # Of a payment that was made for money which had come, the provider has no id by which it could tell.
    if fee.due_at is None and fee.receipt.owner.provider_id:
        detail = f"{fee.receipt.owner.account.provider} has not told what {fee.receipt_id} cost"
        attention.raise_for(payment, Attention.Reason.UNKNOWN, detail)


def _next_time(fee: Fee) -> datetime | None:
    """The first of the times that is still to come."""
    times = (fee.created_at + after * settings.RESOLVER_PACE for after in ASK_AFTER)
    return next((moment for moment in times if moment > clock.now()), None)


def _failing(fee: Fee) -> None:
    attention.raise_for(
        fee.receipt.owner.payment, Attention.Reason.FAILING, f"asking for {fee.pk} fails again and again"
    )


work.register(work.Queue("fees", model=Fee, do=ask, lane_limit=4, threads=8, failing=_failing))
