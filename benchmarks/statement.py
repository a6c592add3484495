"""What `reconcile` compares: so many receipts with their fees, and a statement that differs in 7 lines of 100.

Of each hundred numbers one is not booked (0), not listed (1), of another amount (2), of another currency (3), not
final there (4), listed twice with two amounts (5), or has another fee (6). The receipts are written by SQL alone, so
that they are the same for us and for the yardstick.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from benchmarks import yardstick_create

ACCOUNT, CURRENCY, AMOUNT, FEE = yardstick_create.ACCOUNT, "KES", 25_000, 250
KINDS = ("missing_here", "missing_there", "amount", "currency", "state", "duplicate", "fee")


@dataclass(frozen=True, slots=True)
class Told:
    """One line, as plain as a provider could tell it."""

    number: str
    amount: int
    currency: str
    is_final: bool
    fee: int


def lines(count: int) -> Iterator[Told]:
    for number in range(1, count + 1):
        case = number % 100
        if case == 1:
            continue
        amount = AMOUNT - 100 if case == 2 else AMOUNT
        yield Told(_name(number), amount, "USD" if case == 3 else CURRENCY, case != 4, FEE + (case == 6))
        if case == 5:
            yield Told(_name(number), amount - 100, CURRENCY, True, FEE)


def _name(number: int) -> str:
    return f"TKK{number:07d}"


def expected(count: int) -> dict[str, int]:
    """What must be found."""
    cases = [sum(1 for number in range(1, count + 1) if number % 100 == case) for case in range(len(KINDS))]
    return {**dict(zip(KINDS, cases, strict=True)), "matched": count - sum(cases), "lines": count - cases[1]}


_RECEIPTS = """
    INSERT INTO payments_receipt
        (id, account_id, livemode, kind, provider_money_id, amount, currency, source, created_at)
    SELECT 'rcpt_z' || lpad(number::text, 25, '0'), %(account)s, false, 'capture', 'TKK' || lpad(number::text, 7, '0'),
        %(amount)s, %(currency)s, 'callback', now() - interval '6 hours'
    FROM generate_series(1, %(count)s) number WHERE number %% 100 <> 0
"""
_FEES = """
    INSERT INTO payments_fee (id, lane, tries, receipt_id, amount, currency, reference, asked, created_at)
    SELECT replace(id, 'rcpt', 'fee'), account_id, 0, id, %(fee)s, currency, '', 0, created_at FROM payments_receipt
"""


def fill(url: str, *, count: int) -> None:
    """The account and its receipts with their fees; checks by row are off, as they have no payments."""
    given = {"account": ACCOUNT, "amount": AMOUNT, "currency": CURRENCY, "fee": FEE, "count": count}
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            for statement in yardstick_create.SEED:
                connection.execute(statement, {"merchant": yardstick_create.MERCHANT, "account": ACCOUNT})
            connection.execute(_RECEIPTS, given)
            connection.execute(_FEES, given)
        for table in ("payments_receipt", "payments_fee"):
            connection.execute(f"VACUUM (ANALYZE) {table}")
        connection.execute("CHECKPOINT")  # what this left to write is not to slow what is measured
