"""The company's own books, in the one shape in which tests compare them with ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass
class LedgerEntry:
    """One movement of money as the company counts it: `amount` in `unit`s of the currency.

    `references` holds everything the caller may know it by, and is not shown.
    """

    id: str
    kind: Literal["payment", "refund"]
    reference: str
    idempotency_key: str | None
    amount: int
    unit: Literal["minor", "whole"]
    currency: str
    state: str
    receipt: str | None
    payment: str | None
    account: str
    detail: str | None = None
    references: set[str] = field(default_factory=set)


class Conflict(Exception):
    """What the phone was asked to do does not fit the state that the payment is in."""
