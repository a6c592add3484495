"""Money that a callback without proof tells of: asked about by its number, and booked by the answer (money.md 10)."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from core import clock, ids
from core.database import insert_ignoring
from core.providers import Misconfigured, NothingCreated, OutcomeUnknown, Unsupported
from events import attention, sealing, work
from events.models import Attention
from events.transitions import lock, record
from merchants.doors import callback_url
from merchants.models import ProviderAccount
from payments.models import Payment, ReportedReceipt, UnallocatedReceipt
from payments.providers import REGISTRY
from payments.providers.base import Kind, MoneyMoved
from payments.services import arriving, connections, resolving
from payments.services.arriving import Arrived
from payments.services.booking import Because
from payments.states import PaymentState

Outcome = ReportedReceipt.Outcome
BY = "resolver"


def take_down(came: Arrived) -> ReportedReceipt:
    """Keep what was told, once per number, and have it asked about at once.

    Told again after nobody could tell, it is asked about once more; told with another reference, it has none.
    """
    row = _row(came)
    with transaction.atomic():
        if not insert_ignoring(row):
            row = _told_again(came)
    work.wake_on_commit("reported_receipts")
    return row


def _row(came: Arrived) -> ReportedReceipt:
    token, account = ids.random_token(), came.account
    row = ReportedReceipt(
        account=account,
        merchant_id=account.merchant_id,
        livemode=account.livemode,
        provider_money_id=came.moved.provider_money_id,
        amount=came.moved.money.amount,
        currency=came.moved.money.currency,
        reference=came.reference,
        payer_hint=came.payer_hint,
        payment=arriving.payment_named(account, came.reference),
        token_hash=sealing.token_hash(token, livemode=account.livemode),
        lane=account.pk,
        due_at=clock.now(),
    )
    sealing.seal(row, "token", token)
    return row


def _told_again(came: Arrived) -> ReportedReceipt:
    told = ReportedReceipt.objects.select_for_update().filter(account=came.account)
    row = told.get(provider_money_id=came.moved.provider_money_id)
    if row.outcome == Outcome.CONFIRMED:
        return row
    if row.reference != came.reference:
        record(row, reference="", payment=None)
    if row.outcome != Outcome.WAITING:
        record(row, due_at=clock.now())
    return row


# Asking


def pursue(row: ReportedReceipt) -> None:
    """One step for money that is due: booked meanwhile, given up, or asked about once more."""
    row = ReportedReceipt.objects.select_related("account").get(pk=row.pk)
    if arriving.booked(row.account, row.provider_money_id) is not None:
        with transaction.atomic():
            _conclude(row, BY)
    elif row.asked > len(_waits(row)):
        _give_up(row)
    else:
        _ask(row)


def _waits(row: ReportedReceipt) -> list[timedelta]:
    """How long an answer is waited for, question by question; the last once more, after the last question."""
    declared = REGISTRY[row.account.provider].capabilities.operations[Kind.LOOKUP].ask_after
    return [after * settings.RESOLVER_PACE for after in declared]


def _ask(row: ReportedReceipt) -> None:
    provider, token = connections.connect(row.account), sealing.unseal_secret(row, "token")
    waits = _waits(row)
    next_at = clock.now() + waits[min(row.asked, len(waits) - 1)]
    if not _still_open(row).update(asked=row.asked + 1, due_at=next_at, claim=None, tries=0):
        return
    to_door: Callable[[str], str] = partial(callback_url, row.account, operation=token.reveal())
    try:
        step = provider.ask_about_money(row.provider_money_id, to_door)
        taken = connections.ask(provider, step, purpose="ask_about_money")
    except (Misconfigured, Unsupported):
        _mark_unconfirmed(row)
    except (NothingCreated, OutcomeUnknown):
        return
    else:
        _note_question(row, taken.provider_id)


def _note_question(row: ReportedReceipt, conversation: str) -> None:
    with transaction.atomic():
        locked = ReportedReceipt.objects.select_for_update().get(pk=row.pk)
        record(locked, conversations=[*locked.conversations, conversation])


def _mark_unconfirmed(row: ReportedReceipt) -> None:
    """The provider cannot be asked by the number: the payment is marked, and asked about as such."""
    with transaction.atomic():
        payment = lock(Payment(pk=row.payment_id)) if row.payment_id else None
        changed = _still_open(row).exclude(outcome=Outcome.DENIED).update(outcome=Outcome.UNCONFIRMED)
        if changed and payment is not None and payment.state != PaymentState.SUCCEEDED:
            record(payment, unconfirmed=True)
    if row.payment_id:
        resolving.ask_now(row.payment_id)


def _give_up(row: ReportedReceipt) -> None:
    """The schedule is over. What was denied stays denied; of anything else a person is told."""
    _mark_unconfirmed(row)
    with transaction.atomic():
        if not _still_open(row).update(due_at=None, claim=None, concluded_at=clock.now()):
            return
        row.refresh_from_db(fields=["outcome", "provider_status"])
        detail = f"{row.money} by {row.provider_money_id} was told of, and the provider does not show it"
        if row.outcome == Outcome.DENIED:
            attention.raise_for(row, Attention.Reason.PARKED, f"{detail}: {row.provider_status!r}")
        else:
            attention.raise_for(row, Attention.Reason.UNKNOWN, detail)


def _still_open(row: ReportedReceipt) -> QuerySet[ReportedReceipt]:
    return ReportedReceipt.objects.filter(pk=row.pk).exclude(outcome=Outcome.CONFIRMED)


def ask_now(reported_id: str) -> None:
    """Make it due: a person may ask at any time, and so may what tells of it again."""
    ReportedReceipt.objects.filter(pk=reported_id, claim=None).exclude(outcome=Outcome.CONFIRMED).update(
        due_at=clock.now()
    )
    work.wake_on_commit("reported_receipts")


def ask_again(row: ReportedReceipt) -> None:
    """Begin the schedule anew, for a person."""
    _still_open(row).update(asked=0, conversations=[], due_at=clock.now(), claim=None)
    work.wake_on_commit("reported_receipts")


def find(account: ProviderAccount, token: str) -> str:
    """The id of the reported receipt whose answers come by this token, within the account; empty if none."""
    held = ReportedReceipt.objects.filter(token_hash__in=sealing.token_hashes(token), account=account)
    return held.values_list("pk", flat=True).first() or ""


# Answers


def confirm(row: ReportedReceipt, moved: MoneyMoved, because: Because) -> Payment | UnallocatedReceipt:
    """The provider shows the money: it is booked, by its number and with the amount that the provider names."""
    with transaction.atomic():
        came = Arrived(row.account, moved, reference=row.reference, payer_hint=row.payer_hint)
        booked = arriving.take_in(came, because)
        _conclude(row, because.by)
    return booked


def deny(row: ReportedReceipt, provider_status: str) -> bool:
    """The provider knows of no such money. It is asked to the end of its schedule; False when it is booked."""
    with transaction.atomic():
        if row.payment_id:
            _unmark(lock(Payment(pk=row.payment_id)), but=row)
        return bool(_still_open(row).update(outcome=Outcome.DENIED, provider_status=provider_status[:100]))


def note_status(row: ReportedReceipt, provider_status: str) -> None:
    """An answer that says nothing of the money."""
    _still_open(row).update(provider_status=provider_status[:100])


def _conclude(row: ReportedReceipt, by: str) -> None:
    """It is booked. The payment is locked before the report, as everywhere."""
    if row.payment_id:
        _unmark(lock(Payment(pk=row.payment_id)), but=row)
    concluded = {"outcome": Outcome.CONFIRMED, "due_at": None, "claim": None, "concluded_at": clock.now()}
    ReportedReceipt.objects.filter(pk=row.pk).update(**concluded)
    for reason in (Attention.Reason.UNKNOWN, Attention.Reason.PARKED):
        attention.settle(row, reason, by=by)


def _unmark(payment: Payment, *, but: ReportedReceipt) -> None:
    others = ReportedReceipt.objects.filter(payment=payment, outcome=Outcome.UNCONFIRMED).exclude(pk=but.pk)
    if payment.unconfirmed and not others.exists():
        record(payment, unconfirmed=False)


def _failing(row: ReportedReceipt) -> None:
    attention.raise_for(row, Attention.Reason.FAILING, "asking about this receipt fails again and again")


work.register(
    work.Queue("reported_receipts", model=ReportedReceipt, do=pursue, lane_limit=8, threads=16, failing=_failing)
)
