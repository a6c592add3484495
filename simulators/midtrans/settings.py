"""What can be changed while the Midtrans simulator runs, and whom it knows from the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from simulators.settings import Settings


@dataclass
class MidtransSettings(Settings):
    """Adds to the common settings. `merchants` are server keys, public test values, with their merchant ids.

    `error_layer` "body" answers 200 over every refusal, "both" gives HTTP the same code; `expired_code` is the code
    that the status of an expired payment has. `notification_url` serves charges that name no address of their own.
    """

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "callback_mode": (*Settings.CHOICES["callback_mode"], "bad_signature", "tampered"),
        "error_layer": ("both", "body"),
        "expired_code": ("202", "407"),
    }

    callback_timeout_seconds: float = 15.0
    callback_retries: list[float] = field(default_factory=lambda: [120.0, 600.0, 1800.0, 5400.0, 12_600.0])
    merchants: dict[str, str] = field(
        default_factory=lambda: {
            "SB-Mid-server-lango-simulator": "G000000001",
            "SB-Mid-server-lango-simulator-2": "G000000002",
        }
    )
    payment_types: list[str] = field(default_factory=lambda: ["qris", "gopay"])
    notification_url: str = ""
    error_layer: str = "both"
    expired_code: str = "202"
    idempotency_seconds: float = 300.0
    expiry_seconds: float = 900.0
    expiry_notice_seconds: float = 0.0
    bank_confirm_seconds: float = 0.3
    max_qris_amount: int = 10_000_000
    auto_approve: bool = False
    approve_seconds: float = 1.0
