"""Named signature schemes of the outside world, each checked in constant time.

Several secrets are accepted at once, so that a secret can be rotated without losing a message.
"""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime

from core.crypto import Secret


class BadSignature(Exception):
    """The message was not signed by any secret that we hold, or not recently."""


def timestamped_hmac_sha256(
    *,
    header: str,
    body: bytes,
    secrets: Iterable[Secret],
    now: datetime,
    tolerance_seconds: int = 300,
) -> None:
    """`t=<unix>,v1=<hex>[,v1=<hex>]` over `t.body`, the secret used verbatim.

    Stamps too far in the past or the future are refused. Source: docs.stripe.com/webhooks/signature.
    Raises BadSignature.
    """
    pairs = [item.strip().partition("=") for item in header.split(",")]
    stamps = [value for name, _, value in pairs if name == "t"]
    given = [value for name, _, value in pairs if name == "v1"]
    if len(stamps) != 1 or not _is_unix_time(stamps[0]) or not given:
        raise BadSignature("the signature header is missing or malformed")
    if abs(now.timestamp() - int(stamps[0])) > tolerance_seconds:
        raise BadSignature(f"the signature's timestamp is more than {tolerance_seconds} s away")
    signed = stamps[0].encode() + b"." + body
    if not any(_fits(signed, secret, given) for secret in secrets):
        raise BadSignature("no signature fits a secret of this account")


def concatenated_sha512(*, given: str, text: str, secrets: Iterable[Secret]) -> None:
    """SHA-512 in lower-case hex over `text` and the secret after it, with nothing between them.

    It covers no more than `text`. Source: docs.midtrans.com/reference/https-notification-webhooks. Raises BadSignature.
    """
    presented = given.encode("utf-8", "replace")
    made = [hashlib.sha512((text + secret.reveal()).encode("utf-8", "replace")) for secret in secrets]
    if not any(hmac.compare_digest(digest.hexdigest().encode(), presented) for digest in made):
        raise BadSignature("the signature fits no secret of this account")


def shared_token(*, given: str, secrets: Iterable[Secret]) -> None:
    """A text that both sides hold and that comes with every message: it covers nothing of the message.

    Source: docs.xendit.co (webhooks, `x-callback-token`). Raises BadSignature.
    """
    presented = given.encode("utf-8", "replace")
    held = [secret.reveal().encode() for secret in secrets]
    if not any(hmac.compare_digest(token, presented) for token in held):
        raise BadSignature("the token is none of this account's")


def hashed_body_hmac_sha256(*, method: str, party: str, body: bytes, secret: Secret) -> str:
    """HMAC-SHA256 in lower-case hex over `METHOD:party:` the body's SHA-256 in hex `:secret`, keyed by that secret too.

    It covers neither path nor time. Source: github.com/ipaymu/docs-ipaymu-api-v2 (signature).
    """
    key = secret.reveal()
    signed = f"{method.upper()}:{party}:{hashlib.sha256(body).hexdigest()}:{key}"
    return hmac.new(key.encode(), signed.encode(), hashlib.sha256).hexdigest()


def hex_hmac_sha256(*, given: str, texts: Iterable[str], secret: Secret) -> None:
    """HMAC-SHA256 in lower-case hex over one of `texts`, the ways in which a sender may have written what it signed.

    Raises BadSignature.
    """
    if not any(_fits(text.encode("utf-8", "replace"), secret, [given]) for text in texts):
        raise BadSignature("the signature fits no way of writing what was sent")


def _is_unix_time(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 12


def _fits(signed: bytes, secret: Secret, given: list[str]) -> bool:
    expected = hmac.new(secret.reveal().encode(), signed, hashlib.sha256).hexdigest().encode()
    return any(hmac.compare_digest(expected, candidate.encode("utf-8", "replace")) for candidate in given)
