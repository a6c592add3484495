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
    `initiators` name → password. `max_amount` in whole KES.
    """

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "callback_mode": (*Settings.CHOICES["callback_mode"], "under", "over"),
        "pending_shape": ("current", "legacy"),
        "confirmation_mode": Settings.CHOICES["callback_mode"],
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
