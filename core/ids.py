"""Public ids: a prefix that names the kind, and a UUIDv7 that sorts by time."""

import secrets
import string
from collections.abc import Callable
from datetime import datetime

import uuid_utils

PREFIXES: dict[str, str] = {
    "acct": "provider account",
    "appr": "approval",
    "att": "attempt",
    "attn": "attention item",
    "aud": "audit entry",
    "cb": "callback",
    "ctok": "callback token",
    "cus": "customer",
    "dek": "data key",
    "dlv": "delivery",
    "dmov": "dispute movement",
    "disc": "discrepancy",
    "dp": "dispute",
    "dtok": "display token",
    "ent": "ledger entry",
    "evt": "event",
    "fee": "fee",
    "fsch": "fee schedule",
    "idem": "idempotency answer",
    "idlv": "internal delivery",
    "job": "schedule that runs by the clock",
    "key": "API key",
    "lacc": "ledger account",
    "mer": "merchant",
    "op": "operation",
    "ord": "order",
    "osrc": "order source",
    "over": "overpayment",
    "pay": "payment",
    "pcus": "customer at a provider",
    "per": "schedule period",
    "psw": "provider switch",
    "rcpt": "receipt",
    "ref": "refund",
    "regi": "callback registration",
    "rrep": "reported receipt",
    "rule": "routing rule",
    "run": "reconciliation run",
    "sch": "schedule",
    "schg": "schedule charge",
    "scode": "static code",
    "sm": "saved method",
    "smap": "statement mapping",
    "stl": "settlement",
    "store": "store",
    "try": "delivery attempt",
    "trn": "transition",
    "unal": "unallocated receipt",
    "upl": "uploaded statement",
    "uplp": "piece of an uploaded statement",
    "we": "webhook endpoint",
    "wrep": "webhook replay",
    "xfer": "transfer",
}
"""The one table of prefixes; an id of an unlisted kind cannot be made."""

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 26

UPPER_ALPHANUMERIC = string.ascii_uppercase + string.digits


def new_id(prefix: str) -> str:
    """`pay_` and 26 characters of Crockford base 32; ids made later sort later."""
    if prefix not in PREFIXES:
        raise KeyError(f"{prefix!r} is not a registered id prefix")
    return _written(prefix, uuid_utils.uuid7().int)


def _written(prefix: str, number: int) -> str:
    digits = [_CROCKFORD[(number >> (5 * place)) & 31] for place in range(_LENGTH - 1, -1, -1)]
    return f"{prefix}_{''.join(digits)}"


def first_id(prefix: str, at: datetime) -> str:
    """What no id made at that moment or later sorts before: a span of time can be read by primary key."""
    return _written(prefix, int(at.timestamp() * 1000) << 80)


def is_id(value: str, prefix: str) -> bool:
    """Whether `value` has the shape of an id of that kind; says nothing about its existence."""
    head, _, tail = value.partition("_")
    return (
        head == prefix and prefix in PREFIXES and len(tail) == _LENGTH and all(letter in _CROCKFORD for letter in tail)
    )


def maker(prefix: str) -> Callable[[], str]:
    """A function that makes ids of one kind, for a field's default."""

    def make() -> str:
        return new_id(prefix)

    return make


def random_reference(*, length: int, alphabet: str = UPPER_ALPHANUMERIC) -> str:
    """An unguessable reference in a provider's own alphabet and length."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


def random_token() -> str:
    """128 random bits in hex, for the paths of callbacks and returns."""
    return secrets.token_hex(16)
