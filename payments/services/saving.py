"""Saving a method: written down before each call, and continued by its queue whatever dies between (money.md 5).

Every call is under a key that was known before and with the same bytes each time, so that a step may be taken again.
"""

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import transaction

from core import clock, ids
from core.crypto import Secret
from core.database import insert_ignoring
from core.errors import InvalidRequest, NoRoute
from core.http import Request
from core.providers import NothingCreated, OutcomeUnknown, ProviderFault, Unsupported
from events import sealing
from events.idempotency import Claim
from events.transitions import move, record
from merchants.customer_search import living
from merchants.models import Customer, Merchant, ProviderAccount
from payments.models import ProviderCustomer, SavedMethod
from payments.providers import REGISTRY
from payments.providers.base import Report, Step
from payments.providers.saving import Saving, SavingOrder
from payments.services import connections
from payments.services.booking import Because
from payments.services.operations import failure_of
from payments.services.places import place_in_flight
from payments.services.saved_booking import OPEN, apply_setup, fail, lock_saved
from payments.states import SavedMethodState


@dataclass(frozen=True, slots=True, kw_only=True)
class SavingRequest:
    """What a merchant asks for, parsed. `customer` is an id, `instrument` the browser's token."""

    merchant: Merchant
    livemode: bool
    customer: str
    method: str
    instrument: Secret
    provider: str = ""
    return_url: str = ""
    is_default: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    by: str = ""


def save_method(asked: SavingRequest, *, claim: Claim) -> SavedMethod:
    """Write the method down and have the provider keep it; whatever it says, the saved method exists.

    Raises before anything is written: NoRoute, InvalidRequest, ProviderBusy; AlreadyClaimed for a repeated key.
    """
    customer = living(merchant=asked.merchant.pk, livemode=asked.livemode, public_id=asked.customer, param="/customer")
    with place_in_flight(*_accounts(asked)) as account:
        saved = _new(asked, account, customer)
        with transaction.atomic():
            saved.holder = _holder(account, customer)
            claim.bind(saved.pk, saved)
        return advance_setup(saved)


def _accounts(asked: SavingRequest) -> list[ProviderAccount]:
    able = [name for name in REGISTRY if asked.method in _methods(name)]
    named = [name for name in able if asked.provider in ("", name)]
    rows = ProviderAccount.objects.filter(merchant=asked.merchant, livemode=asked.livemode, is_enabled=True)
    accounts = list(rows.filter(provider__in=named).order_by("priority", "pk"))
    if not accounts:
        mode = "live" if asked.livemode else "test"
        raise NoRoute(f"There is no enabled {mode} account that keeps a {asked.method}.", param="/method")
    return accounts


def _methods(provider: str) -> frozenset[str]:
    saving = REGISTRY[provider].capabilities.saving
    return frozenset(saving.methods) if saving else frozenset()


def _new(asked: SavingRequest, account: ProviderAccount, customer: Customer) -> SavedMethod:
    now = clock.now()
    saved = SavedMethod(
        merchant=asked.merchant,
        livemode=asked.livemode,
        customer=customer,
        account=account,
        method=asked.method,
        becomes_default=asked.is_default,
        return_url=asked.return_url,
        metadata=asked.metadata,
        reference=ids.random_reference(length=26),
        setup_key=ids.random_reference(length=32),
        closing_key=ids.random_reference(length=32),
        token_hash=sealing.token_hash(ids.random_token(), livemode=asked.livemode),
        setup_ends_at=now + settings.CUSTOMER_ACTION_LIFE,
        by=asked.by,
        lane=account.pk,
        due_at=now + settings.WORK_LEASE,
    )
    try:
        instrument = connections.connect(account).instrument(asked.instrument.reveal())
    except ValueError as error:
        raise InvalidRequest(f"{error}", param="/payment_method") from error
    sealing.seal(saved, "instrument", instrument)
    return saved


def _holder(account: ProviderAccount, customer: Customer) -> ProviderCustomer:
    """The customer's one row for this account, its exact bytes in it before any call."""
    row = ProviderCustomer(
        account=account,
        customer=customer,
        merchant_id=account.merchant_id,
        livemode=account.livemode,
        key=ids.random_reference(length=32),
    )
    saving = declared(account)
    if saving.introduces:
        step = connections.connect(account).introduce(SavingOrder(key=row.key, reference=row.pk))
        keep(row, step.request)
    else:
        row.provider_id = ids.random_reference(length=saving.customer_length)
    insert_ignoring(row)
    return ProviderCustomer.objects.get(account=account, customer=customer)


def keep(row: Any, request: Request) -> None:
    kept = [request.method, request.url, dict(request.headers), request.body.decode()]
    sealing.seal(row, "request", json.dumps(kept))


def kept_step(row: Any, step: Step) -> Step:
    """The step with the exact bytes that were sent, or were to be."""
    method, url, headers, body = json.loads(sealing.unseal(row, "request"))
    return Step(Request(method, url, headers, body.encode()), step.read)


def declared(account: ProviderAccount) -> Saving:
    saving = REGISTRY[account.provider].capabilities.saving
    if saving is None:
        raise Unsupported(f"{account.provider} keeps no methods")
    return saving


def order_of(saved: SavedMethod, *, key: str = "", **more: Any) -> SavingOrder:
    return SavingOrder(
        key=key,
        reference=saved.reference,
        customer_id=saved.holder.provider_id,
        setup_id=saved.setup_id,
        method_id=saved.provider_id,
        **more,
    )


def call(saved: SavedMethod, step: Step, *, purpose: str) -> Report:
    """Raises NothingCreated or OutcomeUnknown."""
    return connections.ask(connections.connect(saved.account), step, purpose=purpose)


def advance_setup(saved: SavedMethod) -> SavedMethod:
    """The next step of an open set-up: introduce the customer, send it, or ask about it."""
    because = Because(by=saved.by, source="answer", detail="answer to the set-up")
    outcome: Report | ProviderFault
    may_be_there = saved.request is not None
    try:
        introduce(saved)
        outcome = find_out(saved) if may_be_there else _send(saved)
    except (NothingCreated, Unsupported) as fault:
        # A refusal of a second send or of a question says nothing about the first send.
        outcome = OutcomeUnknown(f"asked again: {fault}") if may_be_there else fault
    except OutcomeUnknown as fault:
        outcome = fault
    return conclude(saved, outcome, because)


def introduce(saved: SavedMethod) -> None:
    """Have the customer at the provider. Its bytes are the same whoever sends them, and its key as well.

    A key that the provider has forgotten makes another customer there, who is empty and whom nothing points to.
    """
    holder = saved.holder
    if holder.provider_id:
        return
    step = connections.connect(saved.account).introduce(SavingOrder(key=holder.key, reference=holder.pk))
    report = call(saved, kept_step(holder, step), purpose="introduce")
    ProviderCustomer.objects.filter(pk=holder.pk, provider_id="").update(provider_id=report.provider_id)
    holder.refresh_from_db(fields=["provider_id"])


def _send(saved: SavedMethod) -> Report:
    """The first send, by whoever writes its bytes down; nobody else has sent anything before."""
    with transaction.atomic():
        locked = lock_saved(saved)
        first = locked.request is None and locked.state in OPEN
        if first:
            _write_down(locked)
    saved.refresh_from_db(fields=["request", "sent_at", "state", "sequence"])
    if not first:
        raise OutcomeUnknown("another caller is sending it")
    return _send_kept(saved)


def _write_down(locked: SavedMethod) -> None:
    token = ids.random_token()
    order = order_of(
        locked,
        key=locked.setup_key,
        instrument=sealing.unseal_secret(locked, "instrument"),
        return_url=f"{settings.PUBLIC_URL}/return/{token}",
    )
    keep(locked, connections.connect(locked.account).set_up(order).request)
    now = clock.now()
    record(
        locked,
        request=locked.request,
        token_hash=sealing.token_hash(token, livemode=locked.livemode),
        sent_at=now,
        due_at=now + settings.WORK_LEASE,
    )


def _send_kept(saved: SavedMethod) -> Report:
    step = connections.connect(saved.account).set_up(order_of(saved, key=saved.setup_key))
    return call(saved, kept_step(saved, step), purpose="set_up")


def find_out(saved: SavedMethod) -> Report:
    """By its id; without one by the same key and bytes, as long as the key is known, and then by our reference.

    A provider may have kept the very fault that lost the answer, and repeat it for the key: so it is read as well.
    """
    age = clock.now() - (saved.sent_at or saved.created_at)
    if not saved.setup_id and declared(saved.account).declaration.may_resend(age):
        with suppress(NothingCreated, OutcomeUnknown):
            return _send_kept(saved)
    return call(saved, connections.connect(saved.account).fetch_setup(order_of(saved)), purpose="fetch")


def conclude(saved: SavedMethod, outcome: Report | ProviderFault, because: Because) -> SavedMethod:
    with transaction.atomic():
        locked = lock_saved(saved)
        if isinstance(outcome, Report):
            apply_setup(locked, outcome, because)
        elif isinstance(outcome, OutcomeUnknown):
            _leave_unknown(locked, str(outcome))
        elif locked.state in OPEN and not locked.setup_id and bool(locked.request) == bool(saved.request):
            fail(locked, failure_of(outcome), because)
        schedule(locked)
    return locked


def _leave_unknown(locked: SavedMethod, detail: str) -> None:
    if locked.state == SavedMethodState.CREATED:
        move(locked, SavedMethodState.PROCESSING, by=locked.by, because=detail)


def schedule(locked: SavedMethod) -> None:
    """When its next step is due: by what the provider declares, then at the end of the set-up's time."""
    due_at = None
    if locked.state in OPEN or (locked.closing_since and not locked.closed_at):
        now, pace = clock.now(), settings.RESOLVER_PACE
        since = locked.closing_since or locked.sent_at or locked.created_at
        ask_after = declared(locked.account).declaration.next_ask((now - since) / pace)
        times = [] if ask_after is None else [since + ask_after * pace]
        if locked.state in OPEN and locked.setup_ends_at > now:
            times.append(locked.setup_ends_at)
        due_at = min(times, default=None)
    record(locked, due_at=due_at, claim=None, tries=0)
