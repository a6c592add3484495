"""From a provider's callback to a service call (money.md 10 to 13)."""

from collections.abc import Mapping
from typing import Any

from core import addresses
from core.providers import Door, Forged, Proof, Unreadable
from events import inbox, sealing
from events.inbox import Arrival, DoorAnswer
from events.models import Callback
from merchants.models import ProviderAccount
from payments import arrivals, deciding_callbacks, named_callbacks, proven_callbacks
from payments.models import Attempt, Operation, ReportedReceipt
from payments.providers.base import Admission, CallbackAnswer, PaymentProvider, RawCallback, Topic
from payments.services import connections, reporting, resolving


class PaymentCallbacks:
    """The events.inbox.Handler of one payment provider."""

    def __init__(self, provider: type[PaymentProvider[Any, Any]]) -> None:
        self._provider = provider
        self.doors: Mapping[str, Door] = provider.capabilities.doors

    def find_operation(self, account: ProviderAccount, token: str) -> str:
        held = Operation.objects.filter(token_hash__in=sealing.token_hashes(token), attempt__account=account)
        return held.values_list("pk", flat=True).first() or reporting.find(account, token)

    def verify(self, arrival: Arrival) -> None:
        adapter = connections.connect(arrival.account, at=arrival.at)
        listed = adapter.source_addresses()
        door = self.doors[arrival.door]
        if not listed and door.proof is Proof.WEAK and not (door.per_operation or door.signed):
            raise Forged("the account lists no source addresses, and nothing else vouches for this door")
        if listed and not addresses.is_listed(arrival.address, listed):
            if arrival.operation:
                _ask_instead(arrival.operation)
            raise Forged(f"{arrival.address} is not on the account's list of source addresses")
        try:
            adapter.verify(_raw(arrival))
        except Forged:
            _ask_about(arrival, adapter)
            raise

    def event_key(self, arrival: Arrival) -> str:
        try:
            return connections.connect(arrival.account).read_callback(_raw(arrival)).event_id
        except Unreadable:
            return ""

    def answer(self, arrival: Arrival) -> DoorAnswer:
        adapter = connections.connect(arrival.account)
        if not self.doors[arrival.door].wants_answer:
            answer = adapter.answer(_raw(arrival))
        elif arrival.outcome in list(Admission):
            answer = adapter.admit(_raw(arrival), Admission(arrival.outcome))
        else:
            answer = CallbackAnswer(400, "text/plain", b"unreadable")
        return DoorAnswer(answer.status, answer.content_type, answer.body, answer.headers)

    def process(self, callback: Callback) -> None:
        adapter = connections.connect(ProviderAccount.objects.get(pk=callback.account))
        raw = RawCallback(callback.door, *inbox.contents(callback))
        try:
            self._follow(callback, adapter, raw)
        except Unreadable as fault:
            inbox.finish(callback, Callback.State.PARKED, note=f"unreadable: {fault}")

    def _follow(self, callback: Callback, adapter: PaymentProvider[Any, Any], raw: RawCallback) -> None:
        notice = adapter.read_callback(raw)
        if notice.livemode is not None and notice.livemode != callback.livemode:
            inbox.finish(callback, Callback.State.QUARANTINED, note="its mode is not the account's")
        elif ReportedReceipt.is_named(callback.operation):
            arrivals.follow_answer(callback, notice)
        elif notice.topic in (Topic.ARRIVAL, Topic.VALIDATION):
            arrivals.follow(callback, notice)
        elif self.doors[callback.door].proof is Proof.WEAK:
            named_callbacks.follow(callback, notice, adapter, raw)
        elif self.doors[callback.door].wants_answer and notice.topic is Topic.PAYMENT:
            deciding_callbacks.follow(callback, notice)
        else:
            proven_callbacks.follow(callback, notice)


def _raw(arrival: Arrival) -> RawCallback:
    return RawCallback(arrival.door, arrival.headers, arrival.body)


def _ask_about(arrival: Arrival, adapter: PaymentProvider[Any, Any]) -> None:
    """What a callback with a wrong signature names is asked about: perhaps only the secret has changed."""
    try:
        named = adapter.read_callback(_raw(arrival)).payment_provider_id
    except Unreadable:
        return
    attempt = Attempt.objects.filter(account=arrival.account, provider_id=named).first() if named else None
    if attempt is not None:
        resolving.ask_now(attempt.payment_id)


def _ask_instead(operation_id: str) -> None:
    """A callback that is not believed still tells that there may be news."""
    if ReportedReceipt.is_named(operation_id):
        reporting.ask_now(operation_id)
        return
    payment_id = Operation.objects.values_list("attempt__payment", flat=True).get(pk=operation_id)
    resolving.ask_now(payment_id)
