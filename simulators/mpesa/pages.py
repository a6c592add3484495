"""The handset: STK prompts that wait for a PIN."""

from __future__ import annotations

import time
from itertools import islice

from simulators import pages
from simulators.mpesa.books import Books, Prompt
from simulators.mpesa.settings import MpesaSettings
from simulators.mpesa.words import DESCRIPTIONS

SHOWN = 15
PAYBILL_LINK = '<p class="soft"><a href="/_simulator/paybill">Pay bill</a></p>'
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
    past_table = pages.history(map(_past, past))
    return pages.phone("M-PESA", "Lipa na M-PESA", cards, past_table + PAYBILL_LINK)


def paybill_page(settings: MpesaSettings) -> str:
    """A form with which a customer pays unasked; a page of its own, as the phone's looks again by itself."""
    names = {"short_code": "Business number", "reference": "Account number", "amount": "Shillings", "phone": "Phone"}
    given = {"short_code": next(iter(settings.passkeys), ""), "phone": settings.approving_phones[0]}
    return pages.page("M-PESA pay bill", pages.form("/_simulator/phone", "paybill", "Pay bill", names, given))


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
