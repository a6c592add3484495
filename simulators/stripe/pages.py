"""The bank's challenge page, and the list of challenges that wait on the phone."""

from __future__ import annotations

from html import escape
from itertools import islice
from typing import Any

from simulators import pages
from simulators.stripe.account import Account
from simulators.stripe.amounts import shown
from simulators.stripe.bank import return_address

JSON = dict[str, Any]
SHOWN = 15
CHOICES = {"approve": "Complete", "decline": "Fail"}
MORE_CHOICES = CHOICES | {"insufficient_funds": "Pass, then no funds", "cancel": "Abandon"}


def challenge_page(account: Account, intent: JSON) -> str:
    """3-D Secure as the payer's bank shows it; its buttons lead back to the caller's `return_url`."""
    head = "<header><span>Simulated bank</span><span>3-D Secure</span></header>"
    amount = _what(intent)
    if intent["status"] == "requires_action":
        action = f"/_simulator/3d_secure/{intent['id']}"
        asked = pages.card(amount, [intent["description"] or "Card"], pages.buttons(action, "", CHOICES))
        return pages.page("3-D Secure", f"{head}<h1>Is this you?</h1>{asked}")
    back = return_address(account, intent)
    link = f'<p><a href="{escape(back)}">Back to the shop</a></p>' if back else ""
    done = pages.card(amount, [f"This is {intent['status']}."])
    return pages.page("3-D Secure", f"{head}<h1>Nothing to confirm</h1>{done}{link}")


def challenges_page(accounts: list[Account]) -> str:
    waiting, past = [], []
    for account in accounts:
        with account.lock:
            rows = account.tables["pi"].newest_first()
            waiting += [_challenge(row) for row in rows if row["status"] == "requires_action"]
            setups = account.tables["seti"].newest_first()
            waiting += [_challenge(row) for row in setups if row["status"] == "requires_action"]
            recent = islice(account.tables["pi"].newest_first(), SHOWN)
            past += [_past(row) for row in recent if row["status"] != "requires_action"]
    return pages.phone("Stripe", "Your bank asks", waiting, pages.history(past))


def _challenge(intent: JSON) -> str:
    action = intent["next_action"]
    link = action["redirect_to_url"]["url"] if "redirect_to_url" in action else action["use_stripe_sdk"]["stripe_js"]
    open_page = f'<p class="soft"><a href="{escape(link)}">Open the challenge as the payer sees it</a></p>'
    choices = MORE_CHOICES if intent["object"] == "payment_intent" else CHOICES
    foot = open_page + pages.buttons("/_simulator/phone", intent["id"], choices)
    return pages.card(_what(intent), [intent["id"]], foot)


def _what(intent: JSON) -> str:
    """What is confirmed: an amount, or that a card is kept."""
    return "Save this card" if intent["object"] == "setup_intent" else shown(intent["amount"], intent["currency"])


def _past(intent: JSON) -> tuple[str, str, str]:
    return intent["id"], shown(intent["amount"], intent["currency"]), intent["status"]
