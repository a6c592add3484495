"""What accounts hold: read exactly at any moment, summed in the background, checked against every entry."""

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Q

from ledger.models import Account, AccountQuerySet, Unsummed

SUMMED_AT_ONCE = 20_000
_SUMMING = 6_021_023
"""The advisory lock of the one that sums; a second one has nothing to do."""


class Key(NamedTuple):
    """By what an account is found before its id is known."""

    owner: str
    kind: str
    currency: str
    livemode: bool


def of(keys: Iterable[Key]) -> Mapping[Key, Account]:
    """The accounts, with their balances; one that has had no entry yet is not among them."""
    return {_key(account): account for account in _named(keys).with_balance()} if keys else {}


def locked(keys: Iterable[Key]) -> Mapping[Key, Account]:
    """The same, locked in the order of their ids until the transaction ends."""
    list(_named(keys).order_by("pk").select_for_update(no_key=True).values_list("pk"))
    # Read after the locks are there: what those before us have appended is seen only now.
    return of(keys)


def _named(keys: Iterable[Key]) -> AccountQuerySet:
    return Account.objects.filter(reduce(or_, (Q(**key._asdict()) for key in keys)))


def _key(account: Account) -> Key:
    return Key(account.owner, account.kind, account.currency, account.livemode)


_SUM = """
    WITH due AS (SELECT id, account_id FROM ledger_unsummed ORDER BY id LIMIT %s),
    free AS (
        SELECT id FROM ledger_account WHERE id IN (SELECT account_id FROM due)
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    ),
    gone AS (
        DELETE FROM ledger_unsummed unsummed USING due, free
        WHERE unsummed.id = due.id AND unsummed.account_id = free.id
        RETURNING unsummed.account_id, unsummed.posted, unsummed.reserved
    ),
    summed AS (SELECT account_id, sum(posted) AS posted, sum(reserved) AS reserved FROM gone GROUP BY account_id),
    written AS (
        UPDATE ledger_account account
        SET posted = account.posted + summed.posted, reserved = account.reserved + summed.reserved
        FROM summed WHERE account.id = summed.account_id
    )
    SELECT count(*) FROM gone
"""


def sum_up_some() -> bool:
    """Add some of what has been appended to the accounts' rows; whether there was any. Safe to run twice at once."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SUMMING])
        if cursor.fetchone() != (True,):
            return False
        cursor.execute(_SUM, [SUMMED_AT_ONCE])
        return bool(cursor.fetchone()[0])


_ENTERED = """
    SELECT entry.account_id AS id,
        sum(entry.amount) FILTER (WHERE transfer.phase = 'posted') AS posted,
        sum(abs(entry.amount)) FILTER (
            WHERE transfer.phase = 'pending' AND sign(entry.amount) <> account.side AND ended.id IS NULL
        ) AS reserved
    FROM ledger_entry entry
        JOIN ledger_account account ON account.id = entry.account_id
        JOIN ledger_transfer transfer ON transfer.id = entry.transfer_id
        LEFT JOIN ledger_transfer ended ON ended.resolves_id = transfer.id
    GROUP BY entry.account_id
"""

_DIFFERENCES = f"""
    WITH entered AS ({_ENTERED}),
    waiting AS (
        SELECT account_id AS id, sum(posted) AS posted, sum(reserved) AS reserved
        FROM ledger_unsummed GROUP BY account_id
    )
    SELECT account.id,
        coalesce(entered.posted, 0) - account.posted - coalesce(waiting.posted, 0) AS posted,
        coalesce(entered.reserved, 0) - account.reserved - coalesce(waiting.reserved, 0) AS reserved
    FROM ledger_account account LEFT JOIN entered USING (id) LEFT JOIN waiting USING (id)
"""  # noqa: S608  (nothing but a query of this page is pasted)

_DIFFERING = (
    f"SELECT id, posted::bigint, reserved::bigint FROM ({_DIFFERENCES}) compared WHERE posted <> 0 OR reserved <> 0"  # noqa: S608
)


class Difference(NamedTuple):
    """What an account's balance lacks of the sum of its entries."""

    account: str
    posted: int
    reserved: int


def differences() -> list[Difference]:
    """Every account recomputed from its entries, in one snapshot."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERING)
        return [Difference(*row) for row in cursor.fetchall()]


def correct(found: Iterable[Difference]) -> None:
    """Append what is missing; the next sum includes it."""
    Unsummed.objects.bulk_create(
        Unsummed(account_id=row.account, posted=row.posted, reserved=row.reserved) for row in found
    )
