"""What the books have on a provider's clearing account for the lines of a settlement, by what each fact was about."""

from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from ledger.chart import Kind
from ledger.facts import Fact, Phase
from ledger.models import Account, Entry, Transfer
from payments.models import Attempt, DisputeMovement, Receipt
from reconciliation.models import Settlement, SettlementLine

_FEES = (Fact.FEE_CHARGED, Fact.DISPUTE_FEE_CHARGED, Fact.DISPUTE_FEE_RETURNED)
_BACK = (Fact.REFUND_PAID, Fact.REFUND_RETURNED, Fact.DISPUTE_OPENED, Fact.DISPUTE_REINSTATED)
_CAME = (
    Fact.PAYMENT_CAPTURED,
    Fact.PAYMENT_OVERPAID,
    Fact.RECEIPT_SUSPENDED,
    Fact.RECEIPT_REVERSED,
    Fact.RECEIPT_UNALLOCATED,
    Fact.RECEIPT_RECOGNISED,
    Fact.CURRENCY_EXCHANGED,
)


@dataclass(slots=True)
class Booked:
    """In minor units of the settlement's currency. `by_hand` is what of it staff have recorded as settled already.

    `elsewhere` is what the same lines have left in other currencies, `unbooked` how many lines nothing is booked of.
    """

    gross: int = 0
    refunds: int = 0
    fees: int = 0
    by_hand: int = 0
    unbooked: int = 0
    elsewhere: dict[str, int] = field(default_factory=dict)


def booked(settlement: Settlement) -> Booked:
    """Summed from the entries: once for each line, whatever it has led to."""
    told = Booked()
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, _parameters(settlement))
        for fact, currency, by_hand, amount in cursor.fetchall():
            _add(told, settlement, Fact(fact), currency, int(amount), by_hand=by_hand)
        cursor.execute(_UNBOOKED, _parameters(settlement))
        (told.unbooked,) = cursor.fetchone()
    return told


def _add(told: Booked, settlement: Settlement, fact: Fact, currency: str, amount: int, *, by_hand: bool) -> None:
    if currency != settlement.currency:
        told.elsewhere[currency] = told.elsewhere.get(currency, 0) + amount
        return
    told.by_hand += amount if by_hand else 0
    if fact in _FEES:
        told.fees -= amount
    elif fact in _BACK:
        told.refunds -= amount
    else:
        told.gross += amount


def _parameters(settlement: Settlement) -> dict[str, Any]:
    return {
        "settlement": settlement.pk,
        "account": settlement.account_id,
        "facts": [fact.value for fact in (*_CAME, *_BACK, *_FEES)],
    }


_SOURCES = f"""
    SELECT receipt.id, CASE receipt.kind WHEN 'capture' THEN attempt.payment_id END AS payment
    FROM {SettlementLine._meta.db_table} AS line
    JOIN {Receipt._meta.db_table} AS receipt
        ON receipt.account_id = %(account)s AND receipt.provider_money_id = line.provider_money_id
    LEFT JOIN {Attempt._meta.db_table} AS attempt ON attempt.id = receipt.attempt_id
    WHERE line.settlement_id = %(settlement)s AND line.kind IN ('capture', 'refund')
    UNION
    SELECT movement.id, NULL
    FROM {SettlementLine._meta.db_table} AS line
    JOIN {DisputeMovement._meta.db_table} AS movement
        ON movement.account_id = %(account)s AND movement.provider_money_id = line.provider_money_id
    WHERE line.settlement_id = %(settlement)s AND line.kind IN ('capture', 'refund')
"""  # noqa: S608  (names from models)

_SUMS = f"""
WITH source AS ({_SOURCES})
SELECT transfer.fact, account.currency, hand.id IS NOT NULL AS by_hand, sum(entry.amount)
FROM source CROSS JOIN unnest(%(facts)s::text[]) AS told (fact)
JOIN {Transfer._meta.db_table} AS transfer
    ON transfer.reference = told.fact || ':' || source.id || ':{Phase.POSTED.value}'
JOIN {Entry._meta.db_table} AS entry ON entry.transfer_id = transfer.id
JOIN {Account._meta.db_table} AS account
    ON account.id = entry.account_id AND account.kind = '{Kind.PROVIDER_CLEARING.value}'
LEFT JOIN {Transfer._meta.db_table} AS hand
    ON hand.reference = '{Fact.PAYMENT_SETTLED.value}:' || source.payment || ':{Phase.POSTED.value}'
GROUP BY 1, 2, 3
"""  # noqa: S608  (names from models, and facts)

_UNBOOKED = f"""
SELECT count(*) FROM {SettlementLine._meta.db_table} AS line
WHERE line.settlement_id = %(settlement)s AND line.kind IN ('capture', 'refund')
    AND NOT EXISTS (
        SELECT FROM {Receipt._meta.db_table} AS receipt
        WHERE receipt.account_id = %(account)s AND receipt.provider_money_id = line.provider_money_id
    ) AND NOT EXISTS (
        SELECT FROM {DisputeMovement._meta.db_table} AS movement
        WHERE movement.account_id = %(account)s AND movement.provider_money_id = line.provider_money_id
    )
"""  # noqa: S608  (names from models)
