"""post(): the one door to the books. Runs in the transaction of what it books, and posts each fact of a source once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.db import connection

from core import clock, ids
from core.money import Money
from events import attention
from events.models import Attention
from ledger import balances
from ledger.chart import CHART, Floor, Kind, Owner
from ledger.facts import POSTINGS, Fact, Phase, Step
from ledger.models import Account, Transfer


class BelowFloor(Exception):
    """What we were about to start would take an account below its floor. Nothing was written."""


class Contradiction(Exception):
    """The same fact of the same source is in the books with other amounts, or its pending transfer ended otherwise."""


@dataclass(frozen=True, slots=True)
class Books:
    """Whose books: the public ids of a merchant and of one of its provider accounts, and the mode."""

    merchant: str
    account: str
    livemode: bool

    def owner(self, kind: Kind) -> str:
        return self.merchant if CHART[kind].owner is Owner.MERCHANT else self.account


@dataclass(frozen=True, slots=True)
class _Line:
    """One entry to be. `reserved` is what it takes from its account, in the account's own direction."""

    kind: Kind
    owner: str
    currency: str
    amount: int

    @property
    def reserved(self) -> int:
        return max(0, -self.amount * CHART[self.kind].side)


def post(fact: Fact, money: Money, *, books: Books, source: str, cause: str, into: Money | None = None) -> None:
    """Write what the fact does to the books; once for each source, however often it is called.

    `source` is the public id of the row that is the fact, `cause` of the object that a person would look at,
    `into` the second amount of an exchange. A fact of nothing has no entries, and still ends what was pending.
    Raises ValueError for less than nothing, BelowFloor for what we start, and Contradiction where the books
    tell otherwise; the caller's transaction must then roll back. Outside of a transaction it is refused.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("a fact is posted in the transaction that writes it down")
    if money.amount < 0:
        raise ValueError(f"{fact} of {source} is for {money}; a posting's direction is in its table")
    posting, at = POSTINGS[fact], clock.now()
    for step in posting.steps:
        if not money.amount and step.phase is not Phase.VOIDED:
            continue
        lines = _lines(step, money, into, books)
        if posting.started_here:
            _require_floors(fact, source, lines, books)
        _write(fact, step, lines, books=books, source=source, cause=cause, at=at)
        if posting.may_overdraw:
            _flag_overdrawn(fact, source, lines, books)


def _lines(step: Step, money: Money, into: Money | None, books: Books) -> list[_Line]:
    amounts = {False: money, True: into or money}
    return [
        _Line(leg.kind, books.owner(leg.kind), amounts[leg.into].currency, amounts[leg.into].amount * leg.side)
        for leg in step.legs
    ]


def reference(fact: Fact, source: str, phase: Phase) -> str:
    """By which a transfer is found again: `refund_reserved:ref_…:pending`."""
    return f"{fact}:{source}:{phase}"


def is_posted(fact: Fact, source: str) -> bool:
    """Whether the books have the fact already, with whatever amounts."""
    references = [reference(fact, source, step.phase) for step in POSTINGS[fact].steps]
    return Transfer.objects.filter(reference__in=references).exists()


# One transfer


def _write(
    fact: Fact, step: Step, lines: Sequence[_Line], *, books: Books, source: str, cause: str, at: datetime
) -> None:
    """The transfer and its entries in one statement; the accounts are made when the statement misses one."""
    transfer = Transfer(
        reference=reference(fact, source, step.phase),
        fact=fact,
        phase=step.phase,
        cause=cause,
        merchant=books.merchant,
        livemode=books.livemode,
        at=at,
    )
    ended = reference(step.ends, source, Phase.PENDING) if step.ends else ""
    if step.phase is Phase.VOIDED:
        _void(transfer, ended)
        return
    found, inserted = _insert(transfer, lines, ended)
    if found < len(lines):
        _open_accounts(lines, books)
        _, inserted = _insert(transfer, lines, ended)
    if not inserted:
        _check_repeat(transfer, lines)


def _insert(transfer: Transfer, lines: Sequence[_Line], ended: str) -> tuple[int, int]:
    """How many lines have an account, and whether the transfer was inserted: only with all of them, and once."""
    entries = [
        value
        for line in lines
        for value in (ids.new_id("ent"), line.kind, line.owner, line.currency, line.amount, line.reserved)
    ]
    columns = [transfer.pk, transfer.reference, transfer.fact, transfer.phase, transfer.cause, transfer.merchant]
    values = [*entries, transfer.livemode, ended, *columns, transfer.livemode, transfer.at, len(lines), transfer.at]
    with connection.cursor() as cursor:
        cursor.execute(_statement(len(lines), pending=transfer.phase == Phase.PENDING), values)
        found, inserted = cursor.fetchone()
    return int(found), int(inserted)


_LEG = "(%s::text, %s::text, %s::text, %s::text, %s::bigint, %s::bigint)"


@lru_cache(maxsize=32)
def _statement(lines: int, *, pending: bool) -> str:
    changed = (
        "0, found.reserved"
        if pending
        else "found.amount, " + ("CASE WHEN written.resolves_id IS NULL THEN 0 ELSE -found.reserved END")
    )
    worth_it = "WHERE found.reserved <> 0" if pending else ""
    return f"""
    WITH leg (id, kind, owner, currency, amount, reserved) AS (VALUES {", ".join([_LEG] * lines)}),
    found AS (
        SELECT leg.id, leg.amount, leg.reserved, account.id AS account_id
        FROM leg JOIN ledger_account account
            ON account.owner = leg.owner AND account.kind = leg.kind AND account.currency = leg.currency
        WHERE account.livemode = %s
    ),
    ended AS (SELECT id FROM ledger_transfer WHERE reference = %s),
    written AS (
        INSERT INTO ledger_transfer (id, reference, fact, phase, cause, merchant, livemode, at, resolves_id)
        SELECT %s, %s, %s, %s, %s, %s, %s, %s, (SELECT id FROM ended)
        WHERE (SELECT count(*) FROM found) = %s
        ON CONFLICT DO NOTHING RETURNING id, resolves_id
    ),
    entered AS (
        INSERT INTO ledger_entry (id, transfer_id, account_id, amount, at)
        SELECT found.id, written.id, found.account_id, found.amount, %s FROM written, found
    ),
    appended AS (
        INSERT INTO ledger_unsummed (account_id, posted, reserved)
        SELECT found.account_id, {changed} FROM written, found {worth_it}
    )
    SELECT (SELECT count(*) FROM found), (SELECT count(*) FROM written)
    """  # noqa: S608  (nothing but counts and fixed words is pasted)


_VOID = """
    WITH ended AS (SELECT id FROM ledger_transfer WHERE reference = %s),
    written AS (
        INSERT INTO ledger_transfer (id, reference, fact, phase, cause, merchant, livemode, at, resolves_id)
        SELECT %s, %s, %s, %s, %s, %s, %s, %s, ended.id FROM ended
        ON CONFLICT DO NOTHING RETURNING resolves_id
    )
    INSERT INTO ledger_unsummed (account_id, posted, reserved)
    SELECT entry.account_id, 0, -abs(entry.amount)
    FROM written JOIN ledger_entry entry ON entry.transfer_id = written.resolves_id
        JOIN ledger_account account ON account.id = entry.account_id
    WHERE sign(entry.amount) <> account.side
"""
"""What a pending transfer reserved is given back, once; nothing happens where there is none."""


def _void(transfer: Transfer, ended: str) -> None:
    columns = [transfer.pk, transfer.reference, transfer.fact, transfer.phase, transfer.cause, transfer.merchant]
    with connection.cursor() as cursor:
        cursor.execute(_VOID, [ended, *columns, transfer.livemode, transfer.at])


def _open_accounts(lines: Iterable[_Line], books: Books) -> None:
    wanted = sorted({(line.owner, line.kind, line.currency) for line in lines})
    accounts = [
        Account(owner=owner, kind=kind, side=CHART[kind].side, currency=currency, livemode=books.livemode)
        for owner, kind, currency in wanted
    ]
    Account.objects.bulk_create(accounts, ignore_conflicts=True)


def _check_repeat(transfer: Transfer, lines: Sequence[_Line]) -> None:
    """Written before: fine, if it says the same."""
    written = Transfer.objects.filter(reference=transfer.reference).first()
    if written is None:
        raise Contradiction(f"the pending transfer that {transfer.reference} is to end was ended by another")
    booked = sorted(written.entries.values_list("account__kind", "account__currency", "amount"))
    if booked != sorted((str(line.kind), line.currency, line.amount) for line in lines):
        raise Contradiction(f"{transfer.reference} is in the books as {written.pk} with other amounts")


# Floors


def _require_floors(fact: Fact, source: str, lines: Iterable[_Line], books: Books) -> None:
    """Lock what has a floor, in the order of ids, and refuse what we start where there is too little.

    What is in the books already was allowed then, and is not taken again.
    """
    taken = [line for line in lines if line.reserved and CHART[line.kind].floor is Floor.HELD]
    if not taken or is_posted(fact, source):
        return
    _open_accounts(taken, books)
    held = balances.locked([_key(line, books) for line in taken])
    for line in taken:
        account = held[_key(line, books)]
        if account.available < line.reserved:
            wanted, left = Money(line.reserved, line.currency), Money(account.available, line.currency)
            raise BelowFloor(f"{account}: {wanted} is more than the {left} that is available")


def _flag_overdrawn(fact: Fact, source: str, lines: Iterable[_Line], books: Books) -> None:
    taken = [line for line in lines if line.reserved and CHART[line.kind].floor is not Floor.NONE]
    for account in balances.of([_key(line, books) for line in taken]).values():
        if account.available < 0:
            left = Money(account.available, account.currency)
            detail = f"{fact} of {source} leaves {left} available on the {account}"
            attention.raise_for(account, Attention.Reason.OVERDRAWN, detail)


def _key(line: _Line, books: Books) -> balances.Key:
    return balances.Key(line.owner, line.kind, line.currency, books.livemode)
