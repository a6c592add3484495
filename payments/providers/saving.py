"""The part of the seam that speaks of saved methods: set up once, charged later, given up."""

from collections.abc import Set
from dataclasses import dataclass, field

from core.crypto import Secret
from core.providers import OperationDeclaration


@dataclass(frozen=True, slots=True)
class Saving:
    """How a provider keeps methods: which ones, and what it promises about the writes that set them up and end them."""

    methods: Set[str]
    declaration: OperationDeclaration


@dataclass(frozen=True, slots=True)
class Card:
    """What a provider tells of a card that it keeps. The month is the last in which it can be used."""

    brand: str
    last4: str
    exp_month: int
    exp_year: int
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class MethodReport:
    """What a provider says of a saved method. `card` is None where the answer does not show it."""

    method_id: str = ""
    card: Card | None = None


@dataclass(frozen=True, slots=True)
class SavingOrder:
    """One write about a saved method, or the question about it, as an adapter is asked for it.

    `reference` is our random reference, `key` the key under which the write is repeated. `customer_id`, `setup_id` and
    `method_id` are the provider's ids, once known.
    """

    key: str
    reference: str
    customer_id: str = ""
    instrument: Secret | None = None
    return_url: str = field(default="", repr=False)
    setup_id: str = ""
    method_id: str = ""
