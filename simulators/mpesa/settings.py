"""What can be changed while the M-Pesa simulator runs, and who it knows from the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from simulators.mpesa.words import APPROVING_PHONE
from simulators.settings import Settings


@dataclass
class MpesaSettings(Settings):
    """Adds to the common settings. Every credential here is a public test value.

    `apps` consumer key → secret; `passkeys` short code → passkey; `tills` till → the store it belongs to;
    `initiators` name → password. `max_amount` in whole KES. Of the pull: `pull_page` rows a page, in lists of
    `pull_inner` (0: one list); `pull_empty` is how "no rows" is said; `pull_intruders` customers pay between two pages;
    `pull_dates` is which clock the `Z` of a date stands for; `clock_ahead_seconds` how far that clock is ahead of ours.
    """

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "callback_mode": (*Settings.CHOICES["callback_mode"], "under", "over"),
        "pending_shape": ("current", "legacy"),
        "confirmation_mode": Settings.CHOICES["callback_mode"],
        "pull_dialect": ("portal", "sandbox"),
        "pull_empty": ("nested", "text", "error"),
        "pull_order": ("oldest_first", "newest_first"),
        "pull_dates": ("utc", "local"),
    }

    apps: dict[str, str] = field(
        default_factory=lambda: {
            "lango-simulator-key": "lango-simulator-secret",
            "lango-simulator-key-2": "lango-simulator-secret-2",
        }
    )
    passkeys: dict[str, str] = field(
        default_factory=lambda: {
            "600111": "lango-simulator-passkey-600111",
            "600333": "lango-simulator-passkey-600333",
        }
    )
    tills: dict[str, str] = field(default_factory=lambda: {"600222": "600333"})
    initiators: dict[str, str] = field(default_factory=lambda: {"lango-operator": "Simulator-Pass-1!"})
    pending_shape: str = "current"
    auto_approve: bool = False
    approving_phones: list[str] = field(default_factory=lambda: [APPROVING_PHONE])
    approve_seconds: float = 1.0
    prompt_seconds: float = 60.0
    result_seconds: float = 0.3
    late_success_seconds: float = 3.0
    token_seconds: int = 3599
    max_amount: int = 250_000
    external_validation: bool = True
    validation_seconds: float = 8.0
    confirmation_mode: str = "normal"
    register_once: bool = False
    hashed_numbers: bool = False
    pull_page: int = 100
    pull_inner: int = 0
    pull_hours: float = 48.0
    pull_dialect: str = "portal"
    pull_empty: str = "nested"
    pull_order: str = "oldest_first"
    pull_dates: str = "utc"
    pull_needs_registration: bool = False
    pull_ignores_offset: bool = False
    pull_intruders: int = 0
    pull_thousands: bool = False
    clock_ahead_seconds: float = 0.0
