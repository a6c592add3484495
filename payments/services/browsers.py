"""Browsers that come back from a provider's page. Their coming proves nothing; it is a reason to ask."""

from urllib.parse import urlencode, urlsplit, urlunsplit

from events import sealing
from payments.models import Operation, Payment
from payments.services import resolving


def come_back(token: str) -> str | None:
    """Where to send the browser: the merchant's return_url with the payment's id; None for an unknown token."""
    operation = (
        Operation.objects.select_related("attempt__payment").filter(token_hash__in=sealing.token_hashes(token)).first()
    )
    if operation is None or not operation.attempt.payment.return_url:
        return None
    payment = operation.attempt.payment
    resolving.ask_now(payment.pk)
    return _with_payment(payment)


def _with_payment(payment: Payment) -> str:
    parts = urlsplit(payment.return_url)
    query = "&".join(filter(None, [parts.query, urlencode({"payment": payment.pk})]))
    return urlunsplit(parts._replace(query=query))
