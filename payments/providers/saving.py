"""The part of the seam that speaks of saved methods: set up once, charged later, given up."""

from collections.abc import Set
from dataclasses import dataclass, field

from core.crypto import Secret
from core.providers import OperationDeclaration


@dataclass(frozen=True, slots=True)
class Saving:
    """How a provider keeps methods: which ones, and what it promises about the writes that set them up and end them.

    Where it `introduces` nobody, a customer there is whom we call by an id of our own, of `customer_length` characters.
    """

    methods: Set[str]
    declaration: OperationDeclaration
    introduces: bool = True
    customer_length: int = 22


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
    """What a provider says of a saved method. `card` is None where the answer does not show it, or it is none.

    `payer_hint` is what may be shown of an account or wallet.
    """

    method_id: str = ""
    card: Card | None = None
    payer_hint: str = ""

    @property
    def is_shown(self) -> bool:
        return self.card is not None or bool(self.payer_hint)


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
