"""Writing an operation down before it is sent: its order, its key, its exact bytes (money.md 5, 6)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from django.conf import settings

from core import clock, ids
from core.crypto import Secret
from core.http import Request
from core.money import Money
from core.providers import OperationDeclaration, Replay
from events import sealing, work
from merchants.doors import callback_url
from payments.models import Attempt, Dispute, Operation, Payment, Refund
from payments.providers import REGISTRY
from payments.providers.base import Kind, Line, Order, Payer
from payments.services import connections
from payments.states import OperationState

UNSETTLED = (OperationState.CREATED, OperationState.SENDING, OperationState.UNKNOWN)
CHANGES = (Kind.CONFIRM, Kind.CAPTURE, Kind.CANCEL)
"""What decides about a payment at its provider: one at a time (money.md 4)."""


def declaration(operation: Operation) -> OperationDeclaration:
    return REGISTRY[operation.attempt.account.provider].capabilities.operations[Kind(operation.kind)]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to a dispute. Its texts are kept nowhere but in the sealed bytes of the operation."""

    dispute: Dispute
    evidence: Mapping[str, str] = field(default_factory=dict, repr=False)
    submits: bool = False


def prepare(
    attempt: Attempt,
    kind: Kind,
    *,
    by: str,
    money: Money,
    refund: Refund | None = None,
    answer: Answer | None = None,
    about: Operation | None = None,
    target_id: str = "",
    sending: bool,
) -> tuple[Operation, Order]:
    """An unsaved operation and its order, the bytes sealed where they may be sent again.

    `sending` says that this process goes on to call at once; otherwise the resolver sends it.
    """
    token = ids.random_token()
    operation = Operation(
        attempt=attempt,
        refund=refund,
        dispute=answer.dispute if answer else None,
        about=about,
        merchant_id=attempt.merchant_id,
        livemode=attempt.livemode,
        kind=kind,
        key=ids.random_reference(length=32),
        token_hash=sealing.token_hash(token, livemode=attempt.livemode),
        amount=money.amount,
        currency=money.currency,
        target_id=target_id,
        by=by,
        lane=attempt.account_id,
        due_at=clock.now(),
    )
    if sending:
        operation.state = OperationState.SENDING
        operation.sent_at = clock.now()
        operation.due_at = operation.sent_at + settings.WORK_LEASE
    order = order_for(operation, token=token)
    if answer is not None:
        order = replace(order, evidence=answer.evidence, submits=answer.submits)
    if declaration(operation).replay is not Replay.NONE:
        _keep(operation, connections.connect(attempt.account).step(order).request)
    return operation, order


def order_for(operation: Operation, *, token: str = "") -> Order:
    """The operation as its adapter is asked for it. Without the token it can be asked about, not sent."""
    attempt, payment = operation.attempt, operation.attempt.payment
    account = attempt.account
    instrument, customer_id = _instrument(payment)
    return Order(
        kind=Kind(operation.kind),
        reference=attempt.provider_reference,
        operation_key=operation.key,
        money=operation.money,
        callback_url=lambda door: callback_url(account, door, operation=token),
        return_url=f"{settings.PUBLIC_URL}/return/{token}" if token else "",
        method=payment.method,
        manual_capture=payment.capture == Payment.Capture.MANUAL,
        instrument=instrument,
        description=payment.description,
        provider_id=attempt.provider_id,
        target_id=operation.target_id,
        customer_id=customer_id,
        off_session=payment.off_session,
        channel=payment.channel,
        payer=_payer(payment),
        lines=tuple(Line.from_json(line, payment.currency) for line in payment.lines),
        made_at=attempt.created_at,
        expires_at=payment.expires_at,
    )


def _instrument(payment: Payment) -> tuple[Secret | None, str]:
    """What is charged, and for a saved method the provider's id of its owner."""
    saved = payment.saved_method
    if saved is not None:
        return Secret(saved.provider_id), saved.holder.provider_id
    return (sealing.unseal_secret(payment, "instrument") if payment.instrument else None), ""


def _payer(payment: Payment) -> Payer:
    return Payer(*json.loads(sealing.unseal(payment, "payer"))) if payment.payer else Payer()


def _keep(operation: Operation, request: Request) -> None:
    kept = [request.method, request.url, dict(request.headers), request.body.decode()]
    sealing.seal(operation, "request", json.dumps(kept))


def kept_request(operation: Operation) -> Request:
    """The exact bytes that were sent, or were to be."""
    method, url, headers, body = json.loads(sealing.unseal(operation, "request"))
    return Request(method, url, headers, body.encode())


def begin_close(attempt: Attempt, *, by: str) -> None:
    """Queue a cancel at the provider, unless something is being decided there already; the resolver sends it."""
    if Operation.objects.filter(attempt=attempt, kind__in=CHANGES, state__in=UNSETTLED).exists():
        return
    operation, _ = prepare(attempt, Kind.CANCEL, by=by, money=attempt.payment.money, sending=False)
    operation.save(force_insert=True)
    work.wake_on_commit("operations")
