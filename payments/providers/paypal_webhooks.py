"""Whether PayPal has sent a webhook. Sources: developer.paypal.com/api/rest/webhooks (verification), PayPal's OpenAPI
file notifications_webhooks_v1 (verify-webhook-signature) and its Python library paypalrestsdk, notifications.py.

The signature is by a key whose certificate the message names. The certificate is fetched from PayPal's own hosts alone:
anybody can sign with a certificate of their own.
"""

import base64
import json
import re
import threading
import zlib
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any

from core.certified_signatures import certified_rsa_sha256
from core.http import HttpFault, Request, Response
from core.providers import Forged, OutcomeUnknown, ProviderFault, json_object
from core.signatures import BadSignature
from payments.providers.base import Connection, RawCallback

ALGORITHM = "SHA256withRSA"
_LIVE_HOSTS = ("https://api.paypal.com", "https://api-m.paypal.com")
_SANDBOX_HOSTS = ("https://api.sandbox.paypal.com", "https://api-m.sandbox.paypal.com")
_CERTIFICATE = re.compile(r"/v1/notifications/certs/CERT-[A-Za-z0-9-]{1,200}", re.ASCII)
_OWNER = ".paypal.com"
_AHEAD = timedelta(minutes=5)
_KEPT = 32
_LARGEST_FILE = 50_000
_FIELDS = {
    "auth_algo": "paypal-auth-algo",
    "cert_url": "paypal-cert-url",
    "transmission_id": "paypal-transmission-id",
    "transmission_sig": "paypal-transmission-sig",
    "transmission_time": "paypal-transmission-time",
}
_LENGTHS = {"auth_algo": 100, "cert_url": 500, "transmission_id": 50, "transmission_sig": 500, "transmission_time": 100}

_kept: OrderedDict[str, bytes] = OrderedDict()
_kept_lock = threading.Lock()
"""Certificates by address, once a signature has fitted: they never change there."""


def verify(callback: RawCallback, connection: Connection[Any, Any]) -> None:
    """Check time, certificate and signature. Raises Forged, also where the certificate cannot be had now."""
    told = _told(callback)
    options = connection.options
    if told["auth_algo"] != ALGORITHM:
        raise Forged("signed in another way than PayPal signs")
    _check_time(told["transmission_time"], connection.now(), timedelta(hours=options.webhook_max_age_hours))
    url = _certificate_url(told["cert_url"], connection)
    certificates = _kept.get(url) or _fetched(url, connection)
    refused = Forged("the account names no webhook")
    for webhook_id in options.webhook_ids:
        try:
            certified_rsa_sha256(
                message=message(told, webhook_id, callback.body),
                signature=_decoded(told["transmission_sig"]),
                certificates=certificates,
                authorities=options.certificate_authorities,
                name_suffix=_OWNER,
                now=connection.now(),
            )
        except BadSignature as fault:
            refused = Forged(str(fault))
        else:
            _keep(url, certificates)
            return
    raise refused


def message(told: dict[str, str], webhook_id: str, body: bytes) -> bytes:
    """What is signed: of the body no more than its CRC-32, in decimal."""
    return f"{told['transmission_id']}|{told['transmission_time']}|{webhook_id}|{zlib.crc32(body)}".encode()


def question(callback: RawCallback, webhook_id: str) -> bytes:
    """The request to PayPal's verify endpoint, around the event byte for byte. Raises Forged for what is no event."""
    try:
        json_object(callback.body)
    except ValueError as error:
        raise Forged("the body is no JSON object") from error
    head = json.dumps({**_told(callback), "webhook_id": webhook_id})
    return head.removesuffix("}").encode() + b', "webhook_event": ' + callback.body + b"}"


def is_genuine(response: Response) -> bool:
    """Raises OutcomeUnknown for an answer that says neither."""
    try:
        told = {"SUCCESS": True, "FAILURE": False}[json_object(response.body)["verification_status"]]
    except (KeyError, TypeError, ValueError) as error:
        raise OutcomeUnknown(f"answer {response.status} to a verification") from error
    if response.status != 200:
        raise OutcomeUnknown(f"answer {response.status} to a verification")
    return told


def _told(callback: RawCallback) -> dict[str, str]:
    told = {name: callback.headers.get(header, "") for name, header in _FIELDS.items()}
    if any(not text or len(text) > _LENGTHS[name] for name, text in told.items()):
        raise Forged("a header of PayPal's signature is missing or too long")
    return told


def _check_time(text: str, now: datetime, oldest: timedelta) -> None:
    try:
        age = now - datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Forged("the time of the transmission is not readable") from None
    if not -_AHEAD <= age <= oldest:
        raise Forged("the transmission is too old, or from the future")


def _certificate_url(url: str, connection: Connection[Any, Any]) -> str:
    """At the account's own host or another of PayPal's, nothing around it: no user, port, query or other path."""
    hosts = (connection.base_url, *_LIVE_HOSTS, *(() if connection.livemode else _SANDBOX_HOSTS))
    for host in hosts:
        if url.startswith(host) and _CERTIFICATE.fullmatch(url.removeprefix(host)):
            return url
    raise Forged("the certificate is not at PayPal's")


def _fetched(url: str, connection: Connection[Any, Any]) -> bytes:
    try:
        response = connection.send(Request("GET", url))
    except (HttpFault, ProviderFault) as fault:
        raise Forged(f"the certificate could not be fetched: {fault}") from fault
    if response.status != 200 or len(response.body) > _LARGEST_FILE:
        raise Forged(f"the certificate could not be fetched: answer {response.status}")
    return response.body


def _keep(url: str, certificates: bytes) -> None:
    with _kept_lock:
        _kept[url] = certificates
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except ValueError:
        raise Forged("the signature is not in base64") from None
