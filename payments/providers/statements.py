"""The part of the seam that speaks of statements: the lines of a provider's own books, page by page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from core.http import Request, Response
from core.money import Money
from payments.providers.disputes import MovementKind
from payments.providers.reports import ReceiptKind, Word

LineKind = ReceiptKind | MovementKind
"""Captured or given back, or a dispute's: by this a line finds what is booked of it."""


@dataclass(frozen=True, slots=True)
class Statements:
    """How a provider lists the money that moved, or tells of it payment by payment.

    With `by_status` it lists nothing: each of our own payments is asked about, with a `pause` between two, and money
    that none of them explains is not found. `lasts` is how long it can be gone on from a place in the list, and
    `renumbers` says that a payment whose money has the payment's own number may be listed under another: our reference
    tells which it is.

    `kinds` is what it lists, and nothing else is missed there; `reach` how far back it can be asked; `late` how long
    after money has moved it may be listed first. `zone` is the clock that its business day ends by. `nightly` is how
    much of it every night reads again, where that is less than all.
    """

    kinds: frozenset[LineKind]
    reach: timedelta
    nightly: timedelta | None = None
    late: timedelta = timedelta(hours=1)
    zone: str = "UTC"
    by_status: bool = False
    pause: timedelta = timedelta(0)
    lasts: timedelta = timedelta(minutes=5)
    renumbers: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """From `since` until `until`, both aware."""

    since: datetime
    until: datetime


class StatementLine(NamedTuple):
    """One movement in a provider's books, in our words. A tuple, as there may be a million of them.

    `provider_money_id` is the number that a receipt or a dispute's movement has, and `reference` ours or what the payer
    typed: of a refund the key of its operation, of a dispute's money the provider's id of the dispute. `word` is
    SUCCEEDED for money that has moved for good; any other moves nothing here. `fee` is what the provider kept, where
    the line says so. `at` is the provider's own time, to be shown and never to be matched by. `gives_back` is the
    number of the captured money that a refund or a dispute is of, and `payment_id` the provider's own id of the
    payment, as an attempt keeps it; both where the line names them.
    """

    kind: LineKind
    money: Money
    provider_money_id: str
    reference: str = ""
    word: Word = Word.SUCCEEDED
    provider_status: str = ""
    at: datetime | None = None
    payer_hint: str = ""
    fee: Money | None = None
    gives_back: str = ""
    payment_id: str = ""


@dataclass(frozen=True, slots=True)
class StatementPage:
    """Lines, and where to go on: an empty `next_cursor` is the end.

    `unreadable` says, place by place, which lines could not be read and why, never what stood in them.
    """

    lines: tuple[StatementLine, ...] = ()
    next_cursor: str = ""
    unreadable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PageStep:
    """A request for one page, and how to read its answer. It changes nothing and may be sent any number of times.

    `read` raises NothingCreated or OutcomeUnknown for whatever is no page.
    """

    request: Request
    read: Callable[[Response], StatementPage]
