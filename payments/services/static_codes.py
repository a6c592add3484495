"""Codes that stand on a counter: made once, and the money that comes on them, which the provider itself shows."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from core import clock, ids
from core.errors import Conflict, InvalidRequest
from core.providers import NothingCreated, OutcomeUnknown, Unsupported
from events import attention, work
from events.idempotency import Claim
from events.models import Attention
from merchants.models import ProviderAccount, Store
from payments.models import Payment, Receipt, StaticCode, UnallocatedReceipt
from payments.providers import REGISTRY
from payments.providers.base import MoneyMoved, Report, Word
from payments.providers.static_codes import CodeMoney, CodeQuestion, MakesStaticCodes
from payments.services import arriving, choosing, connections, shown_codes
from payments.services.arriving import Arrived
from payments.services.booking import Because
from payments.services.places import place_in_flight

Outcome = StaticCode.Outcome
_ACCOUNT = "/account"
_BY = "resolver"
_REFERENCE_LENGTH = 26
_SILENCE = timedelta(days=1)
_ASKED_AFTER_ITS_END = timedelta(days=7)
"""What was paid at the last moment has long come by then."""


def makers() -> list[str]:
    """The providers that make such codes."""
    return [name for name in REGISTRY if issubclass(REGISTRY[name], MakesStaticCodes)]


# Making one


def create_code(*, store: Store, account: str, reference: str, by: str, claim: Claim) -> StaticCode:
    """Ask the account's provider for a code that stands in the store; whatever it says, the row exists.

    It is asked once. Raises InvalidRequest that names the account, Conflict for a store that is switched off,
    ProviderBusy, and AlreadyClaimed for a repeated key.
    """
    if not store.is_enabled:
        raise Conflict(f"{store.pk} is switched off. A code there would go on taking money; switch the store on first.")
    found = _account_for(store, account)
    row = StaticCode(
        store=store,
        account=found,
        merchant_id=store.merchant_id,
        livemode=store.livemode,
        reference=reference,
        provider_reference=ids.random_reference(length=_REFERENCE_LENGTH),
        lane=found.pk,
        due_at=clock.now() + settings.WORK_LEASE,
    )
    with place_in_flight(found):
        claim.bind(row.pk, row)
        _send(row)
    row.refresh_from_db()
    return row


def _account_for(store: Store, public_id: str) -> ProviderAccount:
    own = ProviderAccount.objects.filter(merchant=store.merchant_id, livemode=store.livemode)
    account = own.filter(pk=public_id).first() if ids.is_id(public_id, "acct") else None
    if account is None:
        raise InvalidRequest("There is no such provider account for this key.", param=_ACCOUNT)
    if account.provider not in makers():
        known = ", ".join(makers())
        raise InvalidRequest(
            f"{account.provider} makes no codes that stand on a counter; {known} does.", param=_ACCOUNT
        )
    taking = choosing.open_accounts(merchant=store.merchant_id, livemode=store.livemode, providers=[account.provider])
    if account not in taking:
        raise InvalidRequest(f"{account.pk} or its provider is switched off for new payments.", param=_ACCOUNT)
    return account


def _send(row: StaticCode) -> None:
    provider = connections.connect(row.account)
    try:
        step = _maker(provider).create_static_code(row.provider_reference)
        report = connections.ask(provider, step, purpose="create_static_code")
    except NothingCreated as fault:
        _conclude(row, Outcome.REFUSED, provider_code=fault.provider_code[:100], message=str(fault)[:300])
    except OutcomeUnknown as fault:
        _conclude(row, Outcome.UNKNOWN, message=str(fault)[:300])
    else:
        _conclude_report(row, report)


def _maker(provider: object) -> MakesStaticCodes:
    if not isinstance(provider, MakesStaticCodes):
        raise Unsupported(f"{type(provider).__name__} makes no codes that stand on a counter")
    return provider


def _conclude_report(row: StaticCode, report: Report) -> None:
    told = {"provider_id": report.provider_id, "provider_code": report.provider_status[:100]}
    text = str((report.next_action or {}).get("qr_string", ""))
    fault = shown_codes.static_fault(row.account, text)
    if report.word is Word.REQUIRES_ACTION and not fault:
        due = clock.now() + _pace(row)
        _conclude(row, Outcome.ACTIVE, text=text, expires_at=report.expires_at, due_at=due, **told)
    else:
        fault = fault or "it is not the code that was asked for"
        message = f"Show what the provider has answered with nowhere: {fault}."
        _conclude(row, Outcome.UNKNOWN, message=message, **told)


def _conclude(row: StaticCode, outcome: Outcome, **facts: object) -> None:
    """An answer that comes after its caller was given up counts all the same."""
    open_rows = StaticCode.objects.filter(pk=row.pk, outcome__in=[Outcome.SENDING, Outcome.UNKNOWN])
    open_rows.update(**{"outcome": outcome, "due_at": None, "claim": None, **facts})


# Money on it


def named(account: str, provider_id: str) -> StaticCode | None:
    """The code of that id at the provider, within the account."""
    rows = StaticCode.objects.select_related("account").filter(account=account, provider_id=provider_id)
    return rows.first() if provider_id else None


def of_reference(account: str, reference: str) -> StaticCode | None:
    """The code that was asked for under this reference of ours."""
    rows = StaticCode.objects.select_related("account").filter(account=account, provider_reference=reference)
    return rows.first() if reference else None


def take_in(code: StaticCode, *, money_id: str, because: Because) -> dict[str, Payment | UnallocatedReceipt] | None:
    """Ask what was paid on the code, and book what is not booked yet, each sum once for ever, by its number there.

    Gives what the shown money is booked as, by its number; None where nobody could tell. No amount says whose it is
    (money.md 19): it is unallocated, in the store of the code.
    """
    shown = _shown(code, money_id)
    if shown is None:
        return None
    if shown.unreadable:
        detail = f"{shown.unreadable} payments on {code.pk} are shown in a form that is not known; look at the provider"
        attention.raise_for(code, Attention.Reason.PARKED, detail)
    else:
        attention.settle(code, Attention.Reason.PARKED, by=because.by)
    return {moved.provider_money_id: _book(code, moved, because) for moved in _news(code, shown, money_id)}


def _shown(code: StaticCode, money_id: str) -> CodeMoney | None:
    provider = connections.connect(code.account)
    step = _maker(provider).static_money(CodeQuestion(code.provider_id, code.provider_reference, money_id))
    try:
        return connections.ask(provider, step, purpose="static_money")
    except (NothingCreated, OutcomeUnknown):
        return None


def _news(code: StaticCode, shown: CodeMoney, money_id: str) -> list[MoneyMoved]:
    """What is not booked yet, and what was asked for by its number."""
    numbers = [moved.provider_money_id for moved in shown.moved]
    rows = Receipt.objects.filter(account=code.account_id, provider_money_id__in=numbers)
    known = set(rows.values_list("provider_money_id", flat=True)) - {money_id}
    return [moved for moved in shown.moved if moved.provider_money_id not in known]


def _book(code: StaticCode, moved: MoneyMoved, because: Because) -> Payment | UnallocatedReceipt:
    with transaction.atomic():
        return arriving.leave_unallocated(Arrived(code.account, moved, code.provider_reference), because)


# Asking


def pursue(row: StaticCode) -> None:
    """One step for a code that is due: asked what was paid on it, as a callback may be lost."""
    if row.outcome == Outcome.SENDING:
        _conclude(row, Outcome.UNKNOWN, message="its caller did not come back")
        return
    code = StaticCode.objects.select_related("account").get(pk=row.pk)
    because = Because(by=_BY, source="query", detail=f"what was paid on {code.pk}")
    asked = {}
    if take_in(code, money_id="", because=because) is not None:
        asked = {"asked_at": clock.now()}
        attention.settle(code, Attention.Reason.UNKNOWN, by=_BY)
    elif clock.now() - (code.asked_at or code.created_at) > _SILENCE:
        attention.raise_for(code, Attention.Reason.UNKNOWN, "its provider has not told for a day what was paid on it")
    StaticCode.objects.filter(pk=code.pk).update(due_at=_next_at(code), claim=None, tries=0, **asked)


def _next_at(code: StaticCode) -> datetime | None:
    """None for one that nobody can have paid for days: from then on it is asked about when a person wants it."""
    if code.expires_at is not None and clock.now() > code.expires_at + _ASKED_AFTER_ITS_END:
        return None
    return clock.now() + _pace(code)


def _pace(row: StaticCode) -> timedelta:
    pace: timedelta = _maker(connections.connect(row.account)).static_pace * settings.RESOLVER_PACE
    return pace


def ask_now(code_id: str) -> None:
    """Make it due: a person may ask at any time."""
    StaticCode.objects.filter(pk=code_id, outcome=Outcome.ACTIVE, claim=None).update(due_at=clock.now())
    work.wake_on_commit("static_codes")


def _failing(row: StaticCode) -> None:
    attention.raise_for(row, Attention.Reason.FAILING, "asking what was paid on this code fails again and again")


work.register(work.Queue("static_codes", model=StaticCode, do=pursue, lane_limit=2, threads=4, failing=_failing))
