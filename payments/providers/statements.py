"""The part of the seam that speaks of statements: the lines of a provider's own books, page by page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from core.http import Request, Response
from core.money import Money
from payments.providers.reports import ReceiptKind, Word


@dataclass(frozen=True, slots=True)
class Statements:
    """How a provider lists the money that moved.

    `kinds` is what it lists, and nothing else is missed there; `reach` how far back it can be asked; `late` how long
    after money has moved it may be listed first. `zone` is the clock that its business day ends by.
    """

    kinds: frozenset[ReceiptKind]
    reach: timedelta
    late: timedelta = timedelta(hours=1)
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Window:
    """From `since` until `until`, both aware."""

    since: datetime
    until: datetime


class StatementLine(NamedTuple):
    """One movement in a provider's books, in our words. A tuple, as there may be a million of them.

    `provider_money_id` is the number that a receipt has, and `reference` ours or what the payer typed. `word` is
    SUCCEEDED for money that has moved for good; any other moves nothing here. `fee` is what the provider kept, where
    the line says so. `at` is the provider's own time, to be shown and never to be matched by.
    """

    kind: ReceiptKind
    money: Money
    provider_money_id: str
    reference: str = ""
    word: Word = Word.SUCCEEDED
    provider_status: str = ""
    at: datetime | None = None
    payer_hint: str = ""
    fee: Money | None = None


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
