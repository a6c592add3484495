"""Stripe's calls: what each takes and does. The list is the simulator's whole promise.

Source: docs.stripe.com/api (payment_intents, setup_intents, customers, payment_methods, refunds, charges,
balance_transactions, events, webhook_endpoints, disputes).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulators.server import Request
from simulators.stripe import charges as charges
from simulators.stripe import customers as customers
from simulators.stripe import disputes as disputes
from simulators.stripe import intents as intents
from simulators.stripe import refunds as refunds
from simulators.stripe import setups as setups
from simulators.stripe import webhooks as webhooks
from simulators.stripe.account import Account, Cause
from simulators.stripe.reading import PAGING, list_rows

JSON = dict[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """One call of the API: what it does under the account's lock, the kind of object that it answers with, alone
    or in a list, and the parameters that it takes.
    """

    act: Callable[[Account, Cause, Request], JSON]
    kind: str
    parameters: tuple[str, ...] = ()
    listed: bool = False


def _retrieve(kind: str, param: str) -> Endpoint:
    return Endpoint(lambda account, cause, request: account.need(kind, request.parameters[param], param=param), kind)


def _listing(kind: str, prefix: str, *filters: str) -> Endpoint:
    def act(account: Account, cause: Cause, request: Request) -> JSON:
        return list_rows(account.tables[prefix].newest_first(), request.path, cause.parameters, filters)

    return Endpoint(act, kind, (*PAGING, *filters), listed=True)


def _methods_of_customer() -> Endpoint:
    def act(account: Account, cause: Cause, request: Request) -> JSON:
        customer = account.need("customer", request.parameters["customer"], param="customer")
        rows = customers.methods_of(account, customer["id"])
        return list_rows(rows, request.path, cause.parameters, ("type",))

    return Endpoint(act, "payment_method", (*PAGING, "type"), listed=True)


def _on(kind: str, param: str, step: Callable[[Account, Cause, JSON], JSON], *parameters: str) -> Endpoint:
    def act(account: Account, cause: Cause, request: Request) -> JSON:
        return step(account, cause, account.need(kind, request.parameters[param], param=param))

    return Endpoint(act, kind, parameters)


def _on_intent(step: Callable[[Account, Cause, JSON], JSON], *parameters: str) -> Endpoint:
    return _on("payment_intent", "intent", step, *parameters)


ENDPOINTS = {
    "POST /v1/payment_intents": Endpoint(
        lambda a, c, r: intents.create(a, c), "payment_intent", intents.CREATE_PARAMETERS
    ),
    "GET /v1/payment_intents": _listing("payment_intent", "pi", "customer"),
    "GET /v1/payment_intents/{intent}": _retrieve("payment_intent", "intent"),
    "POST /v1/payment_intents/{intent}": _on_intent(intents.update, *intents.UPDATE_PARAMETERS),
    "POST /v1/payment_intents/{intent}/confirm": _on_intent(intents.confirm, *intents.CONFIRM_PARAMETERS),
    "POST /v1/payment_intents/{intent}/capture": _on_intent(charges.capture, "amount_to_capture"),
    "POST /v1/payment_intents/{intent}/cancel": _on_intent(intents.cancel, "cancellation_reason"),
    "POST /v1/refunds": Endpoint(lambda a, c, r: refunds.create(a, c), "refund", refunds.CREATE_PARAMETERS),
    "GET /v1/refunds": _listing("refund", "re", "charge", "payment_intent"),
    "GET /v1/refunds/{refund}": _retrieve("refund", "refund"),
    "POST /v1/refunds/{refund}/cancel": _on("refund", "refund", refunds.cancel),
    "GET /v1/charges/{charge}": _retrieve("charge", "charge"),
    "POST /v1/customers": Endpoint(lambda a, c, r: customers.create(a, c), "customer", customers.CUSTOMER_PARAMETERS),
    "GET /v1/customers": _listing("customer", "cus", "email"),
    "GET /v1/customers/{customer}": _retrieve("customer", "customer"),
    "POST /v1/customers/{customer}": _on("customer", "customer", customers.update, *customers.CUSTOMER_PARAMETERS),
    "DELETE /v1/customers/{customer}": _on("customer", "customer", customers.delete),
    "GET /v1/customers/{customer}/payment_methods": _methods_of_customer(),
    "POST /v1/setup_intents": Endpoint(lambda a, c, r: setups.create(a, c), "setup_intent", setups.CREATE_PARAMETERS),
    "GET /v1/setup_intents": _listing("setup_intent", "seti", "customer", "payment_method"),
    "GET /v1/setup_intents/{intent}": _retrieve("setup_intent", "intent"),
    "POST /v1/setup_intents/{intent}/confirm": _on(
        "setup_intent", "intent", setups.confirm, *setups.CONFIRM_PARAMETERS
    ),
    "POST /v1/setup_intents/{intent}/cancel": _on("setup_intent", "intent", setups.cancel, "cancellation_reason"),
    "GET /v1/payment_methods": _listing("payment_method", "pm", "customer", "type"),
    "GET /v1/payment_methods/{payment_method}": _retrieve("payment_method", "payment_method"),
    "POST /v1/payment_methods/{payment_method}": _on(
        "payment_method", "payment_method", customers.update_method, *customers.METHOD_PARAMETERS
    ),
    "POST /v1/payment_methods/{payment_method}/attach": Endpoint(
        lambda a, c, r: customers.attach(a, c, r.parameters["payment_method"]), "payment_method", ("customer",)
    ),
    "POST /v1/payment_methods/{payment_method}/detach": _on("payment_method", "payment_method", customers.detach),
    "GET /v1/balance_transactions": _listing("balance_transaction", "txn", "source", "type", "currency"),
    "GET /v1/balance_transactions/{id}": _retrieve("balance_transaction", "id"),
    "GET /v1/disputes/{dispute}": _retrieve("dispute", "dispute"),
    "GET /v1/disputes": _listing("dispute", "dp", "charge", "payment_intent"),
    "POST /v1/disputes/{dispute}": _on("dispute", "dispute", disputes.update, *disputes.UPDATE_PARAMETERS),
    "POST /v1/disputes/{dispute}/close": _on("dispute", "dispute", disputes.accept),
    "GET /v1/events": _listing("event", "evt", "type", "types"),
    "GET /v1/events/{id}": _retrieve("event", "id"),
    "POST /v1/webhook_endpoints": Endpoint(
        lambda a, c, r: webhooks.create_endpoint(a, c.parameters), "webhook_endpoint", webhooks.ENDPOINT_PARAMETERS
    ),
    "GET /v1/webhook_endpoints": _listing("webhook_endpoint", "we"),
    "GET /v1/webhook_endpoints/{webhook_endpoint}": _retrieve("webhook_endpoint", "webhook_endpoint"),
    "POST /v1/webhook_endpoints/{webhook_endpoint}": _on(
        "webhook_endpoint",
        "webhook_endpoint",
        lambda account, cause, endpoint: webhooks.update_endpoint(account, endpoint, cause.parameters),
        *webhooks.ENDPOINT_PARAMETERS,
    ),
    "DELETE /v1/webhook_endpoints/{webhook_endpoint}": _on(
        "webhook_endpoint",
        "webhook_endpoint",
        lambda account, cause, endpoint: webhooks.delete_endpoint(account, endpoint),
    ),
}
