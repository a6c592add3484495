"""The days after a crash run: every list is read, M-Pesa's night after night, and what is unknown is asked about."""

from datetime import timedelta

from core import clock
from events import work
from merchants.models import ProviderAccount
from payments.models import Operation
from payments.services import resolving
from reconciliation import runs
from reconciliation.models import Discrepancy, Run

_NIGHTS = (timedelta(hours=1), timedelta(hours=14), timedelta(hours=50))
"""Soon; when no payer could pay any more; and when the list reaches no further back."""
_AFTER_ALL_QUESTIONS = timedelta(days=8)


def go_by() -> None:
    """Only what is unknown sees the days go by: the simulators' clocks stand, and much would end that they hold."""
    soon, *later = _NIGHTS
    with clock.shifted(soon):
        runs.begin_all(occasion=Run.Occasion.NIGHTLY)
        work.drain(runs.QUEUE)
    [account] = ProviderAccount.objects.filter(provider="mpesa")
    for night in later:
        with clock.shifted(night):
            runs.begin(account, occasion=Run.Occasion.NIGHTLY, by="crash")
            work.drain(runs.QUEUE)
    with clock.shifted(_AFTER_ALL_QUESTIONS):
        asked = Operation.objects.filter(state="unknown")
        for operation in asked.exclude(attempt__account__provider="mpesa"):
            resolving.resolve(operation)


def repaired() -> int:
    return Discrepancy.objects.filter(outcome=Discrepancy.Outcome.REPAIRED).count()
