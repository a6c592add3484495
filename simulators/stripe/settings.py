"""What can be changed while the Stripe simulator runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from simulators.settings import Settings
from simulators.stripe.amounts import CURRENCIES


@dataclass
class StripeSettings(Settings):
    """Adds to the common settings. `webhook_url` serves accounts that made no endpoint of their own.

    `balance_seconds` is how long after an asynchronous capture its balance transaction comes, and
    `balance_delay_seconds` after any other. With a `settlement_currency` every line of the balance is in it,
    the amount times `settlement_rate`.
    """

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "callback_mode": (*Settings.CHOICES["callback_mode"], "bad_signature", "old_timestamp"),
        "settlement_currency": ("", *sorted(CURRENCIES)),
    }

    callback_retries: list[float] = field(default_factory=lambda: [1.0, 5.0, 30.0])
    webhook_url: str = ""
    webhook_secret: str = "whsec_lango_simulator"
    api_version: str = "2026-06-24.dahlia"
    idempotency_seconds: float = 86_400.0
    processing_seconds: float = 2.0
    refund_seconds: float = 2.0
    dispute_seconds: float = 2.0
    balance_seconds: float = 0.5
    balance_delay_seconds: float = 0.0
    settlement_currency: str = ""
    settlement_rate: float = 1.0
