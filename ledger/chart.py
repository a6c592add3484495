"""The chart of accounts: which kinds there are, whose they are, and which way each grows.

An account is one kind of one owner in one currency and mode; it comes into being with its first entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Side(IntEnum):
    """The sign of the entries that make an account grow. Entries are signed: debits above zero, credits below."""

    DEBIT = 1
    CREDIT = -1


class Owner(StrEnum):
    """Whose account it is: the role of the public id in `Account.owner`."""

    MERCHANT = "merchant"
    PROVIDER_ACCOUNT = "provider account"


class Floor(StrEnum):
    """What keeps an account from falling below zero.

    HELD: what we start locks the account and is refused; what has happened is posted, and flagged.
    WATCHED: never locked, so that it can be hot; what has happened and took it below zero is flagged.
    """

    NONE = "none"
    HELD = "held"
    WATCHED = "watched"


class Kind(StrEnum):
    PROVIDER_CLEARING = "provider_clearing"
    MERCHANT_RECEIVABLE = "merchant_receivable"
    DISPUTES = "disputes"
    FEE_EXPENSE = "fee_expense"
    MERCHANT_PAYABLE = "merchant_payable"
    MERCHANT_WALLET = "merchant_wallet"
    REFUNDS = "refunds"
    OVERPAYMENT = "overpayment"
    UNALLOCATED_RECEIPTS = "unallocated_receipts"
    SUSPENSE = "suspense"
    POSITION = "position"
    FEE_INCOME = "fee_income"


@dataclass(frozen=True, slots=True)
class Definition:
    """`meaning` says, for people, what a balance on such an account tells."""

    side: Side
    owner: Owner
    meaning: str
    floor: Floor = Floor.NONE


CHART: Mapping[Kind, Definition] = {
    Kind.PROVIDER_CLEARING: Definition(
        Side.DEBIT,
        Owner.PROVIDER_ACCOUNT,
        "Money that the provider holds, or still owes, for this account; zero once everything is settled.",
    ),
    Kind.MERCHANT_RECEIVABLE: Definition(
        Side.DEBIT, Owner.MERCHANT, "What the merchant owes us after a shortfall has been claimed."
    ),
    Kind.DISPUTES: Definition(
        Side.DEBIT, Owner.MERCHANT, "Money that a bank has taken back while a dispute is open; it may return."
    ),
    Kind.FEE_EXPENSE: Definition(
        Side.DEBIT, Owner.PROVIDER_ACCOUNT, "What the provider has kept as its fees, taxes on them included."
    ),
    Kind.MERCHANT_PAYABLE: Definition(
        Side.CREDIT, Owner.MERCHANT, "What the merchant is to have, wherever the money is now.", Floor.WATCHED
    ),
    Kind.MERCHANT_WALLET: Definition(
        Side.CREDIT, Owner.MERCHANT, "Money that the merchant has set aside to be paid out.", Floor.HELD
    ),
    Kind.REFUNDS: Definition(
        Side.CREDIT,
        Owner.MERCHANT,
        "Refunds that count as done and whose money the provider has not shown as gone, or the reverse; normally zero.",
    ),
    Kind.OVERPAYMENT: Definition(
        Side.CREDIT, Owner.MERCHANT, "Money beyond what was asked, until a person has decided about it."
    ),
    Kind.UNALLOCATED_RECEIPTS: Definition(
        Side.CREDIT, Owner.MERCHANT, "Money that has arrived and that no payment explains yet."
    ),
    Kind.SUSPENSE: Definition(
        Side.CREDIT, Owner.MERCHANT, "Money that cannot stand where it belongs, as one paid in another currency."
    ),
    Kind.POSITION: Definition(
        Side.CREDIT, Owner.PROVIDER_ACCOUNT, "What an exchange of currencies has left in each of them."
    ),
    Kind.FEE_INCOME: Definition(
        Side.CREDIT, Owner.MERCHANT, "What the merchant has been charged for the provider's fees."
    ),
}
"""The one table of account kinds."""
