"""iPaymu's callbacks: forms, or JSON where its dashboard says so. Whoever knows the VA number can sign
one, so they only make us ask.

Sources: github.com/ipaymu/docs-ipaymu-api-v2 (content/docs/callback, examples/{php,python,go,rust}), which contradict
each other in the types that a form has lost: what is signed is written both ways.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from core.crypto import Secret
from core.providers import Forged, json_object
from core.signatures import BadSignature, hex_hmac_sha256
from payments.providers import ipaymu_wire as wire
from payments.providers.base import Notice, RawCallback, Topic, Word
from payments.providers.ipaymu_reading import captured, reported

PAGES = "page-notifications"
"""The door of hosted pages, which are known by their session; every other payment is known by its transaction."""

_MOST_FIELDS = 100
_STATUSES: Mapping[str, str] = {"1": "berhasil", "0": "pending", "-2": "expired"}
_INTEGERS = frozenset({"trx_id", "status_code", "paid_off", "transaction_status_code"})
_AMOUNTS = frozenset({"sub_total", "total", "amount", "fee"})
_TRUTHS = frozenset({"is_escrow"})
_TRUE = ("1", "true")


def fields(callback: RawCallback) -> dict[str, Any]:
    """What the body says. Raises ValueError for what is neither form nor JSON object."""
    if _is_json(callback):
        return json_object(callback.body)
    return dict(parse_qsl(callback.body.decode(), True, True, max_num_fields=_MOST_FIELDS))


def _is_json(callback: RawCallback) -> bool:
    return callback.headers.get("content-type", "").lower().startswith("application/json")


def check_signature(callback: RawCallback, *, va: str) -> None:
    """Raises Forged. What is signed is the fields, sorted, as PHP writes JSON."""
    given = callback.headers.get("x-signature", "")
    try:
        told = fields(callback)
        # Fractions as they are encoded again, which Decimal is not.
        written = [json.loads(callback.body)] if _is_json(callback) else [_typed(told, False), _typed(told, True)]
        hex_hmac_sha256(given=given, texts=map(_signed_text, written), secret=Secret(va))
    except (ValueError, BadSignature) as error:
        raise Forged("the signature does not fit") from error


def _signed_text(told: Mapping[str, Any]) -> str:
    signed = {"additional_info": [], **told}
    signed.pop("signature", None)
    in_order = {name: signed[name] for name in sorted(signed)}
    return json.dumps(in_order, separators=(",", ":")).replace("/", "\\/")


def _typed(told: Mapping[str, str], amounts_are_numbers: bool) -> dict[str, Any]:
    """A form with the types that its fields had when they were signed."""
    integers = _INTEGERS | _AMOUNTS if amounts_are_numbers else _INTEGERS
    typed: dict[str, Any] = {}
    for name, value in told.items():
        if name in _TRUTHS:
            truth = value.lower() in _TRUE
            typed[name] = int(truth) if amounts_are_numbers else truth
        else:
            typed[name] = int(value) if name in integers and _is_integer(value) else value
    return typed


def _is_integer(value: str) -> bool:
    digits = value.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 18 and value == str(int(value))


def read(callback: RawCallback, words: Mapping[str, str]) -> Notice:
    """That something is pending is nothing that we act on. A strange shape raises KeyError, TypeError or ValueError."""
    told = fields(callback)
    reference, transaction = wire.identifier(told["reference_id"]), wire.identifier(told["trx_id"])
    provider_id = wire.identifier(told["sid"]) if callback.door == PAGES else transaction
    status, name, money = wire.number(told["status_code"]), wire.word(told["status"]), wire.rupiah(told["amount"])
    if _STATUSES.get(status, name) != name:
        report = reported(f"{status}, {name}", provider_id, {})
    else:
        report = reported(status, provider_id, words)
    if report.word is Word.REQUIRES_ACTION:
        return Notice(Topic.NOTHING, reference=reference)
    if report.word is Word.SUCCEEDED:
        report = replace(report, moved=captured(money, transaction))
    return Notice(Topic.PAYMENT, report, payment_provider_id=provider_id, reference=reference)
