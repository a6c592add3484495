"""Whether what payers were asked for at a company is in our books as it is in its own: each attempt by itself."""

from collections import defaultdict
from typing import Any

from payments.models import Attempt
from payments.states import AttemptState, PaymentState
from tests.crash.companies import Company, Meaning

Entry = dict[str, Any]


def minor(entry: Entry) -> int:
    """What the ledger counts in whole units, in hundredths: the currencies here all have two decimals."""
    return int(entry["amount"]) * (100 if entry["unit"] == "whole" else 1)


class Asked:
    """One look at both sides. `finally_` demands that nothing is asked about any more but what may still come,

    `days_later` that nothing is.
    """

    def __init__(self, company: Company, entries: list[Entry], *, finally_: bool, days_later: bool) -> None:
        self._company, self._finally, self._days_later = company, finally_, days_later
        self._entries: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            if entry["kind"] == "payment":
                self._entries[entry["reference"]].append(entry)
        self.wrong: list[str] = []
        self.unknown: list[str] = []

    def compare(self) -> None:
        rows = Attempt.objects.filter(account__provider=self._company.name).select_related("payment")
        for attempt in rows.prefetch_related("receipts", "operations"):
            theirs = self._entries.pop(attempt.provider_reference, [])
            if len(theirs) > 1:
                self.wrong.append(f"{attempt.payment_id}: {len(theirs)} at {self._company.name}: {_ids(theirs)}")
            else:
                self._compare(attempt, theirs[0] if theirs else None)
        for reference, orphans in self._entries.items():
            self.wrong.append(f"{self._company.name} has {_ids(orphans)} ({reference}), not in our books")

    def _compare(self, attempt: Attempt, entry: Entry | None) -> None:
        state = entry["state"] if entry else "nothing"
        meaning = self._company.means.get(state) if entry else Meaning.NOTHING
        if meaning is not None and self._fits(meaning, attempt, entry):
            return
        received = [receipt.amount for receipt in attempt.receipts.all() if receipt.kind == "capture"]
        told = (
            f"{attempt.payment_id} ({attempt.provider_reference}) is {attempt.payment.state}, its attempt "
            f"{attempt.state} with {received}, at {self._company.name} {state} {entry and minor(entry)}"
        )
        rows = attempt.operations.all()
        operations = ", ".join(f"{row.kind} {row.state}" for row in rows)
        # What is not there, and cannot be sent again, is asked about for as long as it may still come.
        may_come = meaning is Meaning.NOTHING and not self._company.replays and not received
        may_wait = not self._days_later and (may_come or not self._finally)
        is_asked = any(row.due_at is not None for row in rows)
        (self.unknown if is_asked and may_wait else self.wrong).append(f"{told}; {operations}")

    def _fits(self, meaning: Meaning, attempt: Attempt, entry: Entry | None) -> bool:
        state, paid = attempt.payment.state, [row for row in attempt.receipts.all() if row.kind == "capture"]
        if meaning is Meaning.PAID and entry:
            whole = [row.amount for row in paid] == [minor(entry)]
            return whole and attempt.state == AttemptState.SUCCEEDED and state == PaymentState.SUCCEEDED
        if paid:
            return False
        match meaning:
            case Meaning.HELD:
                return bool(state == PaymentState.AUTHORIZED)
            case Meaning.WAITING if attempt.state == AttemptState.OPEN:
                return state in (PaymentState.REQUIRES_ACTION, PaymentState.PROCESSING)
            case Meaning.WAITING:
                # A code whose answer was lost stands there, and nobody has seen it.
                return not self._company.moves_without_us or attempt.failure_code == "provider_unavailable"
            case _:
                return attempt.state in (AttemptState.FAILED, AttemptState.ABANDONED)


def _ids(entries: list[Entry]) -> str:
    return ", ".join(f"{entry['id']} {entry['state']}" for entry in entries)
