"""The handset: STK prompts that wait for a PIN."""

from __future__ import annotations

import time
from itertools import islice

from simulators import pages
from simulators.mpesa.books import Books, Prompt
from simulators.mpesa.settings import MpesaSettings
from simulators.mpesa.words import DESCRIPTIONS

SHOWN = 15
CHOICES = {
    "approve": "Pay with PIN",
    "decline": "Cancel",
    "wrong_pin": "Wrong PIN",
    "insufficient_funds": "No money",
    "timeout": "Out of reach",
    "late_success": "Pay too late",
}


def prompts_page(books: Books, settings: MpesaSettings) -> str:
    with books.lock:
        waiting = [books.prompts.get(id) for id in books.open_prompts.values()]
        past = [prompt for prompt in islice(books.prompts.newest_first(), SHOWN) if prompt.result]
    cards = [_card(prompt, settings) for prompt in waiting if prompt]
    return pages.phone("M-PESA", "Lipa na M-PESA", cards, pages.history(map(_past, past)))


def _card(prompt: Prompt, settings: MpesaSettings) -> str:
    left = max(int(prompt.opened + settings.prompt_seconds - time.time()), 0)
    lines = [
        f"Do you want to pay {prompt.receiver}, account {prompt.reference}?",
        f"On +{prompt.phone}, {left} s left. Leave it alone to let it time out.",
    ]
    foot = pages.buttons("/_simulator/phone", prompt.id, CHOICES)
    return pages.card(f"KES {prompt.amount:,}", lines, foot)


def _past(prompt: Prompt) -> tuple[str, str, str]:
    outcome = prompt.receipt or f"{prompt.result} {DESCRIPTIONS.get(prompt.result, '')}"
    return f"+{prompt.phone} {prompt.reference}", f"KES {prompt.amount:,}", outcome
