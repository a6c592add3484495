"""Statement and books, joined once: what agrees is counted, and what does not becomes a discrepancy."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from core import clock, ids
from payments.models import Fee, Receipt
from payments.providers.statements import Statements
from reconciliation import staging
from reconciliation.models import Discrepancy, Run, StagedLine

_EARLIER = timedelta(days=1)
"""Money of the window may have been booked before it, by clocks that differ. A line whose money was booked even earlier
is found to be so when it is repaired, or looked up where the line is a file's, which repairs nothing."""
_COLUMNS = (
    "id", "run_id", "account_id", "merchant_id", "livemode", "kind", "key", "receipt", "direction",
    "listed_amount", "listed_currency", "listed_fee", "booked_amount", "booked_currency", "booked_fee",
    "reference", "provider_status", "payer_hint", "listed_at", "outcome", "found_at",
    "booked_as", "owner", "proposed_by", "proposed_match", "closed_by", "confirmed",
)  # fmt: skip
_NOBODY = ("",) * 5


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
        cursor.execute(_JUDGE, _parameters(run, declared))
        cursor.execute("ANALYZE judged")
        if run.upload_id:
            cursor.execute(_BOOKED_EARLIER, {"account": run.account_id})
            cursor.execute(_UNREADABLE, {"run": run.pk})
        found = Found(_counts(cursor), _totals(cursor))
        # Before the new cases are there: the planner knows of the earlier ones only.
        told = {"account": run.account_id, "now": clock.now(), "is_file": run.upload_id is not None}
        cursor.execute(_EXPLAINED, told)
        if not run.upload_id:
            cursor.execute(_CONFIRMED, told)
        cursor.execute(_NEW, {"account": run.account_id})
        staging.copy(Discrepancy, _COLUMNS, _rows(run, cursor.fetchall()))
        cursor.execute("DROP TABLE judged")
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
        "is_file": run.upload_id is not None,
    }


def _counts(cursor: Any) -> dict[str, int]:
    """What has not moved there and is not booked here is one of the lines, and nothing else."""
    cursor.execute("SELECT finding, count(*), count(listed_amount) FROM judged GROUP BY finding")
    told = cursor.fetchall()
    counts = {finding: count for finding, count, _ in told}
    lines = sum(listed for *_, listed in told)
    return {"lines": lines} | {name: counts.get(name, 0) for name in ("matched", *Discrepancy.Kind.values)}


def _totals(cursor: Any) -> dict[str, dict[str, int]]:
    cursor.execute(_TOTALS)
    totals: dict[str, dict[str, int]] = {}
    for side, currency, amount in cursor.fetchall():
        totals.setdefault(currency, {"listed": 0, "booked": 0})[side] = int(amount)
    return totals


def _rows(run: Run, found: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    now = clock.now()
    for finding, key, *facts in found:
        yield (
            ids.new_id("disc"), run.pk, run.account_id, run.merchant_id, run.livemode, finding, key, *facts,
            Discrepancy.Outcome.OPEN.value, now, *_NOBODY, run.upload_id is None,
        )  # fmt: skip


_JUDGE = f"""
CREATE TEMP TABLE judged ON COMMIT DROP AS
WITH theirs AS (
    SELECT provider_money_id, min(kind) AS kind, min(amount) AS amount, min(currency) AS currency,
        bool_or(word = 'succeeded') AS moved, min(fee_amount) AS fee, min(fee_currency) AS fee_currency,
        left(min(reference), 100) AS reference, min(provider_status) AS provider_status, min(payer_hint) AS payer_hint,
        min(at) AS at,
        min(amount) <> max(amount) OR min(currency) <> max(currency) OR min(kind) <> max(kind) AS contradicts
    FROM {StagedLine._meta.db_table} WHERE run = %(run)s AND kind IN ('capture', 'refund')
    GROUP BY provider_money_id
), ours AS (
    SELECT receipt.id, receipt.kind, receipt.amount, receipt.currency, receipt.provider_money_id, receipt.created_at,
        receipt.source,
        fee.amount AS fee, fee.currency AS fee_currency
    FROM {Receipt._meta.db_table} AS receipt
    LEFT JOIN {Fee._meta.db_table} AS fee ON fee.receipt_id = receipt.id
    WHERE receipt.account_id = %(account)s AND receipt.provider_money_id IS NOT NULL AND receipt.id >= %(oldest)s
)
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
    provider_money_id AS key, ours.id AS receipt, coalesce(theirs.kind, ours.kind) AS direction, theirs.moved,
    theirs.amount AS listed_amount, theirs.currency AS listed_currency, theirs.fee AS listed_fee,
    ours.amount AS booked_amount, ours.currency AS booked_currency, ours.fee AS booked_fee,
    theirs.reference, theirs.provider_status, theirs.payer_hint, theirs.at AS listed_at
FROM theirs FULL JOIN ours USING (provider_money_id)
WHERE theirs.provider_money_id IS NOT NULL
    OR (ours.kind = ANY(%(kinds)s) AND ours.created_at >= %(since)s AND ours.created_at < %(until)s
        AND NOT (%(is_file)s AND ours.source = 'reconciliation'))
"""  # noqa: S608  (names from models)

_TOTALS = """
SELECT 'listed', listed_currency, sum(CASE direction WHEN 'capture' THEN listed_amount ELSE -listed_amount END)
FROM judged WHERE moved GROUP BY listed_currency
UNION ALL
SELECT 'booked', booked_currency, sum(CASE direction WHEN 'capture' THEN booked_amount ELSE -booked_amount END)
FROM judged WHERE booked_currency IS NOT NULL GROUP BY booked_currency
"""

_NEW = f"""
SELECT finding, key, coalesce(receipt, ''), direction, listed_amount, coalesce(listed_currency, ''), listed_fee,
    booked_amount, coalesce(booked_currency, ''), booked_fee, coalesce(reference, ''), coalesce(provider_status, ''),
    coalesce(payer_hint, ''), listed_at
FROM judged WHERE finding NOT IN ('matched', 'nothing') AND NOT EXISTS (
    SELECT FROM {Discrepancy._meta.db_table} AS known
    WHERE known.account_id = %(account)s AND known.kind = judged.finding AND known.key = judged.key
)
"""  # noqa: S608  (names from models)

_COMPARED = """CASE WHEN NOT judged.moved THEN 'state' WHEN ours.currency <> judged.listed_currency THEN 'currency'
    WHEN ours.amount <> judged.listed_amount OR ours.kind <> judged.direction THEN 'amount' ELSE 'matched' END"""

_BOOKED_EARLIER = f"""
UPDATE judged SET finding = {_COMPARED}, receipt = ours.id, booked_amount = ours.amount, booked_currency = ours.currency
FROM {Receipt._meta.db_table} AS ours
WHERE judged.finding IN ('missing_here', 'nothing') AND ours.account_id = %(account)s
    AND ours.provider_money_id = judged.key
"""  # noqa: S608  (names from models)

_UNREADABLE = f"""
DELETE FROM judged USING {StagedLine._meta.db_table} AS unread
WHERE judged.finding = 'missing_there' AND unread.run = %(run)s AND unread.kind = '{staging.UNREADABLE}'
    AND unread.provider_money_id = judged.key
"""  # noqa: S608  (names from models)
"""The file has the number, in a line that could not be read: nobody can tell what it says of it."""

_FROM_FILES = f"SELECT id FROM {Run._meta.db_table} WHERE account_id = %(account)s AND upload_id IS NOT NULL"  # noqa: S608

_EXPLAINED = f"""
UPDATE {Discrepancy._meta.db_table} AS told SET outcome = 'explained', closed_at = %(now)s
FROM judged WHERE told.account_id = %(account)s AND told.closed_at IS NULL AND told.key = judged.key
    AND (told.kind <> 'missing_here' OR NOT told.confirmed) AND judged.finding = 'matched'
    AND (NOT %(is_file)s OR told.run_id IN ({_FROM_FILES}))
"""  # noqa: S608  (names from models)
"""What the provider's own list has found, no file explains away."""

_CONFIRMED = f"""
UPDATE {Discrepancy._meta.db_table} AS told SET confirmed = true, direction = judged.direction,
    listed_amount = judged.listed_amount, listed_currency = judged.listed_currency, listed_fee = judged.listed_fee,
    reference = coalesce(judged.reference, ''), provider_status = coalesce(judged.provider_status, ''),
    payer_hint = coalesce(judged.payer_hint, ''), listed_at = judged.listed_at
FROM judged WHERE told.account_id = %(account)s AND told.closed_at IS NULL AND NOT told.confirmed
    AND told.kind = 'missing_here' AND told.key = judged.key AND judged.finding = 'missing_here'
"""  # noqa: S608  (names from models)
"""What a file had told of, as the provider's own list has it: from now on it is certain."""
