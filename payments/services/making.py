"""A payment's first rows, not yet saved: the payment as it was asked for, and an attempt at one account."""

import json
from datetime import datetime, timedelta

from django.conf import settings

from core import clock, ids
from core.errors import InvalidRequest
from events import sealing
from merchants.customer_search import living
from merchants.customers import contact_of
from merchants.models import Customer, ProviderAccount
from payments.models import Attempt, Payment, SavedMethod
from payments.providers import REGISTRY
from payments.providers.base import MethodCapability, Payer
from payments.services import connections, prompts
from payments.services.payment_request import PaymentRequest


def new_payment(asked: PaymentRequest, account: ProviderAccount, saved: SavedMethod | None) -> Payment:
    """The payment as the account can take it. Raises InvalidRequest that names the field."""
    method = REGISTRY[account.provider].capabilities.methods[asked.method]
    instrument = "" if saved else _instrument(asked, account, method)
    customer = saved.customer.survivor if saved else _customer(asked)
    payment = Payment(
        merchant=asked.merchant,
        livemode=asked.livemode,
        customer=customer,
        saved_method=saved,
        store_id=asked.store or None,
        order_id=asked.order_row or None,
        off_session=asked.off_session,
        amount=asked.money.amount,
        currency=asked.money.currency,
        method=asked.method,
        channel=asked.channel,
        capture=asked.capture,
        reference=asked.reference,
        description=asked.description,
        lines=[line.as_json() for line in asked.lines],
        metadata=asked.metadata,
        return_url=asked.return_url,
        expires_at=_expires_at(asked, method),
        instrument_hint=_hint(instrument, method),
    )
    if instrument:
        sealing.seal(payment, "instrument", instrument)
    payer = _payer(asked, customer, method)
    if payer != Payer():
        sealing.seal(payment, "payer", json.dumps([payer.name, payer.email, payer.phone]))
    return payment


def new_attempt(payment: Payment, account: ProviderAccount) -> Attempt:
    """A try of the payment at the account, under a reference of its own there."""
    capabilities = REGISTRY[account.provider].capabilities
    method = capabilities.methods[payment.method]
    return Attempt(
        payment=payment,
        merchant=payment.merchant,
        livemode=payment.livemode,
        account=account,
        provider_reference=ids.random_reference(
            length=capabilities.reference_length, alphabet=capabilities.reference_alphabet
        ),
        asked_amount=payment.amount,
        prompt_lock=_prompt_lock(payment, account, method),
    )


def _customer(asked: PaymentRequest) -> Customer | None:
    """Whoever answers for the id. Raises InvalidRequest that names the field."""
    if not asked.customer:
        return None
    merchant, livemode = asked.merchant.pk, asked.livemode
    return living(merchant=merchant, livemode=livemode, public_id=asked.customer, param="/customer")


def _instrument(asked: PaymentRequest, account: ProviderAccount, method: MethodCapability) -> str:
    if not method.instrument:
        return ""
    if not asked.instrument:
        raise InvalidRequest(f"A payment by {asked.method} needs `{method.instrument}`.", param=f"/{method.instrument}")
    try:
        return connections.connect(account).instrument(asked.instrument.reveal())
    except ValueError as error:
        raise InvalidRequest(f"{error}", param=f"/{method.instrument}") from error


def _payer(asked: PaymentRequest, customer: Customer | None, method: MethodCapability) -> Payer:
    """Who pays, as the request says, else as the customer is known. Raises InvalidRequest for what the method needs."""
    wanted = _wanted_of_payers(asked.method)
    if not wanted and asked.payer == Payer():
        return asked.payer
    known = contact_of(customer) if customer and wanted else {}
    told = {name: getattr(asked.payer, name) or known.get(name) or "" for name in ("name", "email", "phone")}
    for name in sorted(method.payer):
        if not told[name]:
            raise InvalidRequest(
                f"A payment by {asked.method} needs the payer's {name}: give it, or a customer who has one.",
                param=f"/payer_details/{name}",
            )
    return Payer(**told)


def _wanted_of_payers(method: str) -> frozenset[str]:
    """What anybody needs to know of who pays by this method: it may go on at another provider."""
    offered = (REGISTRY[name].capabilities.methods.get(method) for name in REGISTRY)
    return frozenset().union(*(capability.payer for capability in offered if capability))


def _expires_at(asked: PaymentRequest, method: MethodCapability) -> datetime | None:
    """A pushed prompt ends by itself; its life is the longest that the payment waits for it."""
    if method.prompt_life is None:
        return asked.expires_at
    life: timedelta = settings.PROMPT_LIFE
    return clock.now() + life


def _hint(instrument: str, method: MethodCapability) -> str:
    """What may be shown of a phone number; of a token, nothing."""
    return f"{instrument[:4]}•••{instrument[-3:]}" if method.instrument == "phone" else ""


def _prompt_lock(payment: Payment, account: ProviderAccount, method: MethodCapability) -> str | None:
    if method.prompt_life is None:
        return None
    return prompts.lock_of(account, sealing.unseal_secret(payment, "instrument").reveal())
