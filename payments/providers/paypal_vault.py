"""Saved PayPal accounts: a setup token that its payer approves becomes a payment token, which is charged later.

Source: PayPal's OpenAPI file vault_payment_tokens_v3. Assumed, as it is silent: the words of a setup token's status,
and that the payment token made with a PayPal-Request-Id is answered again for it. Nothing is kept before the payment
token is asked for, so that a setup token is let go by not asking.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

from core.http import Request, Response
from core.providers import OutcomeUnknown, json_object
from payments.providers import paypal_answers as answers
from payments.providers import paypal_reading as reading
from payments.providers.base import Report, Step, Word
from payments.providers.saving import MethodReport, SavingOrder

_SETUPS, _TOKENS = "/v3/vault/setup-tokens", "/v3/vault/payment-tokens"
_WORDS: Mapping[str, Word] = {
    "CREATED": Word.REQUIRES_ACTION,
    "PAYER_ACTION_REQUIRED": Word.REQUIRES_ACTION,
    "APPROVED": Word.APPROVED,
    "VAULTED": Word.APPROVED,
    "TOKENIZED": Word.APPROVED,
}

_EXPERIENCE = ("brand_name", "locale", "return_url", "cancel_url", "shipping_preference")

Ask = Callable[[Request], Response]


def set_up(base_url: str, order: SavingOrder, experience: Mapping[str, Any]) -> Step:
    """A setup token whose payer is to approve it on PayPal's page, which takes fewer words than that of an order."""
    experience = {name: experience[name] for name in _EXPERIENCE if name in experience}
    body = {
        "customer": {"id": order.customer_id},
        "payment_source": {"paypal": {"usage_type": "MERCHANT", "experience_context": experience}},
    }
    return Step(_write(base_url + _SETUPS, order.key, body), partial(answers.read, read=_read_setup))


def fetch_setup(base_url: str, order: SavingOrder, ask: Ask) -> Step:
    """How it stands; once it is approved, the payment token is asked for, each time under the same key."""
    if not order.setup_id:
        raise OutcomeUnknown("PayPal finds a setup token by its id alone")

    def read(response: Response) -> Report:
        report = answers.read_fetched(response, _read_setup)
        if report.word is not Word.APPROVED:
            return report
        body = {"payment_source": {"token": {"id": order.setup_id, "type": "SETUP_TOKEN"}}}
        answer = ask(_write(base_url + _TOKENS, order.reference, body))
        return replace(answers.read(answer, _read_token), provider_id=order.setup_id)

    return Step(Request("GET", base_url + _setup_path(order)), read)


def cancel_setup(base_url: str, order: SavingOrder, ask: Ask) -> Step:
    """What has not become a payment token is let go; whatever has, says so."""

    def read(response: Response) -> Report:
        told = answers.read_fetched(response, lambda setup: Report(Word.PENDING, provider_status=_status(setup)))
        if told.provider_status in ("VAULTED", "TOKENIZED"):
            return fetch_setup(base_url, order, ask).read(response)
        return Report(Word.CANCELLED, order.setup_id, told.provider_status)

    return Step(Request("GET", base_url + _setup_path(order)), read)


def detach(base_url: str, order: SavingOrder) -> Step:
    """For good. What is not there any more is detached as well."""
    return Step(Request("DELETE", base_url + _token_path(order)), _read_detached)


def fetch_method(base_url: str, order: SavingOrder) -> Step:
    return Step(Request("GET", base_url + _token_path(order)), _read_kept)


def _write(url: str, key: str, body: Mapping[str, Any]) -> Request:
    headers = {"Content-Type": "application/json", "PayPal-Request-Id": key}
    return Request("POST", url, headers, json.dumps(body).encode())


def _setup_path(order: SavingOrder) -> str:
    return f"{_SETUPS}/{quote(order.setup_id, safe='')}"


def _token_path(order: SavingOrder) -> str:
    return f"{_TOKENS}/{quote(order.method_id, safe='')}"


def _status(setup: Mapping[str, Any]) -> str:
    return reading.text(setup["status"])


def _read_setup(setup: Mapping[str, Any]) -> Report:
    status = _status(setup)
    report = Report(_WORDS.get(status, Word.UNKNOWN), reading.text(setup["id"]), status)
    return replace(report, next_action=reading.action(setup)) if report.word is Word.REQUIRES_ACTION else report


def _read_token(token: Mapping[str, Any]) -> Report:
    wallet = token["payment_source"]["paypal"]
    kept = MethodReport(reading.text(token["id"]), payer_hint=_masked(wallet.get("email_address")))
    return Report(Word.SUCCEEDED, kept.method_id, "VAULTED", method=kept)


def _masked(address: object) -> str:
    """Of `buyer@example.com` what tells its owner which account it is: `b…@example.com`."""
    name, at, host = str(address or "").partition("@")
    return f"{name[:1]}…@{host}"[:100] if name and at and host.isprintable() else "PayPal"


def _read_detached(response: Response) -> Report:
    if response.status in (answers.NO_CONTENT, answers.NOT_FOUND):
        return Report(Word.CANCELLED, provider_status="deleted")
    raise answers.refusal(response)


def _read_kept(response: Response) -> Report:
    if response.status == answers.NOT_FOUND and _is_paypal_s(response):
        return Report(Word.CANCELLED, provider_status="not there")
    return answers.read_fetched(response, _read_token)


def _is_paypal_s(response: Response) -> bool:
    """A 404 of PayPal's own, and not of something between us."""
    try:
        return bool(json_object(response.body).get("name"))
    except ValueError:
        return False
