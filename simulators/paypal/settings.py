"""What can be changed while the PayPal simulator runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from simulators.settings import Settings


@dataclass
class PaypalSettings(Settings):
    """Adds to the common settings. `apps` are the REST apps with their secrets.

    `webhook_url` and `webhook_id` serve apps that subscribed to nothing. `order_request_seconds` and
    `payment_request_seconds` are how long a PayPal-Request-Id is known; `pending_seconds` is how long what is pending
    takes. With a `receivable_currency` captures of other currencies are credited in that one, the net amount times
    `receivable_rate`. Transaction Search lists a line `report_seconds` after its money has moved and nothing that is
    newer; it finds `report_most` lines, and shows `report_page` of them at once. Where it is not `report_allowed` the
    apps were not given it.
    """

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "callback_mode": (
            *Settings.CHOICES["callback_mode"],
            "bad_signature",
            "old_timestamp",
            "wrong_webhook",
            "bad_checksum",
            "foreign_certificate",
        ),
    }

    callback_retries: list[float] = field(default_factory=lambda: [1.0, 5.0, 30.0])
    apps: dict[str, str] = field(
        default_factory=lambda: {
            "lango-simulator-client": "lango-simulator-secret",
            "lango-simulator-client-2": "lango-simulator-secret-2",
        }
    )
    token_seconds: int = 32_400
    webhook_url: str = ""
    webhook_id: str = "9AB12345CD678901E"
    order_request_seconds: float = 21_600.0
    payment_request_seconds: float = 3_888_000.0
    approval_seconds: float = 10_800.0
    pending_seconds: float = 2.0
    refuse_duplicate_invoices: bool = True
    receivable_currency: str = ""
    receivable_rate: float = 1.0
    report_seconds: float = 0.0
    report_most: int = 10_000
    report_page: int = 500
    report_allowed: bool = True
