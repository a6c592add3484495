"""The lines of a provider's report and of the bank's statement, taken over from what a run has staged."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef

from core import clock, ids
from core.database import delete_in_batches, insert_ignoring
from merchants.models import ProviderAccount
from reconciliation.matching import Found
from reconciliation.models import BankLine, Discrepancy, Run, Settlement, SettlementLine, StagedLine

_COMES_WITHIN = timedelta(days=3)
"""A payout that is not at the bank this long after its day, within the days that a statement covers, is missed."""
_SETTLED_WITHIN = timedelta(weeks=8)
"""A line that comes later names something else than a settlement that was settled then."""
_SHORTEST = 4
"""A number of fewer signs stands in too many descriptions by chance."""


def take_in_report(run: Run) -> None:
    """The settlements that the run's lines name, and those lines; in the transaction that compares the run.

    What the file was read as before, and is not now, is no line of an open settlement any more.
    """
    parameters = _parameters(run, SettlementLine)
    named = StagedLine.objects.filter(run=run.pk, word="succeeded").exclude(settlement="")
    for number, currency in named.values_list("settlement", "currency").distinct().order_by():
        insert_ignoring(
            Settlement(
                account_id=run.account_id,
                merchant_id=run.merchant_id,
                livemode=run.livemode,
                number=number,
                currency=currency,
            )
        )
    with connection.cursor() as cursor:
        for statement in (_NO_LINES, _LINES, _PAID_AT, _EMPTIED):
            cursor.execute(statement, parameters)


def _parameters(run: Run, lines: type[SettlementLine] | type[BankLine]) -> dict[str, Any]:
    return {"run": run.pk, "account": run.account_id, "upload": run.upload_id, "open": _lock_open(run, lines)}


def _lock_open(run: Run, lines: type[SettlementLine] | type[BankLine]) -> list[str]:
    """The open settlements that the run's file has told of before, so that nobody settles them meanwhile."""
    told = lines.objects.filter(settlement=OuterRef("pk"), upload=run.upload_id)
    rows = Settlement.objects.select_for_update().filter(Exists(told), account=run.account_id, settled_at=None)
    return list(rows.order_by("pk").values_list("pk", flat=True))


_NO_LINES = f"""
DELETE FROM {SettlementLine._meta.db_table} AS line
USING {Settlement._meta.db_table} AS settlement
WHERE line.settlement_id = settlement.id AND settlement.id = ANY(%(open)s) AND line.upload = %(upload)s
    AND NOT EXISTS (
        SELECT FROM {StagedLine._meta.db_table} AS staged
        WHERE staged.run = %(run)s AND staged.word = 'succeeded' AND staged.settlement = settlement.number
            AND staged.currency = settlement.currency AND staged.kind = line.kind
            AND staged.provider_money_id = line.provider_money_id
    )
"""  # noqa: S608  (names from models)

_EMPTIED = f"""
UPDATE {Settlement._meta.db_table} AS settlement SET paid_at = NULL, bank_missed = false
WHERE id = ANY(%(open)s)
    AND NOT EXISTS (SELECT FROM {SettlementLine._meta.db_table} AS line WHERE line.settlement_id = settlement.id)
"""  # noqa: S608  (names from models)
"""What no file names any more, as its number was read wrong: the bank does not miss it."""

_LINES = f"""
INSERT INTO {SettlementLine._meta.db_table} AS known (settlement_id, kind, provider_money_id, amount, fee, upload)
SELECT settlement.id, staged.kind, staged.provider_money_id, max(staged.amount), coalesce(max(staged.fee_amount), 0),
    %(upload)s
FROM {StagedLine._meta.db_table} AS staged
JOIN {Settlement._meta.db_table} AS settlement
    ON settlement.account_id = %(account)s AND settlement.number = staged.settlement
    AND settlement.currency = staged.currency
WHERE staged.run = %(run)s AND staged.word = 'succeeded'
GROUP BY settlement.id, staged.kind, staged.provider_money_id
ON CONFLICT (settlement_id, kind, provider_money_id) DO UPDATE
    SET amount = excluded.amount, fee = excluded.fee, upload = excluded.upload
WHERE EXISTS (
    SELECT FROM {Settlement._meta.db_table} AS open WHERE open.id = known.settlement_id AND open.settled_at IS NULL
)
"""  # noqa: S608  (names from models)

_PAID_AT = f"""
UPDATE {Settlement._meta.db_table} AS settlement SET paid_at = greatest(settlement.paid_at, told.at)
FROM (
    SELECT settlement, currency, coalesce(max(at) FILTER (WHERE kind = 'payout'), max(at)) AS at
    FROM {StagedLine._meta.db_table} WHERE run = %(run)s AND settlement <> '' GROUP BY settlement, currency
) AS told
WHERE settlement.account_id = %(account)s AND settlement.number = told.settlement
    AND settlement.currency = told.currency AND settlement.settled_at IS NULL
"""  # noqa: S608  (names from models)


def take_in_bank(run: Run) -> Found:
    """The bank's lines, each once for ever, put to the settlements that they name; what was found, as of any run.

    What the file was read as before, and is not now, is no line any more, but where it has settled something.
    """
    parameters = _parameters(run, BankLine)
    with connection.cursor() as cursor:
        cursor.execute(_NOT_AT_BANK, parameters)
        cursor.execute(_BANK, parameters)
        link(run.account)
        cursor.execute(_BANK_TOTALS, {"run": run.pk, "account": run.account_id})
        told = cursor.fetchall()
    _miss(run)
    counts = dict.fromkeys(("lines", "matched", *Discrepancy.Kind.values), 0)
    counts |= {"lines": sum(row[1] for row in told), "matched": sum(row[2] for row in told)}
    return Found(counts, {row[0]: {"listed": int(row[3]), "booked": int(row[4])} for row in told})


_BANK_LINES = f"""
SELECT currency, CASE kind WHEN 'refund' THEN -amount ELSE amount END AS amount, reference, at,
    md5(concat_ws('|', provider_money_id, extract(epoch FROM at), kind, amount, currency, reference, row_number() OVER (
        PARTITION BY provider_money_id, at, kind, amount, currency, reference ORDER BY id
    ))) AS key
FROM {StagedLine._meta.db_table}
WHERE run = %(run)s AND word = 'succeeded' AND kind IN ('capture', 'refund')
"""  # noqa: S608  (names from models)

_NOT_AT_BANK = f"""
DELETE FROM {BankLine._meta.db_table} AS line
WHERE line.account_id = %(account)s AND line.upload = %(upload)s
    AND (line.settlement_id IS NULL OR line.settlement_id = ANY(%(open)s))
    AND NOT EXISTS (SELECT FROM ({_BANK_LINES}) AS told WHERE told.key = line.key)
"""  # noqa: S608  (names from models)

_BANK = f"""
INSERT INTO {BankLine._meta.db_table} (account_id, upload, key, amount, currency, reference, at)
SELECT %(account)s, %(upload)s, key, amount, currency, reference, at FROM ({_BANK_LINES}) AS told
ON CONFLICT DO NOTHING
"""  # noqa: S608  (names from models)

_BANK_TOTALS = f"""
SELECT told.currency, count(*), count(known.settlement_id), sum(told.amount),
    coalesce(sum(told.amount) FILTER (WHERE known.settlement_id IS NOT NULL), 0)
FROM ({_BANK_LINES}) AS told
JOIN {BankLine._meta.db_table} AS known ON known.account_id = %(account)s AND known.key = told.key
GROUP BY told.currency
"""  # noqa: S608  (names from models)


def purge() -> int:
    """Forget the bank's lines that nothing has explained for a long time; how many."""
    before = ids.first_id("upl", clock.now() - settings.BANK_LINES_KEPT)
    return delete_in_batches(BankLine.objects.filter(settlement=None, upload__lt=before))


def link(account: ProviderAccount) -> None:
    """Put bank lines to the one settlement whose number stands in their description, open or settled about then."""
    parameters: dict[str, Any] = {"account": account.pk, "shortest": _SHORTEST, "within": _SETTLED_WITHIN}
    with connection.cursor() as cursor:
        cursor.execute(_LINK, parameters)


def _plain(column: str) -> str:
    return f"' ' || regexp_replace(lower({column}), '[^a-z0-9]+', ' ', 'g') || ' '"


_LINK = f"""
WITH line AS MATERIALIZED (
    SELECT id, currency, coalesce(at, now()) AS at, {_plain("reference")} AS told
    FROM {BankLine._meta.db_table} WHERE account_id = %(account)s AND settlement_id IS NULL
), settlement AS MATERIALIZED (
    SELECT id, currency, CASE WHEN settled_at IS NOT NULL THEN coalesce(bank_at, paid_at, settled_at) END AS at,
        {_plain("number")} AS told
    FROM {Settlement._meta.db_table}
    WHERE account_id = %(account)s AND length(number) >= %(shortest)s AND (
        settled_at IS NULL OR coalesce(bank_at, paid_at, settled_at) >= (SELECT min(at) FROM line) - %(within)s
    )
), candidate AS (
    SELECT line.id, settlement.id AS settlement, count(*) OVER (PARTITION BY line.id) AS many
    FROM line JOIN settlement
        ON settlement.currency = line.currency AND position(settlement.told IN line.told) > 0
        AND (settlement.at IS NULL OR line.at BETWEEN settlement.at - %(within)s AND settlement.at + %(within)s)
)
UPDATE {BankLine._meta.db_table} AS line SET settlement_id = candidate.settlement
FROM candidate WHERE line.id = candidate.id AND candidate.many = 1
"""  # noqa: S608  (names from models)


def _miss(run: Run) -> None:
    """Open settlements that should have come within the days that the statement covers, and have not."""
    if run.upload is None or run.upload.is_cut:
        return
    Settlement.objects.filter(
        account=run.account_id,
        settled_at=None,
        bank_lines=None,
        paid_at__gte=run.since,
        paid_at__lte=run.until - _COMES_WITHIN,
    ).update(bank_missed=True)
