"""What the books have on a provider's clearing account for the lines of a settlement, by what each fact was about."""

from collections import Counter
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

_OWED = (
    Fact.PAYMENT_CAPTURED,
    Fact.RECEIPT_ALLOCATED,
    Fact.RECEIPT_REVERSED,
    Fact.FEE_CHARGED,
    Fact.CURRENCY_EXCHANGED,
)
"""What the merchant was owed for a receipt when somebody recorded its payment as settled: that recording took just this
off the clearing account. What is beyond the payment's amount, or came or was told later, it did not know of."""
_SETTLED = (Fact.SETTLEMENT_PAID, Fact.SETTLEMENT_COLLECTED)


@dataclass(slots=True)
class Booked:
    """In minor units of the settlement's currency; `unbooked` is how many lines nothing is booked of.

    By currency: `came` is what the lines have left on the clearing account, `by_hand` what staff have taken off it by
    recording payments of them as settled, and `posted` what was taken off it for the settlement itself.
    """

    gross: int = 0
    refunds: int = 0
    fees: int = 0
    unbooked: int = 0
    came: dict[str, int] = field(default_factory=dict)
    by_hand: dict[str, int] = field(default_factory=dict)
    posted: dict[str, int] = field(default_factory=dict)

    @property
    def left_over(self) -> dict[str, int]:
        """What is still on the clearing account, by currency; without what is even."""
        taken = Counter(self.by_hand)
        taken.update(self.posted)
        left = {name: self.came.get(name, 0) - taken[name] for name in {*self.came, *taken}}
        return {currency: amount for currency, amount in sorted(left.items()) if amount}


def booked(settlement: Settlement) -> Booked:
    """Summed from the entries: once for each line, whatever it has led to."""
    told = Booked()
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, _parameters(settlement))
        for fact, currency, amount in cursor.fetchall():
            _add(told, settlement, Fact(fact), currency, int(amount))
        cursor.execute(_BY_HAND, _parameters(settlement))
        told.by_hand = {currency: int(amount) for currency, amount in cursor.fetchall()}
        cursor.execute(_POSTED, {"references": [_reference(fact, settlement.pk) for fact in _SETTLED]})
        told.posted = {currency: int(amount) for currency, amount in cursor.fetchall()}
        cursor.execute(_UNBOOKED, _parameters(settlement))
        (told.unbooked,) = cursor.fetchone()
    return told


def _add(told: Booked, settlement: Settlement, fact: Fact, currency: str, amount: int) -> None:
    told.came[currency] = told.came.get(currency, 0) + amount
    if currency != settlement.currency:
        return
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
        "owed": [fact.value for fact in _OWED],
    }


def _reference(fact: Fact, source: str) -> str:
    return f"{fact}:{source}:{Phase.POSTED}"


_LINE = f"""
    SELECT line.provider_money_id FROM {SettlementLine._meta.db_table} AS line
    JOIN {Settlement._meta.db_table} AS mine ON mine.id = line.settlement_id
    WHERE line.settlement_id = %(settlement)s AND line.kind IN ('capture', 'refund') AND NOT EXISTS (
        SELECT FROM {SettlementLine._meta.db_table} AS same
        JOIN {Settlement._meta.db_table} AS other ON other.id = same.settlement_id AND other.account_id = %(account)s
        WHERE same.provider_money_id = line.provider_money_id AND same.settlement_id <> mine.id
            AND same.kind IN ('capture', 'refund') AND other.settled_at IS NOT NULL
            AND (mine.settled_at IS NULL OR (other.settled_at, other.id) < (mine.settled_at, mine.id))
    )
"""  # noqa: S608  (names from models)
"""Its lines, without those that another was settled with before: nothing is paid out twice, whatever a report says."""

_SOURCES = f"""
    SELECT receipt.id, CASE receipt.kind WHEN 'capture' THEN attempt.payment_id END AS payment
    FROM line
    JOIN {Receipt._meta.db_table} AS receipt
        ON receipt.account_id = %(account)s AND receipt.provider_money_id = line.provider_money_id
    LEFT JOIN {Attempt._meta.db_table} AS attempt ON attempt.id = receipt.attempt_id
    UNION
    SELECT movement.id, NULL
    FROM line
    JOIN {DisputeMovement._meta.db_table} AS movement
        ON movement.account_id = %(account)s AND movement.provider_money_id = line.provider_money_id
"""  # noqa: S608  (names from models)

_SUMS = f"""
WITH line AS ({_LINE}), source AS ({_SOURCES})
SELECT transfer.fact, account.currency, sum(entry.amount)
FROM source CROSS JOIN unnest(%(facts)s::text[]) AS told (fact)
JOIN {Transfer._meta.db_table} AS transfer
    ON transfer.reference = told.fact || ':' || source.id || ':{Phase.POSTED.value}'
JOIN {Entry._meta.db_table} AS entry ON entry.transfer_id = transfer.id
JOIN {Account._meta.db_table} AS account
    ON account.id = entry.account_id AND account.kind = '{Kind.PROVIDER_CLEARING.value}'
GROUP BY 1, 2
"""  # noqa: S608  (names from models, and facts)

_BY_HAND = f"""
WITH line AS ({_LINE}), source AS ({_SOURCES})
SELECT account.currency, -sum(entry.amount)
FROM source JOIN {Transfer._meta.db_table} AS hand
    ON hand.reference = '{Fact.PAYMENT_SETTLED.value}:' || source.payment || ':{Phase.POSTED.value}'
CROSS JOIN unnest(%(owed)s::text[]) AS told (fact)
JOIN {Transfer._meta.db_table} AS transfer
    ON transfer.reference = told.fact || ':' || source.id || ':{Phase.POSTED.value}' AND transfer.at <= hand.at
JOIN {Entry._meta.db_table} AS entry ON entry.transfer_id = transfer.id
JOIN {Account._meta.db_table} AS account
    ON account.id = entry.account_id AND account.kind = '{Kind.MERCHANT_PAYABLE.value}'
GROUP BY 1
"""  # noqa: S608  (names from models, and facts)

_POSTED = f"""
SELECT account.currency, -sum(entry.amount)
FROM {Transfer._meta.db_table} AS transfer
JOIN {Entry._meta.db_table} AS entry ON entry.transfer_id = transfer.id
JOIN {Account._meta.db_table} AS account
    ON account.id = entry.account_id AND account.kind = '{Kind.PROVIDER_CLEARING.value}'
WHERE transfer.reference = ANY(%(references)s)
GROUP BY 1
"""  # noqa: S608  (names from models)

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
