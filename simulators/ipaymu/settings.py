"""What can be changed while the iPaymu simulator runs, and whom it knows from the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from simulators.settings import Settings


@dataclass
class IpaymuSettings(Settings):
    """Adds to the common settings. `merchants` are VA numbers with their API keys, public test values.

    `error_layer` "body" answers 200 over every refusal, "both" gives HTTP the same status. `callback_format` is what
    the dashboard says. `history_key` is the name of the list in the history, of which both are documented.
    `registered_domains` other than none are the only ones that callbacks may go to, as in production; `refuse_address`
    stands for a caller whose IP is not registered. Fees are a percentage for QRIS and whole rupiah elsewhere.
    """

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "callback_mode": (*Settings.CHOICES["callback_mode"], "bad_signature", "unsigned", "untrue"),
        "error_layer": ("both", "body"),
        "callback_format": ("form", "json"),
        "history_key": ("Transaction", "Results"),
    }

    callback_retries: list[float] = field(default_factory=lambda: [60.0, 300.0, 900.0])
    merchants: dict[str, str] = field(
        default_factory=lambda: {
            "1179000000000001": "lango-simulator-ipaymu-key",
            "1179000000000002": "lango-simulator-ipaymu-key-2",
        }
    )
    error_layer: str = "both"
    callback_format: str = "form"
    history_key: str = "Transaction"
    registered_domains: list[str] = field(default_factory=list)
    refuse_address: bool = False
    qris_expiry_seconds: float = 300.0
    expiry_seconds: float = 86_400.0
    expiry_notice_seconds: float = 0.0
    qris_fee_percent: float = 0.7
    fee: int = 3_500
    max_qris_amount: int = 10_000_000
    auto_approve: bool = False
    approve_seconds: float = 1.0
