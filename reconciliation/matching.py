"""Statement and books, joined once: what agrees is counted, and what does not becomes a discrepancy."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from core import clock, ids
from payments.models import Fee, Receipt
from payments.providers.statements import Statements
from reconciliation.models import Discrepancy, Run, StagedLine

_EARLIER = timedelta(days=1)
"""Money of the window may have been booked before it, by clocks that differ. A line whose money was booked even earlier
is found to be so when it is repaired."""
_AT_ONCE = 50_000
"""So many cases are written by one statement, whose ids are made here."""


@dataclass(frozen=True, slots=True)
class Found:
    """`counts` by kind of finding, with the different `lines` and the `matched` ones; `totals` by currency.

    A total has what is `listed` and what is `booked`, in minor units; what went back counts against either.
    """

    counts: dict[str, int]
    totals: dict[str, dict[str, int]]


def match(run: Run, declared: Statements) -> Found:
    """Write down what the run's lines and our receipts disagree about, each once for ever. In a transaction.

    One run of an account at a time: a second one waits here.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('reconciliation'), hashtext(%s))", [run.account_id])
        cursor.execute("SET LOCAL work_mem = '128MB'")
        for statement in (_REPEATED, _FOLDED, _JUDGE):
            cursor.execute(statement, _parameters(run, declared))
        cursor.execute("ANALYZE judged")
        found = _figures(cursor, run, declared)
        # Before the new cases are there: the planner knows of the earlier ones only.
        cursor.execute(_EXPLAINED, {"account": run.account_id, "now": clock.now()})
        _write_new(cursor, run)
        cursor.execute("DROP TABLE judged, folded, repeated")
    return found


def judged_window(run: Run, declared: Statements) -> tuple[datetime, datetime]:
    """Of what we booked in this time, the statement must tell: not of its edges, where a line may be late or before."""
    return run.since + declared.late, run.until - declared.late


def _parameters(run: Run, declared: Statements) -> dict[str, Any]:
    since, until = judged_window(run, declared)
    return {
        "run": run.pk,
        "account": run.account_id,
        "oldest": ids.first_id("rcpt", run.since - _EARLIER),
        "kinds": [kind.value for kind in declared.kinds],
        "since": since,
        "until": until,
    }


def _figures(cursor: Any, run: Run, declared: Statements) -> Found:
    """Counted over both sides as they are, so that what agrees need not be written down.

    What has not moved there and is not booked here is one of the lines, and nothing else.
    """
    cursor.execute("SELECT finding, count(*), count(listed_amount) FROM judged WHERE finding <> 'matched' GROUP BY 1")
    differing = cursor.fetchall()
    counts = {finding: count for finding, count, _ in differing}
    cursor.execute(_FIGURES, _parameters(run, declared))
    sides = cursor.fetchall()
    lines = sum(count for side, _, _, _, count, _ in sides if side == "listed")
    matched = lines - sum(listed for *_, listed in differing)
    named = {name: counts.get(name, 0) for name in Discrepancy.Kind.values}
    return Found({"lines": lines, "matched": matched} | named, _totals(sides))


def _totals(sides: list[tuple[Any, ...]]) -> dict[str, dict[str, int]]:
    rows: dict[str, int] = {}
    totals: dict[str, dict[str, int]] = {}
    for side, currency, kind, is_money, count, amount in sides:
        if is_money:
            rows[currency] = rows.get(currency, 0) + count
            told = totals.setdefault(currency, {"listed": 0, "booked": 0})
            told[side] += int(amount) if kind == "capture" else -int(amount)
    return {currency: told for currency, told in totals.items() if rows[currency]}


def _write_new(cursor: Any, run: Run) -> None:
    cursor.execute(_COUNT_NEW, {"account": run.account_id})
    waiting = cursor.fetchone()[0]
    given = {
        "run": run.pk,
        "account": run.account_id,
        "merchant": run.merchant_id,
        "livemode": run.livemode,
        "now": clock.now(),
    }
    while waiting > 0:
        made = [ids.new_id("disc") for _ in range(min(waiting, _AT_ONCE))]
        cursor.execute(_WRITE_NEW, {**given, "ids": made, "count": len(made)})
        waiting -= len(made)


_EXPECTED = """(receipt.id >= %(oldest)s AND receipt.kind = ANY(%(kinds)s)
    AND receipt.created_at >= %(since)s AND receipt.created_at < %(until)s)"""
"""Booked at a time, and of a kind, of which the statement must tell."""

_LINES = f"""
    SELECT provider_money_id, kind, amount, currency, word = 'succeeded' AS moved, fee_amount AS fee, fee_currency,
        reference, provider_status, payer_hint, at, false AS contradicts
    FROM {StagedLine._meta.db_table} AS line
    WHERE run = %(run)s AND NOT EXISTS (
        SELECT FROM folded WHERE folded.provider_money_id = line.provider_money_id
    )
    UNION ALL SELECT * FROM folded
"""  # noqa: S608  (names from models)
"""Each number once."""

_REPEATED = f"""
CREATE TEMP TABLE repeated ON COMMIT DROP AS
SELECT * FROM {StagedLine._meta.db_table}
WHERE run = %(run)s AND hashtextextended(provider_money_id, 0) IN (
    SELECT hashtextextended(provider_money_id, 0) FROM {StagedLine._meta.db_table} WHERE run = %(run)s
    GROUP BY 1 HAVING count(*) > 1
)
"""  # noqa: S608  (names from models)
"""The lines whose number comes more than once. Short hashes find them; one that comes with another's does no harm."""

_FOLDED = """
CREATE TEMP TABLE folded ON COMMIT DROP AS
SELECT provider_money_id, min(kind) AS kind, min(amount) AS amount, min(currency) AS currency,
    bool_or(word = 'succeeded') AS moved, min(fee_amount) AS fee, min(fee_currency) AS fee_currency,
    min(reference) AS reference, min(provider_status) AS provider_status, min(payer_hint) AS payer_hint, min(at) AS at,
    min(amount) <> max(amount) OR min(currency) <> max(currency) OR min(kind) <> max(kind) AS contradicts
FROM repeated GROUP BY provider_money_id
"""
"""One line of all those that have the same number."""

_JUDGE = f"""
CREATE TEMP TABLE judged ON COMMIT DROP AS
WITH theirs AS ({_LINES}), ours AS (
    SELECT receipt.id, receipt.kind, receipt.amount, receipt.currency, receipt.provider_money_id,
        {_EXPECTED} AS is_expected, fee.amount AS fee, fee.currency AS fee_currency
    FROM {Receipt._meta.db_table} AS receipt
    LEFT JOIN {Fee._meta.db_table} AS fee ON fee.receipt_id = receipt.id
    WHERE receipt.account_id = %(account)s AND receipt.provider_money_id IS NOT NULL AND receipt.id >= %(oldest)s
)
SELECT * FROM (
    SELECT
        CASE
            WHEN theirs.provider_money_id IS NULL THEN 'missing_there'
            WHEN theirs.contradicts THEN 'duplicate'
            WHEN ours.id IS NULL AND theirs.moved THEN 'missing_here'
            WHEN ours.id IS NULL THEN 'nothing'
            WHEN NOT theirs.moved THEN 'state'
            WHEN ours.currency <> theirs.currency THEN 'currency'
            WHEN ours.amount <> theirs.amount OR ours.kind <> theirs.kind THEN 'amount'
            WHEN theirs.fee <> ours.fee OR (ours.fee IS NOT NULL AND theirs.fee_currency <> ours.fee_currency
                AND theirs.fee IS NOT NULL) THEN 'fee'
            ELSE 'matched'
        END AS finding,
        provider_money_id AS key, ours.id AS receipt, coalesce(theirs.kind, ours.kind) AS direction,
        theirs.amount AS listed_amount, theirs.currency AS listed_currency, theirs.fee AS listed_fee,
        ours.amount AS booked_amount, ours.currency AS booked_currency, ours.fee AS booked_fee,
        theirs.reference, theirs.provider_status, theirs.payer_hint, theirs.at AS listed_at,
        ours.kind AS booked_kind, ours.is_expected
    FROM theirs FULL JOIN ours USING (provider_money_id)
    WHERE theirs.provider_money_id IS NOT NULL OR ours.is_expected
) AS everything
WHERE finding <> 'matched' OR NOT is_expected OR key IN (
    SELECT key FROM {Discrepancy._meta.db_table} WHERE account_id = %(account)s AND closed_at IS NULL
)
"""  # noqa: S608  (names from models)
"""What differs, what explains an open case, and what is booked at another time than the statement has to tell of."""

_FIGURES = f"""
SELECT 'listed', currency, kind, word = 'succeeded', count(*), sum(amount) FROM {StagedLine._meta.db_table}
WHERE run = %(run)s GROUP BY 2, 3, 4
UNION ALL
SELECT 'listed', currency, kind, word = 'succeeded', -count(*), -sum(amount) FROM repeated GROUP BY 2, 3, 4
UNION ALL
SELECT 'listed', currency, kind, moved, count(*), sum(amount) FROM folded GROUP BY 2, 3, 4
UNION ALL
SELECT 'booked', currency, kind, true, count(*), sum(amount) FROM {Receipt._meta.db_table} AS receipt
WHERE account_id = %(account)s AND provider_money_id IS NOT NULL AND {_EXPECTED} GROUP BY 2, 3
UNION ALL
SELECT 'booked', booked_currency, booked_kind, true, count(*), sum(booked_amount) FROM judged
WHERE NOT is_expected GROUP BY 2, 3
"""  # noqa: S608  (names from models)

_IS_NEW = f"""
FROM judged WHERE finding NOT IN ('matched', 'nothing') AND NOT EXISTS (
    SELECT FROM {Discrepancy._meta.db_table} AS known
    WHERE known.account_id = %(account)s AND known.kind = judged.finding AND known.key = judged.key
)
"""

_COUNT_NEW = f"SELECT count(*) {_IS_NEW}"

_WRITE_NEW = f"""
INSERT INTO {Discrepancy._meta.db_table} (
    id, run_id, account_id, merchant_id, livemode, kind, key, receipt, direction, listed_amount, listed_currency,
    listed_fee, booked_amount, booked_currency, booked_fee, reference, provider_status, payer_hint, listed_at,
    outcome, booked_as, owner, proposed_by, proposed_match, closed_by, found_at
)
SELECT made.id, %(run)s, %(account)s, %(merchant)s, %(livemode)s, finding, key, coalesce(receipt, ''), direction,
    listed_amount, coalesce(listed_currency, ''), listed_fee, booked_amount, coalesce(booked_currency, ''), booked_fee,
    coalesce(reference, ''), coalesce(provider_status, ''), coalesce(payer_hint, ''), listed_at,
    'open', '', '', '', '', '', %(now)s
FROM (SELECT *, row_number() OVER () AS place {_IS_NEW} LIMIT %(count)s) AS found
JOIN unnest(%(ids)s::text[]) WITH ORDINALITY AS made (id, place) USING (place)
"""  # noqa: S608  (names from models)

_EXPLAINED = f"""
UPDATE {Discrepancy._meta.db_table} AS told SET outcome = 'explained', closed_at = %(now)s
FROM judged WHERE told.account_id = %(account)s AND told.closed_at IS NULL AND told.key = judged.key
    AND told.kind <> 'missing_here' AND judged.finding = 'matched'
"""  # noqa: S608  (names from models)
