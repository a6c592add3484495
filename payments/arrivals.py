"""Callbacks about money that names no operation of ours: whether it may come, and that it has come.

A path token and a listed address vouch for them, which is enough to answer whether money may come, and not to believe
that it has: that is asked of the provider by the receipt's number, and its answer alone books (money.md 7, 10).
"""

from django.db import transaction

from events import inbox
from events.models import Callback
from merchants.models import ProviderAccount
from payments import weak_callbacks
from payments.models import ReportedReceipt, UnallocatedReceipt
from payments.providers.base import Admission, Notice, Report, Topic, Word
from payments.services import arriving, connections, reporting
from payments.services.booking import Because

SOURCE = "arrival"


def follow(callback: Callback, notice: Notice) -> None:
    account = ProviderAccount.objects.get(pk=callback.account)
    if notice.topic is Topic.VALIDATION:
        admission = _admission(account, notice)
        inbox.finish(callback, Callback.State.PROCESSED, note=admission)
    elif notice.elsewhere:
        inbox.finish(callback, Callback.State.QUARANTINED, note=f"names {notice.elsewhere}, which is not this account")
    else:
        _take_in(callback, account, notice)


def _admission(account: ProviderAccount, notice: Notice) -> Admission:
    if notice.elsewhere or notice.report is None:
        return Admission.ELSEWHERE
    unknown = connections.connect(account).admits_unknown_references()
    return arriving.admit(account, notice.report.moved[0].money, reference=notice.reference, unknown_may_come=unknown)


def _take_in(callback: Callback, account: ProviderAccount, notice: Notice) -> None:
    """Money that is told of, each sum once: known already, or to be asked about."""
    for money in notice.report.moved if notice.report else ():
        known = arriving.booked(account, money.provider_money_id)
        if known is not None:
            inbox.finish(callback, Callback.State.PROCESSED, subject=known.pk, note="booked before")
            continue
        came = arriving.Arrived(account, money, reference=notice.reference, payer_hint=notice.payer_hint)
        told = reporting.take_down(came)
        inbox.finish(callback, Callback.State.PROCESSED, subject=told.pk, note="asks whether it has come")


def follow_answer(callback: Callback, notice: Notice) -> None:
    """The result of a question that we sent counts as its answer when token, id and address agree."""
    row = ReportedReceipt.objects.select_related("account").get(pk=callback.operation)
    told = notice.report
    if told is None:
        inbox.finish(callback, Callback.State.IGNORED, subject=row.pk, note="says nothing that we act on")
    elif told.provider_id not in row.conversations and len(row.conversations) >= row.asked:
        weak_callbacks.park(callback, f"names {told.provider_id!r}, we asked as {', '.join(row.conversations)}")
    elif told.word is Word.SUCCEEDED:
        _confirm(callback, row, told)
    elif told.word is Word.FAILED and reporting.deny(row, told.provider_status):
        inbox.finish(callback, Callback.State.PROCESSED, subject=row.pk, note=f"denied: {told.provider_status}")
    elif told.word is Word.FAILED:
        weak_callbacks.park(callback, f"denies what is booked: {told.provider_status!r}")
    else:
        reporting.note_status(row, told.provider_status)
        inbox.finish(callback, Callback.State.IGNORED, subject=row.pk, note=f"says nothing: {told.provider_status}")


def _confirm(callback: Callback, row: ReportedReceipt, told: Report) -> None:
    named = {money.provider_money_id for money in told.moved}
    if named != {row.provider_money_id}:
        weak_callbacks.park(callback, f"is about {sorted(named)}, we asked about {row.provider_money_id!r}")
        return
    because = Because(by=callback.provider, source=SOURCE, detail=f"status by callback {callback.pk}")
    with transaction.atomic():
        for money in told.moved:
            booked = reporting.confirm(row, money, because)
            note = "unallocated" if isinstance(booked, UnallocatedReceipt) else told.provider_status
            inbox.finish(callback, Callback.State.PROCESSED, subject=booked.pk, note=note)
