"""Browsers that come back from a provider's page. Their coming proves nothing; it is a reason to ask."""

from urllib.parse import urlencode, urlsplit, urlunsplit

from django.db import transaction

from events import sealing
from payments.models import Operation, Payment, SavedMethod
from payments.services import confirming, resolving, saved_booking


def come_back(token: str) -> str | None:
    """Where to send the browser: the merchant's return_url with the object's id; None for an unknown token.

    Empty where the merchant named no place: the payer is shown a page of ours.
    """
    hashes = sealing.token_hashes(token)
    operation = Operation.objects.select_related("attempt__payment").filter(token_hash__in=hashes).first()
    if operation is not None:
        payment = operation.attempt.payment
        with transaction.atomic():
            confirming.payer_is_back(payment)
        resolving.ask_now(payment.pk)
        if payment.return_url:
            return with_payment(payment)
        return "" if payment.link_hash else None
    saved = SavedMethod.objects.filter(token_hash__in=hashes).first()
    if saved is None:
        return None
    if saved.state in saved_booking.OPEN:
        saved_booking.ask_now(saved.pk)
    return _with(saved.return_url, saved_method=saved.pk) if saved.return_url else ""


def with_payment(payment: Payment) -> str:
    return _with(payment.return_url, payment=payment.pk)


def _with(url: str, **words: str) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, [parts.query, urlencode(words)]))
    return urlunsplit(parts._replace(query=query))
