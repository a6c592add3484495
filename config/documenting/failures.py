"""What each `failure.code` of a payment or refund means, and what to do next: its page in the reference."""

from collections.abc import Mapping
from dataclasses import dataclass

from payments.providers.base import FailureCode


@dataclass(frozen=True, slots=True)
class Told:
    """Words in backquotes are shown as code."""

    title: str
    meaning: str
    remedy: str


FAILURES: Mapping[FailureCode, Told] = {
    FailureCode.DECLINED: Told(
        "The payer's bank or wallet said no",
        "The issuer refused and gave no reason that may be told. Nothing was taken.",
        "Ask the payer to use another card or method, or to talk to their bank. Trying the same again seldom helps.",
    ),
    FailureCode.INSUFFICIENT_FUNDS: Told(
        "There is not enough money",
        "The payer's account, card or wallet does not hold the amount. Nothing was taken.",
        "Tell the payer, and let them try again later or pay otherwise. A later try with a new payment may succeed.",
    ),
    FailureCode.LIMIT_EXCEEDED: Told(
        "The amount is outside the payer's limits",
        "A limit of the payer's account for one payment, a day or a month stands in the way, or the amount is below "
        "the smallest that the provider takes.",
        "`failure.message` says which limit. Ask for another amount, wait until the limit starts anew, or offer "
        "another method.",
    ),
    FailureCode.AUTHENTICATION_REQUIRED: Told(
        "The bank wants to see the payer",
        "The bank was asked without the payer, as for a saved card, and wants to see them first. Nothing was taken.",
        "Charge the saved method again without `off_session` while its owner is there, who then answers their bank.",
    ),
    FailureCode.AUTHENTICATION_FAILED: Told(
        "The payer could not prove who they are",
        "A wrong PIN was entered, or the bank's own check (3-D Secure) failed or was left. Nothing was taken.",
        "Let the payer try again with a new payment and finish the check this time.",
    ),
    FailureCode.EXPIRED_INSTRUMENT: Told(
        "The card has expired",
        "The card, or what was saved of it, is past its end.",
        "Ask for another card; do not try this one again.",
    ),
    FailureCode.INVALID_INSTRUMENT: Told(
        "The card or number cannot be used",
        "The card number, its check code or the phone number is wrong, blocked or not registered with the provider.",
        "Ask the payer to check it or to use another.",
    ),
    FailureCode.CANCELLED_BY_PAYER: Told(
        "The payer said no",
        "The payer closed the prompt or left the page. Nothing was taken.",
        "Offer to pay again. That needs a new payment with an `Idempotency-Key` of its own.",
    ),
    FailureCode.PAYER_UNREACHABLE: Told(
        "The payer's phone could not be reached",
        "It is off, out of reach, or its SIM card is too old for prompts. The payer saw nothing.",
        "Ask the payer to switch the phone on or to restart it, then make a new payment; or offer another method.",
    ),
    FailureCode.PAYER_BUSY: Told(
        "The payer's phone is busy with another request",
        "Another prompt or session is open on the phone.",
        "Wait for two minutes, let the payer close what is open, then make a new payment.",
    ),
    FailureCode.TIMED_OUT: Told(
        "The payer did not answer in time",
        "The prompt was shown and nobody answered it, or its answer never came. Nothing was taken.",
        "Offer to pay again with a new payment. Should money arrive after all, this one becomes `succeeded` with "
        "`late: true`, and a webhook tells you.",
    ),
    FailureCode.DUPLICATE: Told(
        "The provider took it for a repetition",
        "The same amount was asked of the same payer moments ago, and the provider refused the second request.",
        "Look whether the first payment was paid. If this one is meant, wait two minutes and make a new payment.",
    ),
    FailureCode.INVALID_REQUEST: Told(
        "The provider did not take the request",
        "The provider refused something in what was sent on your behalf: `failure.message` says what it said.",
        "Correct what it names and make a new payment. If nothing of it is yours, tell us the payment's id.",
    ),
    FailureCode.PROVIDER_CONFIGURATION: Told(
        "Your account at the provider is not set up for this",
        "The provider refused the account's credentials, or the account lacks a product, a currency or a permission.",
        "Test the account with `POST /v1/provider-accounts/{id}/test`, and look at its settings at the provider.",
    ),
    FailureCode.PROVIDER_UNAVAILABLE: Told(
        "The provider could not be reached",
        "The provider is away, and it is certain that it has taken nothing.",
        "Make a new payment in a while, or offer another method.",
    ),
    FailureCode.PROVIDER_ERROR: Told(
        "Something failed at the provider",
        "The provider said that it failed, in words that we do not know or that mean nothing more. Nothing was taken.",
        "Make a new payment. If it happens again, tell us the id of one: the provider's own word is kept with it.",
    ),
}
