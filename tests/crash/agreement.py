"""Whether the simulators' ledgers and ours agree, one to one, and whether everything that waits is listed."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from core import clock
from events.models import Attention, Callback, Event, Transition
from ledger import checking
from merchants.models import Delivery
from payments.models import Attempt, Operation, Payment, Refund, ReportedReceipt, SavedMethod
from payments.services import booking
from tests.crash.arrivals import Arrivals, by_customers, paid_by_paybill
from tests.crash.asked import Asked, minor
from tests.crash.companies import ALL
from tests.crash.receiver import Receiver
from tests.crash.rows import hash_of_token
from tests.crash.world import Books

Entry = dict[str, Any]

STRIPE_FITS = {
    "succeeded": {"succeeded"},
    "canceled": {"failed", "cancelled"},
    "requires_capture": {"authorized"},
    "requires_action": {"requires_action"},
    "processing": {"processing"},
}
MPESA_FITS = {"paid": {"succeeded"}, "failed": {"failed"}}
REFUND_FITS = {"succeeded": {"succeeded"}, "pending": {"pending"}, "failed": {"failed"}, "canceled": {"cancelled"}}
CANNOT_REPLAY = {company.name for company in ALL if not company.replays}
FAR = timedelta(seconds=3)


@dataclass
class Findings:
    """`wrong` is what disagrees, `unknown` what nothing can answer yet, each with its ids."""

    wrong: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def waiting() -> list[str]:
    """What our processes have still to do and will, soon."""
    soon = clock.now() + FAR
    unsent = Operation.objects.filter(Q(state__in=["created", "sending"]) | Q(due_at__lte=soon))
    kinds = {
        "events without a position": Event.objects.filter(position=None),
        "deliveries": Delivery.objects.filter(due_at__isnull=False),
        "callbacks": Callback.objects.filter(due_at__isnull=False),
        "operations": unsent,
        "saved methods": SavedMethod.objects.filter(due_at__lte=soon),
        "reported receipts": ReportedReceipt.objects.filter(due_at__lte=soon),
    }
    return [f"{count} {name}" for name, rows in kinds.items() if (count := rows.count())]


def gave_way() -> int:
    """How many attempts were given up because another account had been asked, whether or not they were paid since."""
    latest = Attempt.objects.filter(payment=OuterRef("payment")).order_by("-pk").values("pk")[:1]
    return Attempt.objects.exclude(pk=Subquery(latest)).count()


class Comparison:
    """One look at both sides. `finally_` also demands that what nobody can answer was handed to a person.

    `days_later` demands that no payment is unknown: only a reversal may be whose answer and result were both lost.
    """

    def __init__(self, books: Books, receiver: Receiver, *, finally_: bool = False, days_later: bool = False) -> None:
        self._books, self._receiver = books, receiver
        self._finally, self._days_later = finally_, days_later
        self._answered = {hash_of_token(url) for url in books.answered}
        self._listed = set(Attention.objects.filter(reason="unknown", closed_at=None).values_list("subject", flat=True))
        self._paid_by_hand: set[str] = set()
        self.findings = Findings()

    def run(self) -> Findings:
        stripe, mpesa = self._books.entries("stripe"), self._books.entries("mpesa")
        self._compare_payments("stripe", _by_reference(stripe, "payment"))
        by_hand = by_customers(mpesa)
        self._paid_by_hand = paid_by_paybill(by_hand)
        self._compare_payments("mpesa", _by_reference([row for row in mpesa if row not in by_hand], "payment"))
        arrivals = Arrivals(mpesa, confirmed=self._books.confirmed)
        arrivals.compare()
        self.findings.wrong += arrivals.wrong
        self.findings.unknown += arrivals.unknown
        for company in ALL:
            entries = {"stripe": stripe, "mpesa": mpesa}.get(company.name) or self._books.entries(company.name)
            if company.ways:
                asked = Asked(company, entries, finally_=self._finally, days_later=self._days_later)
                asked.compare()
                self.findings.wrong += asked.wrong
                self.findings.unknown += asked.unknown
            self._compare_refunds(company.name, _by_reference(entries, "refund", by=company.refunds_by))
        ours = [_counters(), _books(), _saved_methods(), _callbacks()]
        # Nobody delivers what the nights have brought about: the processes have ended by then.
        ours += [_unknown_payments()] if self._days_later else [_operations(), _events(self._receiver)]
        for complaint in chain.from_iterable(ours):
            self._wrong(complaint)
        return self.findings

    def _wrong(self, complaint: str) -> None:
        self.findings.wrong.append(complaint)

    def _compare_payments(self, provider: str, entries: dict[str, list[Entry]]) -> None:
        attempts = Attempt.objects.filter(account__provider=provider).select_related("payment")
        for attempt in attempts:
            theirs = entries.pop(attempt.provider_reference, [])
            if len(theirs) > 1:
                self._wrong(f"{attempt.payment_id}: paid for {len(theirs)} times at {provider}: {_ids(theirs)}")
            else:
                self._compare_payment(provider, attempt, theirs[0] if theirs else None)
        for reference, orphans in entries.items():
            self._wrong(f"{provider} has {_ids(orphans)} ({reference}), which is not in our books")

    def _compare_payment(self, provider: str, attempt: Attempt, entry: Entry | None) -> None:
        payment = attempt.payment
        state, fits = (entry["state"], STRIPE_FITS | MPESA_FITS) if entry else ("nothing", {})
        told = f"{payment.pk} ({attempt.provider_reference}) is {payment.state}, at {provider} {state}"
        # Expired before its provider's word came, which the attempt then took.
        if payment.state == "expired" and attempt.state == state == "failed":
            return
        # What M-Pesa's list, read while it could have shown it, has no money of.
        if payment.state == "expired" and attempt.state == "abandoned" and state in ("nothing", "failed"):
            return
        # By a receipt of its own, whatever became of the prompt; that is compared by itself.
        if attempt.pk in self._paid_by_hand:
            return
        if payment.state not in fits.get(state, set()):
            self._allow_or_complain(told, payment, self._is_unanswerable(provider, attempt))
        elif entry and payment.state == "succeeded" and payment.captured_amount != minor(entry):
            self._wrong(f"{told}: {payment.captured_amount} captured, {minor(entry)} there")
        elif payment.state in ("succeeded", "failed", "cancelled") and attempt.state == "open":
            self._wrong(f"{told}, and its attempt {attempt.pk} is still open")

    def _is_unanswerable(self, provider: str, attempt: Attempt) -> bool:
        """A prompt whose answer was lost, and about which no callback has come through."""
        lost = provider == "mpesa" and not attempt.provider_id and attempt.payment.state == "expired"
        return lost and not self._days_later and not self._was_told(attempt.operations.filter(kind="create"))

    def _compare_refunds(self, provider: str, entries: dict[str, list[Entry]]) -> None:
        refunds = Refund.objects.filter(attempt__account__provider=provider).select_related("payment", "attempt")
        for refund in refunds:
            operation = refund.operations.get(kind="refund")
            reference = refund.attempt.provider_reference if provider == "mpesa" else operation.key
            theirs = entries.pop(reference, [])
            if len(theirs) > 1:
                self._wrong(f"{refund.pk}: sent {len(theirs)} times to {provider}: {_ids(theirs)}")
            else:
                self._compare_refund(provider, refund, operation, theirs[0] if theirs else None)
        for reference, orphans in entries.items():
            self._wrong(f"{provider} has refunds {_ids(orphans)} ({reference}), which are not in our books")

    def _compare_refund(self, provider: str, refund: Refund, operation: Operation, entry: Entry | None) -> None:
        state = entry["state"] if entry else "nothing"
        told = f"{refund.pk} of {refund.payment_id} is {refund.state}, at {provider} {state}"
        if entry is None and refund.state == "failed" and operation.state == "failed" and provider in CANNOT_REPLAY:
            return
        if entry is None and provider in CANNOT_REPLAY and refund.state == "pending" and operation.due_at is not None:
            # It is asked about for as long as it may still come.
            self.findings.unknown.append(f"{told}; {_story(refund)}")
        elif refund.state not in REFUND_FITS.get(state, set()):
            # Its own result is a weak callback, after which only the answer to a question counts: none came through.
            asked = refund.operations.filter(kind="lookup")
            lost = provider == "mpesa" and refund.state == "pending" and not self._was_told(asked)
            self._allow_or_complain(told, refund, lost)
        elif entry and refund.amount != minor(entry):
            self._wrong(f"{told}: {refund.amount} here, {minor(entry)} there")

    def _was_told(self, operations: Any) -> bool:
        """Whether a callback about one of these was taken in with a 2xx."""
        return bool(self._answered & set(operations.values_list("token_hash", flat=True)))

    def _allow_or_complain(self, told: str, subject: Payment | Refund, unanswerable: bool) -> None:
        told = f"{told}; {_story(subject)}"
        if not self._finally and _is_still_asked_about(subject):
            self.findings.unknown.append(told)
        elif not unanswerable:
            self._wrong(told)
        elif subject.pk not in self._listed:
            self._wrong(f"{told}: nothing can answer, and it is not on the attention list")
        else:
            self.findings.unknown.append(told)


def _saved_methods() -> Iterator[str]:
    """Each card is one that its bank lets be saved: it is kept, or given up on both sides."""
    for saved in SavedMethod.objects.exclude(state="active"):
        if saved.state != "detached":
            yield f"{saved.pk} is {saved.state} ({saved.failure_code}), and its bank had nothing against it"
        elif saved.closed_at is None:
            yield f"{saved.pk} was given up, and nobody knows whether its provider has forgotten it"


def _story(subject: Payment | Refund) -> str:
    """The operations with what was last said of them."""
    told = []
    for operation in _operations_of(subject).order_by("pk"):
        last = Transition.objects.filter(subject=operation.pk).order_by("sequence").last()
        told.append(f"{operation.kind} {operation.pk} {operation.state}" + (f" ({last.because})" if last else ""))
    for callback in Callback.objects.filter(operation__in=_operations_of(subject)).order_by("pk"):
        told.append(f"callback {callback.pk} {callback.door} {callback.state} ({callback.note})")
    return ", ".join(told)


def _operations_of(subject: Payment | Refund) -> QuerySet[Operation]:
    if isinstance(subject, Refund):
        return Operation.objects.filter(refund=subject)
    return Operation.objects.filter(attempt__payment=subject)


def _is_still_asked_about(subject: Payment | Refund) -> bool:
    """Only M-Pesa is asked so seldom that a round can end in between."""
    return _operations_of(subject).filter(due_at__isnull=False, attempt__account__provider="mpesa").exists()


def _by_reference(entries: list[Entry], kind: str, *, by: str = "reference") -> dict[str, list[Entry]]:
    found = defaultdict(list)
    for entry in entries:
        if entry["kind"] == kind:
            found[entry[by]].append(entry)
    return dict(found)


def _ids(entries: list[Entry]) -> str:
    return ", ".join(f"{entry['id']} {entry['state']}" for entry in entries)


def _counters() -> Iterator[str]:
    for payment in Payment.objects.all():
        for name, recomputed in booking.totals(payment).items():
            if getattr(payment, name) != recomputed:
                yield f"{payment.pk}: {name} is {getattr(payment, name)}, its rows say {recomputed}"


def _books() -> Iterator[str]:
    """The trial balance, every balance against its entries, every receipt and refund against its postings."""
    yield from (f"the books: {finding.told}" for finding in checking.findings())


def _operations() -> Iterator[str]:
    for operation in Operation.objects.filter(state__in=["created", "sending"]):
        when = f"sent {operation.sent_at}, due {operation.due_at}, claim {operation.claim}, {operation.tries} tries"
        yield f"{operation.pk}: {operation.kind} of {operation.attempt_id} is still {operation.state} ({when})"
    unknown = Operation.objects.filter(state="unknown", attempt__account__provider="stripe")
    for operation in unknown:
        yield f"{operation.pk}: {operation.kind} of {operation.attempt_id} is unknown, and Stripe can be asked"


def _unknown_payments() -> Iterator[str]:
    """Whatever was sent. Only the cancel of a try that has ended moves no money, whatever became of it."""
    of_ended = Q(kind="cancel") & ~Q(attempt__state="open")
    for operation in Operation.objects.filter(state="unknown").exclude(of_ended).exclude(kind="lookup"):
        if operation.refund_id is None or operation.attempt.account.provider != "mpesa":
            yield f"{operation.pk}: {operation.kind} of {operation.attempt.payment_id} is unknown still, days later"


def _callbacks() -> Iterator[str]:
    for callback in Callback.objects.filter(state__in=["received", "unmatched", "quarantined"]):
        yield f"{callback.pk}: {callback.provider}'s callback is {callback.state}: {callback.note}"


def _events(receiver: Receiver) -> Iterator[str]:
    yield from (f"the receiver refused {refused}" for refused in receiver.refused)
    positions = sorted(Event.objects.filter(position__isnull=False).values_list("position", flat=True))
    if positions != list(range(1, len(positions) + 1)):
        yield f"positions have gaps: {len(positions)} events, the last at {positions[-1]}"
    seen = receiver.verified
    for event in Event.objects.defer("data"):
        body = seen.get(event.pk)
        if body is None:
            yield f"{event.pk} ({event.type} of {event.subject}) was never delivered"
        elif (body["type"], body["subject"], body["sequence"]) != (event.type, event.subject, event.sequence):
            yield f"{event.pk} was delivered as {body['type']} of {body['subject']} {body['sequence']}"
    told = Counter(dict(Event.objects.values_list("subject").annotate(Count("pk")).order_by()))
    for model in (Payment, Refund):
        for key, sequence in model.objects.values_list("pk", "sequence"):
            if told[key] != sequence:
                yield f"{key}: {sequence} steps, and {told[key]} events"
