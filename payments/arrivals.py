"""Callbacks about money that names no operation of ours: whether it may come, and that it has come.

A path token and a listed address vouch for them, and nothing else does. What has come is the provider's final word
on it (money.md 7, 10): a receipt with its number, which a later report of the same number repeats.
"""

from events import inbox
from events.models import Callback
from merchants.models import ProviderAccount
from payments.models import UnallocatedReceipt
from payments.providers.base import Admission, Notice, Topic
from payments.services import arriving, connections
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
    because = Because(by=callback.provider, source=SOURCE, detail=f"callback {callback.pk}")
    moved = notice.report.moved if notice.report else ()
    for money in moved:
        came = arriving.Arrived(account, money, reference=notice.reference, payer_hint=notice.payer_hint)
        row = arriving.take_in(came, because)
        note = "unallocated" if isinstance(row, UnallocatedReceipt) else ""
        inbox.finish(callback, Callback.State.PROCESSED, subject=row.pk, note=note)
