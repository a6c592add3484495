"""A page to try payments on, in the demo only: a shop that calls our API over HTTP with the demo's key.

It is routed where the setting DEMO_CREDENTIALS names the demo's file. A card is one of the simulator's test
payment methods; card numbers are typed nowhere.
"""

import re
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from config.demonstration.credentials import Credentials
from config.demonstration.shop import Refused, Shop
from core import ids
from core.money import Money, NotRepresentable
from payments.providers import REGISTRY

CURRENCIES = ("USD", "EUR", "KES", "JPY")
CARDS = (
    ("pm_card_visa", "Visa", "4242", "is paid"),
    ("pm_card_mastercard", "Mastercard", "4444", "is paid"),
    ("pm_card_threeDSecure2Required", "Visa", "3220", "asks for 3-D Secure"),
    ("pm_card_threeDSecureRequiredChargeDeclined", "Visa", "1629", "3-D Secure, then declined"),
    ("pm_card_visa_chargeDeclined", "Visa", "0002", "is declined"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", "Visa", "9995", "lacks the money"),
    ("pm_card_chargeDeclinedExpiredCard", "Visa", "0069", "has expired"),
    ("pm_card_pendingRefund", "Visa", "7726", "is paid, refunds take time"),
)
PHONES = (
    ("254712345678", "waits for you on the phone page"),
    ("254708374149", "enters the PIN by itself"),
    ("254700000001", "has no money"),
    ("254700001032", "cancels"),
    ("254700002001", "enters a wrong PIN"),
)
"""Payers whom the simulator knows (docs/simulators.md)."""
WORDS = {"requires_action": "waiting for the payer", "authorized": "authorized, not captured yet"}
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?")
ENDED = ("authorized", "succeeded", "failed", "cancelled", "expired")


@never_cache
@require_http_methods(["GET", "POST"])
def form(request: HttpRequest) -> HttpResponse:
    """The form; sent, it takes the payment and leads on to the bank's page or to the result."""
    if request.method == "GET":
        return _show_form(request, {"amount": "49.00", "currency": "USD", "method": "card"})
    try:
        payment = _shop().post("/v1/payments", _asked(request), idempotency_key=request.POST.get("once", ""))
    except (Refused, ValueError) as problem:
        return _show_form(request, request.POST.dict(), problem=str(problem))
    action = payment["next_action"] or {}
    follows = action["url"] if action.get("type") == "redirect" else f"/demo/result?payment={payment['id']}"
    return HttpResponseRedirect(follows)


@never_cache
@require_GET
def result(request: HttpRequest) -> HttpResponse:
    """The shop's return_url: the payment as it stands, followed until it has ended."""
    payment = _find(request.GET.get("payment", ""))
    context = {
        **_shown(payment),
        "payment": payment,
        "money": str(Money(payment["amount"], payment["currency"])),
        "admin": f"/admin/payments/payment/{payment['id']}/change/",
        "phone": _phone("mpesa" if payment["method"] == "mpesa" else "stripe"),
    }
    return render(request, "demo/result.html", context)


@never_cache
@require_GET
def state(request: HttpRequest) -> HttpResponse:
    """What the result page asks for while it waits."""
    return JsonResponse(_shown(_find(request.GET.get("payment", ""))))


def _show_form(request: HttpRequest, given: dict[str, Any], *, problem: str = "") -> HttpResponse:
    context = {
        "given": given,
        "problem": problem,
        # The same form sent twice is one payment; one that was refused is another when it is sent again.
        "once": str(uuid.uuid4()),
        "currencies": CURRENCIES,
        "cards": CARDS,
        "phones": PHONES,
        "phone_page": _phone("mpesa"),
    }
    return render(request, "demo/form.html", context, status=400 if problem else 200)


def _asked(request: HttpRequest) -> dict[str, Any]:
    """The body for the API. Raises ValueError with a sentence for the person."""
    given, method = request.POST, request.POST.get("method", "")
    money = _money(given.get("amount", ""), "KES" if method == "mpesa" else given.get("currency", ""))
    body = {"amount": money.amount, "currency": money.currency, "method": method, "description": "Demo page"}
    if method == "mpesa":
        return body | {"phone": given.get("phone", "").strip()}
    capture = "manual" if given.get("hold") else "automatic"
    back = f"{settings.PUBLIC_URL}/demo/result"
    return body | {"payment_method": given.get("card", ""), "capture": capture, "return_url": back}


def _money(amount: str, currency: str) -> Money:
    digits = amount.strip().replace(",", "")
    if not _AMOUNT.fullmatch(digits):
        raise ValueError(f"{amount[:20]!r} is no amount. Write it like 49.00")
    try:
        return Money.from_major(Decimal(digits), currency)
    except NotRepresentable as error:
        raise ValueError(f"The amount does not fit the currency: {error}") from error


def _shown(payment: dict[str, Any]) -> dict[str, Any]:
    failure = payment["failure"] or {}
    return {
        "state": payment["state"],
        "words": WORDS.get(payment["state"], payment["state"]),
        "failure": failure.get("message", ""),
        "ended": payment["state"] in ENDED,
    }


def _find(payment_id: str) -> dict[str, Any]:
    if not ids.is_id(payment_id, "pay"):
        raise Http404
    try:
        return _shop().get(f"/v1/payments/{payment_id}")
    except Refused as problem:
        raise Http404 from problem


def _shop() -> Shop:
    return Shop(settings.PUBLIC_URL, Credentials.read(Path(settings.DEMO_CREDENTIALS)).key)


def _phone(provider: str) -> str:
    place = list(REGISTRY).index(provider)
    return f"{settings.SIMULATORS_URL}:{settings.SIMULATORS_PORT + place}/_simulator/phone"


urlpatterns = [path("", form), path("result", result), path("state", state)]
