"""Both signatures, computed from the documents: of calls with the API key, of callbacks with the VA number.

Source: content/docs (authentication, callback), examples/php.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping


def of_call(method: str, va: str, body: bytes, api_key: str) -> str:
    """A call without a body is signed as if it were `{}`."""
    body_hash = hashlib.sha256(body or b"{}").hexdigest()
    text = f"{method.upper()}:{va}:{body_hash}:{api_key}"
    return hmac.new(api_key.encode(), text.encode(), hashlib.sha256).hexdigest()


def of_callback(fields: Mapping[str, object], va: str) -> str:
    """As PHP's json_encode writes the sorted fields: slashes and everything beyond ASCII escaped."""
    signed = {"additional_info": [], **{name: fields[name] for name in fields if name != "signature"}}
    text = json.dumps({name: signed[name] for name in sorted(signed)}, separators=(",", ":")).replace("/", r"\/")
    return hmac.new(va.encode(), text.encode(), hashlib.sha256).hexdigest()
