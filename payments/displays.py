"""The screens of a store: one page for its cashier, one for its kitchen (docs/point-of-sale.md).

A page holds nothing of any store and asks for nothing: whoever opens it gives it a display token, by hand or in the
part of an address that no browser sends. It then reads the store's stream with it, which another process serves.
"""

import json
import secrets

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core import clock, ids
from core.money import EXPONENTS

_USUAL_EXPONENT = 2
_UNUSUAL = json.dumps({code: digits for code, digits in EXPONENTS.items() if digits != _USUAL_EXPONENT})


@require_safe
def cashier(request: HttpRequest, store_id: str) -> HttpResponse:
    """What waits to be paid, with its code, and how it ended."""
    return _page(request, store_id, "cashier")


@require_safe
def kitchen(request: HttpRequest, store_id: str) -> HttpResponse:
    """What is paid and is to be made, in the order in which it was paid."""
    return _page(request, store_id, "kitchen")


def _page(request: HttpRequest, store_id: str, view: str) -> HttpResponse:
    if not ids.is_id(store_id, "store"):
        raise Http404
    nonce = secrets.token_urlsafe(16)
    shown = {
        "store": store_id,
        "view": view,
        "nonce": nonce,
        "exponents": _UNUSUAL,
        "stream": f"{settings.STREAMS_URL}/v1/stores/{store_id}/stream",
        "now": round(clock.now().timestamp() * 1000),
    }
    response = render(request, "display/page.html", shown)
    response["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        f"connect-src 'self' {settings.STREAMS_URL}; img-src blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response
