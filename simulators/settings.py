"""What can be changed while a simulator runs, through `POST /_simulator/settings`."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

# The 99th percentile of the standard normal distribution: turns a median and a p99 into a lognormal.
NINETY_NINTH = 2.3263


@dataclass
class Settings:
    """Times in seconds, rates as fractions of one.

    Of the callbacks that would go out normally, `callback_drop_rate` never do, `callback_double_rate` go out twice
    and `callback_delay_rate` late; the three together are at most all of them.
    """

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "callback_mode": ("normal", "duplicate", "late", "reordered", "missing", "before_answer"),
    }

    answer_seconds: float = 0.0
    answer_median_seconds: float = 0.0
    answer_p99_seconds: float = 0.0
    fault_rate: float = 0.0
    trouble_seconds: float = 30.0
    callback_mode: str = "normal"
    callback_seconds: float = 0.0
    callback_drop_rate: float = 0.0
    callback_double_rate: float = 0.0
    callback_delay_rate: float = 0.0
    callback_late_seconds: float = 5.0
    callback_duplicate_seconds: float = 0.05
    callback_gap_seconds: float = 0.01
    callback_timeout_seconds: float = 10.0
    callback_retries: list[float] = field(default_factory=list)

    def change(self, values: Mapping[str, Any]) -> None:
        """Take over all of `values`, or none: ValueError names what is unknown or does not fit."""
        known = {item.name for item in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"no setting named {name!r}; known: {', '.join(sorted(known))}")
            self._check(name, value)
        for name, value in values.items():
            setattr(self, name, value)

    def reset(self) -> None:
        self.change(asdict(type(self)()))

    def _check(self, name: str, value: object) -> None:
        present = getattr(self, name)
        choices = self.CHOICES.get(name)
        if choices and value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}")
        number = isinstance(present, float | int) and not isinstance(present, bool)
        fits = _is_amount(value) if number else isinstance(value, type(present))
        if isinstance(present, list) and isinstance(value, list) and name.endswith("_retries"):
            fits = all(_is_amount(item) for item in value)
        if not fits:
            raise ValueError(f"{name} must look like {present!r}, not {value!r}")

    def callback_fate(self) -> str:
        """What becomes of a callback that would go out normally: drawn by the rates, and mostly normal."""
        drawn = random.random()
        for mode, rate in (
            ("missing", self.callback_drop_rate),
            ("duplicate", self.callback_double_rate),
            ("late", self.callback_delay_rate),
        ):
            if drawn < rate:
                return mode
            drawn -= rate
        return "normal"

    def answer_delay(self) -> float:
        """Fixed, or drawn from the lognormal distribution with the given median and 99th percentile."""
        if self.answer_median_seconds <= 0:
            return self.answer_seconds
        ratio = max(self.answer_p99_seconds / self.answer_median_seconds, 1.0)
        return self.answer_median_seconds * math.exp(random.gauss(0, math.log(ratio) / NINETY_NINTH))


def _is_amount(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and value >= 0
