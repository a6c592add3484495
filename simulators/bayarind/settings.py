"""What can be changed while the Bayarind simulator runs, and whom it knows from the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from simulators.settings import Settings

MODES = ("bad_signature", "tampered", "under", "over", "wrong_insert")


@dataclass
class BayarindSettings(Settings):
    """Adds to the common settings. `channels` are channel ids with their secret keys, public test values.

    `company_codes` are by service code. `flag_url` and `snap_url` are where payments are told; a flag that is not
    answered is sent again, as advice, after each of `callback_retries`. `qris_service_code` and `qris_field` stand for
    what no public source tells. `key_case` "lower" answers with other letters in names. `merchant_key` is the public
    key of the merchant, PEM, for SNAP; empty means the simulator's own test key.
    """

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "callback_mode": (*Settings.CHOICES["callback_mode"], *MODES),
        "key_case": ("documented", "lower"),
        "qris_field": ("redirectData", "paymentCode", "urlQris"),
    }

    callback_timeout_seconds: float = 15.0
    callback_retries: list[float] = field(default_factory=lambda: [60.0, 300.0, 900.0])
    channels: dict[str, str] = field(
        default_factory=lambda: {
            "TOKOEXVA01": "0123456789abcdef0123456789abcdef",
            "TOKOEXVA02": "fedcba9876543210fedcba9876543210",
        }
    )
    company_codes: dict[str, str] = field(default_factory=lambda: {"1021": "12345", "1011": "8965"})
    flag_url: str = ""
    snap_url: str = ""
    snap_signed_path: str = "/v1.0/transfer-va/payment"
    merchant_key: str = ""
    qris_service_code: str = "9001"
    qris_field: str = "redirectData"
    key_case: str = "documented"
