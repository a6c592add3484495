"""The secrets that sign webhooks. One that is rotated away goes on signing beside its successor for a while."""

import base64
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from standardwebhooks import Webhook

from core import clock
from core.crypto import Secret
from core.errors import Conflict
from events import sealing
from merchants.models import WebhookEndpoint

MAX_EARLIER = 4


def new() -> Secret:
    """`whsec_` and base64 of 32 random bytes."""
    return Secret("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())


def rotate(endpoint: WebhookEndpoint, *, overlap: timedelta) -> Secret:
    """Give a locked endpoint another secret, without saving it. Without `overlap` every earlier one ends now.

    Raises Conflict when too many secrets would sign.
    """
    kept = []
    if overlap:
        until = clock.now() + overlap
        kept = [*_earlier(endpoint), (sealing.unseal_secret(endpoint, "secret").reveal(), until)]
    if len(kept) > MAX_EARLIER:
        raise Conflict(
            f"{MAX_EARLIER} earlier secrets of {endpoint.pk} are still valid, the last one until "
            f"{_written(endpoint.earlier_secrets_until)}. With overlap_seconds 0 all of them end now."
        )
    endpoint.earlier_secrets, endpoint.earlier_secrets_until = None, None
    if kept:
        sealing.seal(endpoint, "earlier_secrets", json.dumps([[text, until.isoformat()] for text, until in kept]))
        endpoint.earlier_secrets_until = max(until for _, until in kept)
    made = new()
    sealing.seal(endpoint, "secret", made.reveal())
    return made


def signature(endpoint: WebhookEndpoint, event_id: str, at: datetime, body: str) -> str:
    """`v1,…` by every secret that is valid, the present one first, separated by spaces."""
    signers = _signers(endpoint)
    return " ".join(signer.sign(event_id, at, body) for signer, until in signers if until is None or until > at)


def _written(moment: datetime | None) -> str:
    return clock.rfc3339(moment) if moment else "now"


def _earlier(endpoint: WebhookEndpoint) -> list[tuple[str, datetime]]:
    """What was rotated away and is valid still, with the moment at which it ends."""
    if endpoint.earlier_secrets_until is None or endpoint.earlier_secrets_until <= clock.now():
        return []
    held = json.loads(sealing.unseal(endpoint, "earlier_secrets"))
    return [
        (text, datetime.fromisoformat(until)) for text, until in held if datetime.fromisoformat(until) > clock.now()
    ]


@dataclass(frozen=True, slots=True, repr=False)
class _Held:
    sealed: tuple[bytes, bytes]
    signers: tuple[tuple[Webhook, datetime | None], ...]


_held: dict[str, _Held] = {}


def _signers(endpoint: WebhookEndpoint) -> tuple[tuple[Webhook, datetime | None], ...]:
    """Kept in memory while what the endpoint has sealed is the same."""
    sealed = (bytes(endpoint.secret), bytes(endpoint.earlier_secrets or b""))
    held = _held.get(endpoint.pk)
    if held is None or held.sealed != sealed:
        present = Webhook(sealing.unseal_secret(endpoint, "secret").reveal())
        earlier = [(Webhook(text), until) for text, until in _earlier(endpoint)]
        held = _held[endpoint.pk] = _Held(sealed, ((present, None), *earlier))
    return held.signers
