"""Pages that payers see: a link that brings one back to a payment, and the end of a visit to a bank.

A GET changes nothing, as previews of links fetch it. No session and no cookie: the token alone lets one in, and
it lets one do nothing but answer one's own bank.
"""

import secrets
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from core.errors import ApiError
from payments.models import Payment
from payments.services import browsers, payer_links, returning
from payments.states import PaymentState

_PAID = (PaymentState.SUCCEEDED, PaymentState.AUTHORIZED)
_ENDS = {
    "paid": ("Thank you", "The payment is done. You can close this page."),
    "over": ("This link is not in use any more", "There is nothing left to confirm. Ask the shop for a new link."),
    "failed": ("The payment did not go through", "Your bank did not agree to it. The shop will tell you what to do."),
    "waiting": ("The payment is being processed", "You can close this page. The shop will tell you how it ended."),
    "again": ("That did not work just now", "Nothing was charged. Try again in a moment."),
    "back": ("Thank you", "You are done here, and can close this page."),
}


@require_GET
def come_back(request: HttpRequest, token: str) -> HttpResponse:
    """A browser returns from the provider: ask, prove nothing, and send it on to the merchant."""
    target = browsers.come_back(token)
    if target is None:
        return HttpResponseNotFound("not found", content_type="text/plain")
    return _sent_to(target) if target else _page(request, *_ENDS["back"])


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def authenticate(request: HttpRequest, token: str) -> HttpResponse:
    """Show what is to be confirmed; a POST confirms it and sends the payer to their bank."""
    payment = payer_links.payment_of(token)
    if payment is None:
        return HttpResponseNotFound("not found", content_type="text/plain")
    if request.method == "POST" and payer_links.is_live(payment):
        return _confirmed(request, payment)
    if payer_links.is_live(payment):
        text = "Your bank wants to know that it is you. You will come back here afterwards."
        return _page(request, "Confirm your payment", text, payment, can_confirm=True)
    return _page(request, *_ENDS["paid" if payment.state in _PAID else "over"], payment)


def _confirmed(request: HttpRequest, payment: Payment) -> HttpResponse:
    try:
        payment = returning.confirm(payment)
    except ApiError:
        return _page(request, *_ENDS["again"], payment, can_confirm=True, status=409)
    if bank := returning.bank_page(payment):
        return _sent_to(bank)
    if payment.state in _PAID:
        return _sent_to(browsers.with_payment(payment)) if payment.return_url else _page(request, *_ENDS["paid"])
    how = {PaymentState.PROCESSING: "waiting", PaymentState.REQUIRES_ACTION: "again"}
    return _page(request, *_ENDS[how.get(PaymentState(payment.state), "failed")], payment)


def _sent_to(target: str) -> HttpResponse:
    return _guarded(HttpResponseRedirect(target))


def _page(
    request: HttpRequest, title: str, text: str, payment: Payment | None = None, *, status: int = 200, **more: Any
) -> HttpResponse:
    nonce = secrets.token_urlsafe(16)
    shown = {"title": title, "text": text, "nonce": nonce, **more}
    if payment is not None:
        shown |= {"total": str(payment.money), "merchant": payment.merchant.name, "card": _card(payment)}
    response = render(request, "payer/page.html", shown, status=status)
    # A form's target holds for where it is redirected to as well, and that is the bank's own page.
    targets = "https: http:" if settings.SIMULATORS_URL else "https:"
    response["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self' {targets}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return _guarded(response)


def _card(payment: Payment) -> str:
    saved = payment.saved_method
    return f"{saved.brand} ending in {saved.last4}" if saved is not None and saved.last4 else ""


def _guarded(response: HttpResponse) -> HttpResponse:
    """The token in the path goes to nobody, and what it shows is kept nowhere."""
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response
