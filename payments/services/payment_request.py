"""What a merchant asks for when a payment is taken."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from core.crypto import Secret
from core.money import Money
from merchants.models import Merchant
from payments.models import Payment
from payments.providers.base import Line, Payer


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequest:
    """What a merchant asks for, parsed. `instrument` is the payer's phone or the browser's token, `customer` and
    `store` are ids. `order` is `{"source", "id"}`, and `order_row` our row of it once it has been read;
    `default_account` is its store's, once that has been looked up.

    `saved_method`, an id, stands for account, method, instrument and customer. `off_session` says that the payer is
    not there: what their bank wants of them is answered by a link that brings them back.
    """

    merchant: Merchant
    livemode: bool
    money: Money
    method: str = ""
    instrument: Secret | None = None
    capture: str = Payment.Capture.AUTOMATIC
    provider: str = ""
    customer: str = ""
    saved_method: str = ""
    store: str = ""
    default_account: str = ""
    order: Mapping[str, str] | None = None
    order_row: str = ""
    off_session: bool = False
    reference: str = ""
    description: str = ""
    return_url: str = ""
    expires_at: datetime | None = None
    channel: str = ""
    payer: Payer = field(default=Payer(), repr=False)
    lines: tuple[Line, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    by: str = ""
