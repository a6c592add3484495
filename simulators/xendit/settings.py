"""What can be changed while the Xendit simulator runs, and whom it knows from the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from simulators.settings import Settings


@dataclass
class XenditSettings(Settings):
    """Adds to the common settings. `merchants` are secret keys, public test values, with their business ids.

    `webhook_url` and `callback_token` stand for the dashboard's. `expired_callback` is the dashboard's switch that
    tells of expired invoices; of a code that has ended nothing is ever told. Fees are a part of a thousand, and are
    final after `fee_seconds`.

    A page of transactions holds `transactions_page` at most; `transactions_intruders` payments come while each is read;
    `transactions_doubled` answers every page but the last twice in a row. `transactions_amounts` is how amounts are
    written there, and `clock_ahead_seconds` how far that clock is ahead of ours.
    """

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "callback_mode": (*Settings.CHOICES["callback_mode"], "bad_signature", "tampered"),
        "transactions_order": ("newest_first", "oldest_first"),
        "transactions_amounts": ("number", "text", "thousands"),
    }

    callback_timeout_seconds: float = 30.0
    callback_retries: list[float] = field(
        default_factory=lambda: [900.0, 2700.0, 7200.0, 10_800.0, 21_600.0, 43_200.0],
    )
    merchants: dict[str, str] = field(
        default_factory=lambda: {
            "xnd_development_lango-simulator": "62440e000000000000000001",
            "xnd_development_lango-simulator-2": "62440e000000000000000002",
            "xnd_production_lango-simulator": "62440e000000000000000003",
        }
    )
    webhook_url: str = ""
    callback_token: str = "lango-simulator-callback-token"
    expired_callback: bool = True
    code_seconds: float = 172_800.0
    invoice_seconds: float = 86_400.0
    settle_seconds: float = 60.0
    refund_seconds: float = 0.3
    fee_seconds: float = 0.0
    fee_thousandths: float = 7.0
    tax_hundredths: float = 11.0
    transactions_order: str = "newest_first"
    transactions_page: int = 50
    transactions_intruders: int = 0
    transactions_doubled: bool = False
    transactions_amounts: str = "number"
    clock_ahead_seconds: float = 0.0
    payments_listed: int = 100
    max_qr_amount: int = 10_000_000
    max_invoice_amount: int = 1_000_000_000
    auto_approve: bool = False
    approve_seconds: float = 1.0
