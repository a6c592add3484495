"""Amounts that mean something: their last two digits mean the same at every company."""

from __future__ import annotations

from collections.abc import Mapping

FIRST = 66_600
SHARED: Mapping[int, str] = {
    1: "reset_before",
    2: "reset_after",
    3: "timeout_before",
    4: "timeout_after",
    5: "500_before",
    6: "500_after",
    7: "hang",
    8: "html_after",
    9: "empty_after",
    10: "429",
    11: "callback_duplicate",
    12: "callback_late",
    13: "callback_reordered",
    14: "callback_missing",
    15: "callback_before_answer",
}


def magic_amounts(own: Mapping[int, str], *, units: int = 1) -> dict[int, str]:
    """Words by amount: those of all, and a company's `own` by their last two digits.

    `units` is how many of the company's units are one of what people read: 100 where it counts hundredths.
    """
    return {(FIRST + digits) * units: word for digits, word in {**SHARED, **own}.items()}
