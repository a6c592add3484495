"""Stripe's test payment methods, and the amounts that make trouble. Data only.

Source: docs.stripe.com/testing and docs.stripe.com/payments/3d-secure/authentication-flow.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from simulators.magic import magic_amounts


@dataclass(frozen=True)
class Decline:
    code: str
    decline_code: str | None
    message: str


@dataclass(frozen=True)
class Card:
    """`authentication`: when the bank asks for 3-D Secure; "unless_set_up" is until it was passed while the card was
    saved for later. `afterwards`: what happens once it is paid. A card that `can_be_saved` declines only when charged.
    """

    id: str
    number: str
    brand: str = "visa"
    funding: str = "credit"
    decline: Decline | None = None
    authentication: Literal["never", "always", "on_session", "unless_set_up"] = "never"
    afterwards: Literal["", "dispute", "refund_pending", "refund_fails"] = ""
    can_be_saved: bool = False

    @property
    def setup_decline(self) -> Decline | None:
        """What the bank says when the card is to be saved."""
        return None if self.can_be_saved else self.decline

    @property
    def fingerprint(self) -> str:
        """Names the card number, as Stripe's does; it is how a stored payment method finds its card."""
        return hashlib.sha256(self.number.encode()).hexdigest()[:16]


DECLINED = "Your card was declined."
GENERIC = Decline("card_declined", "generic_decline", DECLINED)
INSUFFICIENT = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
LOST = Decline("card_declined", "lost_card", DECLINED)
STOLEN = Decline("card_declined", "stolen_card", DECLINED)
EXPIRED = Decline("expired_card", None, "Your card has expired.")
BAD_CVC = Decline("incorrect_cvc", None, "Your card's security code is incorrect.")
PROCESSING = Decline(
    "processing_error", None, "An error occurred while processing your card. Try again in a little bit."
)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)

CARDS = (
    Card("pm_card_visa", "4242424242424242"),
    Card("pm_card_visa_debit", "4000056655665556", funding="debit"),
    Card("pm_card_mastercard", "5555555555554444", "mastercard"),
    Card("pm_card_amex", "378282246310005", "amex"),
    Card("pm_card_discover", "6011111111111117", "discover"),
    Card("pm_card_diners", "3056930009020004", "diners"),
    Card("pm_card_jcb", "3566002020360505", "jcb"),
    Card("pm_card_unionpay", "6200000000000005", "unionpay"),
    Card("pm_card_visa_chargeDeclined", "4000000000000002", decline=GENERIC),
    Card("pm_card_visa_chargeDeclinedInsufficientFunds", "4000000000009995", decline=INSUFFICIENT),
    Card("pm_card_visa_chargeDeclinedLostCard", "4000000000009987", decline=LOST),
    Card("pm_card_visa_chargeDeclinedStolenCard", "4000000000009979", decline=STOLEN),
    Card("pm_card_chargeDeclinedExpiredCard", "4000000000000069", decline=EXPIRED),
    Card("pm_card_chargeDeclinedIncorrectCvc", "4000000000000127", decline=BAD_CVC),
    Card("pm_card_chargeDeclinedProcessingError", "4000000000000119", decline=PROCESSING),
    Card("pm_card_chargeCustomerFail", "4000000000000341", decline=GENERIC, can_be_saved=True),
    Card("pm_card_authenticationRequiredOnSetup", "4000002500003155", authentication="unless_set_up"),
    Card("pm_card_authenticationRequired", "4000002760003184", authentication="always"),
    Card("pm_card_authenticationRequiredSetupForOffSession", "4000003800000446", authentication="on_session"),
    Card(
        "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
        "4000008260003178",
        decline=INSUFFICIENT,
        can_be_saved=True,
        authentication="always",
    ),
    Card("pm_card_threeDSecure2Required", "4000000000003220", authentication="always"),
    Card(
        "pm_card_threeDSecureRequiredChargeDeclined",
        "4000008400001629",
        decline=GENERIC,
        authentication="always",
    ),
    Card("pm_card_createDispute", "4000000000000259", afterwards="dispute"),
    Card("pm_card_pendingRefund", "4000000000007726", afterwards="refund_pending"),
    Card("pm_card_refundFail", "4000000000005126", afterwards="refund_fails"),
)
ALIASES = {
    "pm_card_chargeDeclined": "pm_card_visa_chargeDeclined",
    "pm_card_chargeDeclinedInsufficientFunds": "pm_card_visa_chargeDeclinedInsufficientFunds",
    "pm_card_chargeDeclinedLostCard": "pm_card_visa_chargeDeclinedLostCard",
    "pm_card_chargeDeclinedStolenCard": "pm_card_visa_chargeDeclinedStolenCard",
    "pm_card_visa_chargeDeclinedExpiredCard": "pm_card_chargeDeclinedExpiredCard",
    "pm_card_visa_chargeDeclinedIncorrectCvc": "pm_card_chargeDeclinedIncorrectCvc",
    "pm_card_visa_chargeDeclinedProcessingError": "pm_card_chargeDeclinedProcessingError",
}
CARDS_BY_ID = {card.id: card for card in CARDS}
CARDS_BY_ID |= {alias: CARDS_BY_ID[id] for alias, id in ALIASES.items()}
CARDS_BY_FINGERPRINT = {card.fingerprint: card for card in CARDS}

# In Stripe's units of any currency: 66601.00 USD makes the first. "processing" and the declines are
# the simulator's own; the rest are kinds of trouble. An amount makes transport trouble once per key.
MAGIC_AMOUNTS = magic_amounts(
    {
        19: "callback_bad_signature",
        20: "callback_old_timestamp",
        21: "processing",
        22: "decline",
        23: "insufficient_funds",
    },
    units=100,
)
DECLINING_AMOUNTS = {66_622_00: GENERIC, 66_623_00: INSUFFICIENT}
PROCESSING_AMOUNT = 66_621_00
