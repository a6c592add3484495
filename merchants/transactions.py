"""One history of a merchant's money, over every kind that is registered, newest first."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import BooleanField, CharField, ExpressionWrapper, Q, QuerySet, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from core.database import give_back
from core.pages import Place
from events import subjects
from events.subjects import TRANSACTION_COLUMNS, Subject, Transactions

_AT_ONCE = 1000
_FIXED = ("id", "created_at", "state", "amount", "currency")
_SHOWN = tuple(f"shown_{column}" for column in TRANSACTION_COLUMNS)
"""Names of their own, because a kind may have a field that is called like a column."""


class Transaction(NamedTuple):
    """A row of the history; `method` and what follows is None where its kind does not have it."""

    id: str
    created_at: datetime
    state: str
    amount: int
    currency: str
    method: str | None
    provider: str | None
    provider_id: str | None
    reference: str | None
    payment: str | None
    store: str | None

    @property
    def type(self) -> str:
        return _subject(self.id).kind

    @property
    def direction(self) -> str:
        return _declared(_subject(self.id)).direction

    @property
    def place(self) -> Place:
        return Place(self.created_at, self.id)


@dataclass(frozen=True, slots=True)
class History:
    """Whose money, and which of it. `filters` are look-ups on the fields that every kind has, `shown` words of
    its columns, `reference` the merchant's own, `kinds` empty for all."""

    merchant: str
    livemode: bool
    filters: Mapping[str, Any]
    shown: Mapping[str, str]
    reference: str | None = None
    kinds: tuple[str, ...] = ()

    def after(self, place: Place | None, *, limit: int) -> list[Transaction]:
        """The next rows. Each kind gives no more than are wanted, by its index; only those are sorted together."""
        return [Transaction(*row) for row in self.rows(place, limit=limit)]

    def whole(self) -> Iterator[Transaction]:
        """Every row: a piece at a time, each a query of its own, and no connection kept while one is sent."""
        piece = self.after(None, limit=_AT_ONCE)
        give_back()
        yield from piece
        while len(piece) == _AT_ONCE:
            piece = self.after(piece[-1].place, limit=_AT_ONCE)
            give_back()
            yield from piece

    def rows(self, place: Place | None, *, limit: int) -> "QuerySet[Any, Any]":
        first, *others = [self._of(subject, place)[:limit] for subject in self._subjects()]
        return first.union(*others, all=True).order_by("-created_at", "-id")[:limit] if others else first

    def _subjects(self) -> list[Subject]:
        return [subject for subject in kinds() if not self.kinds or subject.kind in self.kinds]

    def _of(self, subject: Subject, place: Place | None) -> "QuerySet[Any, Any]":
        declared = _declared(subject)
        rows: QuerySet[Any] = subject.model._default_manager.filter(merchant=self.merchant, livemode=self.livemode)
        rows = rows.annotate(**_columns(declared)).filter(*self._narrowed(declared), **self.filters)
        if place is not None:
            rows = rows.filter(place.rest("created_at"))
        return rows.order_by("-created_at", "-id").values_list(*_FIXED, *_SHOWN)

    def _narrowed(self, declared: Transactions) -> Iterator[Q | Coalesce]:
        for name, word in self.shown.items():
            fits = Q(**{f"shown_{name}": word})
            yield _likely(fits) if isinstance(declared.columns.get(name), Subquery) else fits
        if self.reference is not None:
            yield Q(**self._referenced(declared.reference_at, self.reference))

    def _referenced(self, path: str, reference: str) -> dict[str, Any]:
        """Merchant and mode again, beside the reference: the index on references begins with them."""
        return {f"{path}merchant": self.merchant, f"{path}livemode": self.livemode, f"{path}reference": reference}


def _columns(declared: Transactions) -> dict[str, Combinable]:
    absent = Value(None, output_field=CharField())
    return {f"shown_{name}": declared.columns.get(name, absent) for name in TRANSACTION_COLUMNS}


def _likely(fits: Q) -> Coalesce:
    """The same, where the planner can know nothing: of `=` it believes that one row in 200 fits and would rather sort
    all there are, of this that every other does."""
    return Coalesce(ExpressionWrapper(fits, output_field=BooleanField()), Value(False))


def kinds() -> list[Subject]:
    """What the history is made of."""
    return [subject for subject in subjects.everyone() if subject.transactions]


def _subject(public_id: str) -> Subject:
    subject = subjects.by_id(public_id)
    if subject is None:
        raise LookupError(f"nothing is registered for {public_id}")
    return subject


def _declared(subject: Subject) -> Transactions:
    if subject.transactions is None:
        raise LookupError(f"{subject.kind} has no place in the history")
    return subject.transactions
