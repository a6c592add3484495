"""Statement and books, joined once: what agrees is counted, and what does not becomes a discrepancy."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from core import clock, ids
from payments.models import Attempt, DisputeMovement, Fee, Receipt, Refund
from payments.providers.base import ReceiptKind
from payments.providers.disputes import MovementKind
from payments.providers.statements import Statements
from payments.services import listing
from reconciliation import staging
from reconciliation.models import Discrepancy, Run, StagedLine

_EARLIER = timedelta(days=1)
"""Money of the window may have been booked before it, by clocks that differ. A line whose money was booked even earlier
is looked up."""
_AT_ONCE = 50_000
"""So many cases are written by one statement, whose ids are made here."""
COMES_IN = (ReceiptKind.CAPTURE.value, MovementKind.REINSTATED.value)
_MONEY = tuple(kind.value for kind in (*ReceiptKind, *MovementKind))
"""Kinds of lines that are compared: a file's fees and payouts are a settlement's."""


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
        parameters = _parameters(run, declared)
        if declared.renumbers:
            cursor.execute(_RENUMBER, parameters)
        for statement in (_REPEATED, _FOLDED, _JUDGE):
            cursor.execute(statement, parameters)
        cursor.execute("ANALYZE judged")
        cursor.execute(_BOOKED_EARLIER, parameters)
        found = _figures(cursor, parameters)
        # Before the new cases are there: the planner knows of the earlier ones only.
        cursor.execute(_EXPLAINED, parameters)
        if not run.upload_id:
            cursor.execute(_CONFIRMED, parameters)
        cursor.execute(_AGAIN, parameters)
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
        "oldest_movement": ids.first_id("dmov", run.since - _EARLIER),
        "by_status": declared.by_status,
        "not_told": list(run.unreadable) if declared.by_status else [],
        "listed_before": listing.SOURCE,
        "kinds": [kind.value for kind in declared.kinds],
        "since": since,
        "until": until,
        "is_file": run.upload_id is not None,
        "now": clock.now(),
    }


def _figures(cursor: Any, parameters: dict[str, Any]) -> Found:
    """Counted over both sides as they are, so that what agrees need not be written down.

    What has not moved there and is not booked here is one of the lines, and nothing else.
    """
    cursor.execute("SELECT finding, count(*), count(listed_amount) FROM judged WHERE finding <> 'matched' GROUP BY 1")
    differing = cursor.fetchall()
    counts = {finding: count for finding, count, _ in differing}
    cursor.execute(_FIGURES, parameters)
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
            told[side] += int(amount) if kind in COMES_IN else -int(amount)
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
        "confirmed": run.upload_id is None,
    }
    while waiting > 0:
        made = [ids.new_id("disc") for _ in range(min(waiting, _AT_ONCE))]
        cursor.execute(_WRITE_NEW, {**given, "ids": made, "count": len(made)})
        waiting -= len(made)


# A line of a payment whose money has the payment's own number, under a number that we have booked nothing of.
_RENUMBER = f"""
UPDATE {StagedLine._meta.db_table} AS line SET provider_money_id = attempt.provider_id
FROM {Attempt._meta.db_table} AS attempt
WHERE line.run = %(run)s AND line.kind = 'capture' AND line.reference <> '' AND attempt.account_id = %(account)s
    AND attempt.provider_reference = line.reference AND attempt.provider_id NOT IN ('', line.provider_money_id)
    AND EXISTS (SELECT FROM {Receipt._meta.db_table} AS receipt
        WHERE receipt.account_id = %(account)s AND receipt.provider_money_id = attempt.provider_id)
    AND NOT EXISTS (SELECT FROM {Receipt._meta.db_table} AS receipt
        WHERE receipt.account_id = %(account)s AND receipt.provider_money_id = line.provider_money_id)
    AND line.reference NOT IN (SELECT reference FROM {StagedLine._meta.db_table}
        WHERE run = %(run)s AND kind = 'capture' AND word = 'succeeded'
        GROUP BY reference HAVING count(DISTINCT provider_money_id) > 1)
"""  # noqa: S608  (names from models)
"""Not where several have the same reference: a second payment is not the first."""

# What is booked of a refund that has failed since does not stand. Where payments are asked about one by one, a refund
# of today brings back the line of money that was booked long ago.
_RECEIPTS = f"""
    SELECT receipt.id, receipt.kind, receipt.amount, receipt.currency, receipt.provider_money_id, receipt.created_at,
        fee.amount AS fee, fee.currency AS fee_currency, receipt.source, receipt.attempt_id,
        refund.id IS NULL OR refund.state NOT IN ('failed', 'cancelled') AS stands
    FROM {Receipt._meta.db_table} AS receipt
    LEFT JOIN {Fee._meta.db_table} AS fee ON fee.receipt_id = receipt.id
    LEFT JOIN {Refund._meta.db_table} AS refund ON refund.id = receipt.refund_id
    WHERE receipt.account_id = %(account)s AND receipt.provider_money_id IS NOT NULL
"""  # noqa: S608  (names from models)
_BOOKED = f"""
    {_RECEIPTS} AND receipt.id >= %(oldest)s
    UNION ALL
    {_RECEIPTS} AND %(by_status)s AND receipt.id < %(oldest)s
        AND receipt.provider_money_id IN (SELECT provider_money_id FROM {StagedLine._meta.db_table} WHERE run = %(run)s)
    UNION ALL
    SELECT id, kind, amount, currency, provider_money_id, created_at, nullif(fee_amount, 0), currency, '', '', true
    FROM {DisputeMovement._meta.db_table} WHERE account_id = %(account)s AND id >= %(oldest_movement)s
"""  # noqa: S608  (names from models)

# Of this the statement must tell. Money that was found in a list is not missed in a later one: it may have been booked
# long after it moved. Of a number that a file has in a line which could not be read, nobody can tell.
_EXPECTED = f"""(ours.kind = ANY(%(kinds)s) AND ours.created_at >= %(since)s AND ours.created_at < %(until)s
    AND ours.stands AND ours.source <> %(listed_before)s
    AND NOT coalesce(ours.attempt_id, '') = ANY(%(not_told)s::text[])
    AND NOT (%(is_file)s AND EXISTS (SELECT FROM {StagedLine._meta.db_table} AS unread WHERE unread.run = %(run)s
        AND unread.kind = '{staging.UNREADABLE}' AND unread.provider_money_id = ours.provider_money_id)))"""

_LINES = f"""
    SELECT provider_money_id, kind, amount, currency, word = 'succeeded' AS moved, fee_amount AS fee, fee_currency,
        reference, gives_back, payment_id, provider_status, payer_hint, at, false AS contradicts
    FROM {StagedLine._meta.db_table} AS line
    WHERE run = %(run)s AND kind IN {_MONEY} AND NOT EXISTS (
        SELECT FROM folded WHERE folded.provider_money_id = line.provider_money_id
    )
    UNION ALL SELECT * FROM folded
"""  # noqa: S608  (names from models)
"""Each number once."""

_REPEATED = f"""
CREATE TEMP TABLE repeated ON COMMIT DROP AS
SELECT * FROM {StagedLine._meta.db_table}
WHERE run = %(run)s AND kind IN {_MONEY} AND hashtextextended(provider_money_id, 0) IN (
    SELECT hashtextextended(provider_money_id, 0) FROM {StagedLine._meta.db_table}
    WHERE run = %(run)s AND kind IN {_MONEY} GROUP BY 1 HAVING count(*) > 1
)
"""  # noqa: S608  (names from models)
"""The lines whose number comes more than once. Short hashes find them; one that comes with another's does no harm."""

_FOLDED = """
CREATE TEMP TABLE folded ON COMMIT DROP AS
SELECT provider_money_id, min(kind COLLATE "C") AS kind, min(amount) AS amount, min(currency COLLATE "C") AS currency,
    bool_or(word = 'succeeded') AS moved, min(fee_amount) AS fee, min(fee_currency COLLATE "C") AS fee_currency,
    min(reference COLLATE "C") AS reference, min(gives_back COLLATE "C") AS gives_back,
    min(payment_id COLLATE "C") AS payment_id, min(provider_status COLLATE "C") AS provider_status,
    min(payer_hint COLLATE "C") AS payer_hint, min(at) AS at,
    min(amount) <> max(amount) OR min(currency COLLATE "C") <> max(currency COLLATE "C")
        OR min(kind COLLATE "C") <> max(kind COLLATE "C") AS contradicts
FROM repeated GROUP BY provider_money_id
"""
"""One line of all those that have the same number."""

# What was not final when it was read, and is booked since, is for the next run. A fee in the payment's currency cannot
# be compared with one in which the provider holds the money.
_JUDGE = f"""
CREATE TEMP TABLE judged ON COMMIT DROP AS
WITH theirs AS ({_LINES}), ours AS (SELECT ours.*, {_EXPECTED} AS is_expected FROM ({_BOOKED}) AS ours)
SELECT * FROM (
    SELECT
        CASE
            WHEN theirs.provider_money_id IS NULL THEN 'missing_there'
            WHEN theirs.contradicts THEN 'duplicate'
            WHEN ours.id IS NULL AND theirs.moved THEN 'missing_here'
            WHEN ours.id IS NULL THEN 'nothing'
            WHEN NOT theirs.moved AND ours.created_at >= %(until)s THEN 'nothing'
            WHEN theirs.moved <> ours.stands THEN 'state'
            WHEN ours.currency <> theirs.currency THEN 'currency'
            WHEN ours.amount <> theirs.amount OR ours.kind <> theirs.kind THEN 'amount'
            WHEN theirs.fee <> ours.fee AND theirs.fee_currency = ours.fee_currency THEN 'fee'
            WHEN theirs.fee IS NOT NULL AND ours.fee IS NOT NULL AND theirs.fee_currency <> ours.fee_currency
                AND (ours.fee_currency = ours.currency OR theirs.fee_currency <> theirs.currency) THEN 'fee'
            ELSE 'matched'
        END AS finding,
        provider_money_id AS key, ours.id AS receipt, coalesce(theirs.kind, ours.kind) AS direction, theirs.moved,
        theirs.amount AS listed_amount, theirs.currency AS listed_currency, theirs.fee AS listed_fee,
        ours.amount AS booked_amount, ours.currency AS booked_currency, ours.fee AS booked_fee,
        theirs.reference, theirs.gives_back, theirs.payment_id, theirs.provider_status, theirs.payer_hint,
        theirs.at AS listed_at, ours.kind AS booked_kind, ours.stands, ours.is_expected
    FROM theirs FULL JOIN ours USING (provider_money_id)
    WHERE theirs.provider_money_id IS NOT NULL OR ours.is_expected
) AS everything
WHERE finding <> 'matched' OR NOT is_expected OR key IN (
    SELECT key FROM {Discrepancy._meta.db_table} WHERE account_id = %(account)s AND closed_at IS NULL
)
"""  # noqa: S608  (names from models)
"""What differs, what explains an open case, and what is booked without the statement having to tell of it."""

_FIGURES = f"""
SELECT 'listed', currency, kind, word = 'succeeded', count(*), sum(amount) FROM {StagedLine._meta.db_table}
WHERE run = %(run)s AND kind IN {_MONEY} GROUP BY 2, 3, 4
UNION ALL
SELECT 'listed', currency, kind, word = 'succeeded', -count(*), -sum(amount) FROM repeated GROUP BY 2, 3, 4
UNION ALL
SELECT 'listed', currency, kind, moved, count(*), sum(amount) FROM folded GROUP BY 2, 3, 4
UNION ALL
SELECT 'booked', currency, kind, true, count(*), sum(amount) FROM ({_BOOKED}) AS ours WHERE {_EXPECTED} GROUP BY 2, 3
UNION ALL
SELECT 'booked', booked_currency, booked_kind, true, count(*), sum(booked_amount) FROM judged
WHERE NOT is_expected AND stands AND finding <> 'nothing' GROUP BY 2, 3
"""  # noqa: S608  (names from models)

_IS_NEW = f"""
FROM judged WHERE finding NOT IN ('matched', 'nothing') AND NOT EXISTS (
    SELECT FROM {Discrepancy._meta.db_table} AS known
    WHERE known.account_id = %(account)s AND known.kind = judged.finding AND known.key = judged.key
)
"""

_COUNT_NEW = f"SELECT count(*) {_IS_NEW}"

# Captures first, so that what gives them back is repaired after them.
_WRITE_NEW = f"""
INSERT INTO {Discrepancy._meta.db_table} (
    id, run_id, account_id, merchant_id, livemode, kind, key, receipt, direction, listed_amount, listed_currency,
    listed_fee, booked_amount, booked_currency, booked_fee, reference, gives_back, payment_id, provider_status,
    payer_hint, listed_at, outcome, booked_as, owner, proposed_by, proposed_match, closed_by, found_at, confirmed
)
SELECT made.id, %(run)s, %(account)s, %(merchant)s, %(livemode)s, finding, key, coalesce(receipt, ''), direction,
    listed_amount, coalesce(listed_currency, ''), listed_fee, booked_amount, coalesce(booked_currency, ''), booked_fee,
    left(coalesce(reference, ''), 100), coalesce(gives_back, ''), coalesce(payment_id, ''),
    coalesce(provider_status, ''), coalesce(payer_hint, ''), listed_at,
    'open', '', '', '', '', '', %(now)s, %(confirmed)s
FROM (
    SELECT *, row_number() OVER (ORDER BY direction) AS place {_IS_NEW} ORDER BY place LIMIT %(count)s
) AS found
JOIN unnest(%(ids)s::text[]) WITH ORDINALITY AS made (id, place) USING (place)
"""  # noqa: S608  (names from models)

_COMPARED = """CASE WHEN judged.moved <> ours.stands THEN 'state'
    WHEN ours.currency <> judged.listed_currency THEN 'currency'
    WHEN ours.amount <> judged.listed_amount OR ours.kind <> judged.direction THEN 'amount' ELSE 'matched' END"""

_BOOKED_EARLIER = f"""
UPDATE judged SET finding = {_COMPARED}, receipt = ours.id, booked_amount = ours.amount,
    booked_currency = ours.currency, booked_kind = ours.kind, stands = ours.stands, is_expected = false
FROM ({_RECEIPTS}) AS ours
WHERE judged.finding IN ('missing_here', 'nothing') AND judged.receipt IS NULL
    AND ours.provider_money_id = judged.key
"""  # noqa: S608  (names from models)

_FROM_FILES = f"SELECT id FROM {Run._meta.db_table} WHERE account_id = %(account)s AND upload_id IS NOT NULL"  # noqa: S608

_EXPLAINED = f"""
UPDATE {Discrepancy._meta.db_table} AS told SET outcome = 'explained', closed_at = %(now)s
FROM judged WHERE told.account_id = %(account)s AND told.closed_at IS NULL AND told.key = judged.key
    AND (told.kind <> 'missing_here' OR told.direction <> 'capture' OR NOT told.confirmed)
    AND judged.finding = 'matched' AND (NOT %(is_file)s OR told.run_id IN ({_FROM_FILES}))
"""  # noqa: S608  (names from models)
"""What the provider's own list has found, no file explains away."""

_CONFIRMED = f"""
UPDATE {Discrepancy._meta.db_table} AS told SET confirmed = true, run_id = %(run)s, direction = judged.direction,
    outcome = 'open', closed_at = NULL, closed_by = '', proposed_by = '', proposed_match = '',
    listed_amount = judged.listed_amount, listed_currency = judged.listed_currency, listed_fee = judged.listed_fee,
    reference = left(coalesce(judged.reference, ''), 100), gives_back = coalesce(judged.gives_back, ''),
    payment_id = coalesce(judged.payment_id, ''), provider_status = coalesce(judged.provider_status, ''),
    payer_hint = coalesce(judged.payer_hint, ''), listed_at = judged.listed_at
FROM judged WHERE told.account_id = %(account)s AND told.outcome <> 'booked' AND NOT told.confirmed
    AND told.kind = 'missing_here' AND told.key = judged.key AND judged.finding = 'missing_here'
"""  # noqa: S608  (names from models)
"""What a file had told of, as the provider's own list has it: from now on it is certain, whoever had closed it."""

_AGAIN = f"""
UPDATE {Discrepancy._meta.db_table} AS told SET outcome = 'open', closed_at = NULL, run_id = %(run)s,
    receipt = coalesce(judged.receipt, ''), direction = judged.direction,
    listed_amount = judged.listed_amount, listed_currency = coalesce(judged.listed_currency, ''),
    listed_fee = judged.listed_fee, booked_amount = judged.booked_amount,
    booked_currency = coalesce(judged.booked_currency, ''), booked_fee = judged.booked_fee,
    provider_status = coalesce(judged.provider_status, ''), listed_at = judged.listed_at, found_at = %(now)s
FROM judged WHERE told.account_id = %(account)s AND told.kind = judged.finding AND told.key = judged.key
    AND judged.finding NOT IN ('matched', 'nothing', 'missing_here') AND (told.outcome = 'explained'
        OR told.outcome = 'open' AND NOT %(is_file)s AND told.run_id IN ({_FROM_FILES}))
"""  # noqa: S608  (names from models)
"""What was explained and disagrees once more, and what a file had found and the own list finds too. What people have
closed stays closed."""
