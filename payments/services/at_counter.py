"""What a payment's store says of it."""

from dataclasses import replace

from core.errors import InvalidRequest
from merchants import stores
from payments.services.payment_request import PaymentRequest


def completed(asked: PaymentRequest) -> PaymentRequest:
    """The request with the method that its store has for those that name none. Raises InvalidRequest."""
    if not asked.store:
        return asked
    store = stores.open_store(merchant=asked.merchant, livemode=asked.livemode, public_id=asked.store, param="/store")
    if asked.method or asked.saved_method:
        return asked
    if not store.default_method:
        raise InvalidRequest(f"Name a `method`: {store.pk} has no default one.", param="/method")
    return replace(asked, method=store.default_method)
