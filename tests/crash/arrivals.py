"""Whether each receipt of money that came by itself is exactly one of ours, and each of ours one of M-Pesa's."""

from collections.abc import Iterator
from typing import Any

from events.models import Attention, Callback
from payments.models import Attempt, Receipt, ReportedReceipt, UnallocatedReceipt
from payments.services import reporting

Entry = dict[str, Any]


def by_customers(entries: list[Entry]) -> list[Entry]:
    """Of M-Pesa's payments those that no prompt asked for."""
    return [entry for entry in entries if entry["kind"] == "payment" and entry["id"] == entry["receipt"]]


def paid_by_paybill(entries: list[Entry]) -> set[str]:
    """The attempts that have such money."""
    numbers = [entry["id"] for entry in entries]
    return set(Receipt.objects.filter(provider_money_id__in=numbers).values_list("attempt", flat=True)) - {None}


def ask_again_about_given_up() -> int:
    """What staff do about a reported receipt on the attention list. How many there were."""
    given_up = ReportedReceipt.objects.filter(due_at=None).exclude(outcome="confirmed")
    listed = set(Attention.objects.filter(closed_at=None).values_list("subject", flat=True))
    rows = [row for row in given_up if row.pk in listed]
    for row in rows:
        reporting.ask_again(row)
    return len(rows)


class Arrivals:
    """One look at both sides. `confirmed` are the numbers that were told to us and answered with a 2xx."""

    def __init__(self, entries: list[Entry], *, confirmed: set[str]) -> None:
        self._entries, self._confirmed = entries, confirmed
        held = Receipt.objects.filter(account__provider="mpesa", kind="capture").select_related("attempt__payment")
        self._ours = {row.provider_money_id: row for row in held if row.provider_money_id}
        self._reported = {row.provider_money_id: row for row in ReportedReceipt.objects.all()}
        self.wrong: list[str] = []
        self.unknown: list[str] = []

    def compare(self) -> None:
        references = dict(Attempt.objects.values_list("provider_reference", "pk"))
        for entry in by_customers(self._entries):
            receipt = self._ours.get(entry["id"])
            if receipt is not None:
                self.wrong += _disagreements(entry, receipt, references.get(entry["reference"].upper()))
        paid = {entry["receipt"]: entry for entry in self._entries if entry["kind"] == "payment"}
        # What a prompt has moved is told of at the same door.
        for number in (set(paid) & self._confirmed) - set(self._ours):
            self._missing(number, paid[number])
        theirs = {entry["receipt"] for entry in self._entries}
        self.wrong += [f"receipt {number} is in our books and not at M-Pesa" for number in set(self._ours) - theirs]

    def _missing(self, number: str, entry: Entry) -> None:
        """What was told and answered must be booked, once its questions have been answered."""
        told, reported = f"M-Pesa has {number} ({entry['reference']})", self._reported.get(number)
        if reported is None:
            self.wrong.append(f"{told}, we said that we had heard of it, and it is nowhere")
        elif reported.due_at is not None:
            self.unknown.append(f"{told}, {_story(reported)}")
        else:
            self.wrong.append(f"{told}, {_story(reported)}")


def _story(reported: ReportedReceipt) -> str:
    """What was asked and answered."""
    heard = Callback.objects.filter(operation=reported.pk).order_by("pk")
    answers = ", ".join(f"{callback.door} {callback.state} ({callback.note})" for callback in heard)
    taken = f"asked {reported.asked} times, {len(reported.conversations)} taken"
    return f"reported as {reported.pk}, {reported.outcome}, {taken}, answers: {answers or 'none'}"


def _disagreements(entry: Entry, receipt: Receipt, attempt: str | None) -> Iterator[str]:
    told = f"{entry['id']} ({entry['reference']})"
    if receipt.amount != entry["amount"] * 100:
        yield f"{told} is {receipt.amount} here, {entry['amount']} shillings at M-Pesa"
    if attempt != receipt.attempt_id:
        yield f"{told} belongs to {attempt}, and is booked for {receipt.attempt_id}"
    if receipt.attempt is None:
        states = list(UnallocatedReceipt.objects.filter(receipt=receipt).values_list("state", flat=True))
        if states != ["open"]:
            yield f"{told} is unallocated, and its rows are {states}"
    elif receipt.attempt.payment.state != "succeeded":
        yield f"{told} was paid for {receipt.attempt.payment_id}, which is {receipt.attempt.payment.state}"
