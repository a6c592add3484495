"""The verbs on customers: create, change, merge, erase, hold (security.md 2 to 5).

Nothing of a customer but ids leaves its row: not in events, audit entries or logs.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from core import clock, contacts, ids
from core.crypto import KeyRing
from core.database import insert_all, violated
from core.errors import Conflict, CustomerErased, InvalidRequest, LegalHold, ReferenceTaken
from events import audit, outbox, sealing, work
from events.idempotency import Claim
from events.models import AuditEntry
from events.sealing import SubjectKeys
from events.transitions import move, record
from merchants.models import Customer, Merchant
from merchants.states import CustomerState

CONTACT = ("name", "email", "phone", "address")
_PLAIN = ("type", "reference", "metadata")
_MASKS: Mapping[str, Callable[[str], str]] = {
    "name": contacts.masked_name,
    "email": contacts.masked_email,
    "phone": contacts.masked_phone,
}
_SEARCHED: Mapping[str, Callable[[str], str]] = {"email": contacts.email, "phone": str}
"""What is found by fingerprint, and in which form; phones come in E.164."""

Repoint = Callable[[Customer, Customer], None]
_pointers: list[Repoint] = []
Forget = Callable[[Customer, str], None]
_keepers: list[Forget] = []


def on_merge(repoint: Repoint) -> None:
    """Register what a table that points to customers does when two are merged: `repoint(survivor, duplicate)`.

    It is called in the merge's transaction with both rows locked. Without it, what points to the duplicate stays
    there, and is found through `everyone_of`.
    """
    _pointers.append(repoint)


def on_erase(forget: Forget) -> None:
    """Register what a table that points to customers does when one is erased: `forget(customer, by)`.

    It is called in the erasure's transaction with the row locked, for the customer and for each duplicate.
    """
    _keepers.append(forget)


def create_customer(
    *, merchant: Merchant, livemode: bool, given: Mapping[str, Any], by: str, claim: Claim | None = None
) -> Customer:
    """A customer with a data key of its own. `given` holds any of CONTACT, and type, reference and metadata.

    Raises ReferenceTaken; with a claim, AlreadyClaimed for a repeated key.
    """
    customer = Customer(merchant=merchant, livemode=livemode, sequence=1)
    with transaction.atomic(), _free_reference():
        sealing.make_data_key(customer)
        for name, value in _columns(customer, given).items():
            setattr(customer, name, value)
        event = outbox.stage(customer, "customer.created", sequence=1)
        if claim is not None:
            claim.bind(customer.pk, customer, event)
        else:
            insert_all(customer, event, _told(customer, "customer.created", by))
        work.wake_on_commit("outbox")
    return customer


def change_customer(customer: Customer, *, given: Mapping[str, Any], by: str) -> Customer:
    """Change what is given; of a duplicate, the survivor. Raises ReferenceTaken and CustomerErased."""
    while True:
        with transaction.atomic(), _free_reference():
            locked = Customer.objects.select_for_update(no_key=True).get(pk=customer.survivor.pk)
            if locked.state != CustomerState.MERGED:
                return _change(locked, given, by)
        customer = locked


def _change(customer: Customer, given: Mapping[str, Any], by: str) -> Customer:
    _demand_living(customer)
    if given:
        record(customer, **_columns(customer, given))
        outbox.publish(customer, "updated")
        _record(customer, "customer.updated", by, fields=sorted(given))
    return customer


def merge_customers(*, survivor: Customer, duplicate: str, by: str) -> Customer:
    """Let the survivor answer for the duplicate (an id), and take from it what the survivor lacks.

    Twice is the same as once. Gives the survivor. Raises InvalidRequest for one and the same, Conflict for a
    duplicate that another answers for, CustomerErased.
    """
    with transaction.atomic():
        _one_at_a_time(survivor)
        kept = _now(survivor).survivor
        gone = _duplicate_of(kept, duplicate)
        if gone.merged_into_id is None:
            rows = Customer.objects.select_for_update(no_key=True).in_bulk([kept.pk, gone.pk])
            kept = rows[kept.pk]
            _merge(kept, rows[gone.pk], by)
    return kept


def _duplicate_of(survivor: Customer, public_id: str) -> Customer:
    rows = Customer.objects.filter(merchant=survivor.merchant_id, livemode=survivor.livemode)
    duplicate = rows.filter(pk=public_id).first() if ids.is_id(public_id, "cus") else None
    if duplicate is None:
        raise InvalidRequest("There is no such customer.", param="/duplicate")
    if duplicate.pk == survivor.pk:
        raise InvalidRequest(f"{survivor.pk} cannot be merged into itself.", param="/duplicate")
    _demand_living(survivor)
    _demand_living(duplicate)
    if duplicate.merged_into_id not in (None, survivor.pk):
        raise Conflict(f"{duplicate.pk} was merged into {duplicate.merged_into_id} before.", param="/duplicate")
    return duplicate


def _merge(survivor: Customer, duplicate: Customer, by: str) -> None:
    Customer.objects.filter(merged_into=duplicate.pk).update(merged_into=survivor.pk)
    why = f"merged into {survivor.pk}"
    move(duplicate, CustomerState.MERGED, by=by, because=why, merged_into_id=survivor.pk)
    for repoint in _pointers:
        repoint(survivor, duplicate)
    held = contact_of(duplicate)
    lacked = {name: held[name] for name in CONTACT if getattr(survivor, name) is None and held[name]}
    if lacked:
        record(survivor, **_columns(survivor, lacked))
        outbox.publish(survivor, "updated")
    _record(survivor, "customer.merged", by, duplicate=duplicate.pk, taken=sorted(lacked))


def erase_customer(customer: Customer, *, by: str) -> Customer:
    """Destroy the data keys and fingerprints of a customer and of every duplicate, and empty their rows.

    Raises LegalHold when one of them must be kept. Twice is the same as once.
    """
    with transaction.atomic():
        _one_at_a_time(customer)
        survivor = _now(customer).survivor
        everyone = Q(pk=survivor.pk) | Q(merged_into=survivor.pk)
        rows = list(
            Customer.objects.select_for_update(no_key=True).filter(everyone).exclude(state=CustomerState.ERASED)
        )
        if any(row.legal_hold for row in rows):
            raise LegalHold("This customer's data must be kept for now. Nothing was erased.")
        for row in rows:
            _erase(row, by)
    return _now(customer)


def _erase(row: Customer, by: str) -> None:
    for forget in _keepers:
        forget(row, by)
    destroyed = sealing.destroy_data_key(row)
    emptied: dict[str, Any] = dict.fromkeys([*CONTACT, "reference", "email_fingerprint", "phone_fingerprint"])
    emptied |= dict.fromkeys([*(f"{name}_hint" for name in _MASKS), "fingerprint_key"], "")
    move(row, CustomerState.ERASED, by=by, because="erased", **emptied, metadata={}, erased_at=clock.now())
    _record(row, "customer.erased", by, data_key=destroyed)


def hold(customer: Customer, *, reason: str, by: str) -> None:
    """Keep the customer from being erased, and with it whoever it is merged with. Raises CustomerErased."""
    _set_hold(customer, reason, by, "customer.held")


def end_hold(customer: Customer, *, by: str) -> None:
    _set_hold(customer, "", by, "customer.hold_ended")


def _set_hold(customer: Customer, reason: str, by: str, action: str) -> None:
    with transaction.atomic():
        _one_at_a_time(customer)
        locked = Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
        _demand_living(locked)
        record(locked, legal_hold=bool(reason), legal_hold_reason=reason)
        _record(locked, action, by)


def contact_of(customer: Customer, *, keys: SubjectKeys | None = None) -> dict[str, Any]:
    """The contact data, opened: texts, the address a mapping, None for what is not known."""
    held = keys or SubjectKeys()
    opened = {name: _opened(customer, name, held) for name in CONTACT}
    return {**opened, "address": json.loads(opened["address"]) if opened["address"] else None}


def renew_fingerprints(*, at_once: int = 500) -> int:
    """Make the fingerprints anew that were made under a master key no longer the first; how many rows changed."""
    ring: KeyRing = settings.KEY_RING
    stale = Customer.objects.exclude(fingerprint_key__in=["", ring.active]).order_by("pk")
    changed = 0
    while True:
        with transaction.atomic():
            rows = list(stale.select_for_update(no_key=True)[:at_once])
            keys = SubjectKeys()
            keys.fetch(rows)
            for row in rows:
                record(row, **_fingerprints(row, keys))
        changed += len(rows)
        if len(rows) < at_once:
            return changed


def _opened(customer: Customer, name: str, keys: SubjectKeys) -> str | None:
    return sealing.unseal(customer, name, keys=keys).decode() if getattr(customer, name) is not None else None


def _columns(customer: Customer, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the columns of the row come to with what is given; an empty text or None clears."""
    keys = SubjectKeys()
    columns: dict[str, Any] = {name: given[name] for name in _PLAIN if name in given}
    if "reference" in columns:
        columns["reference"] = columns["reference"] or None
    for name in (name for name in CONTACT if name in given):
        columns |= _sealed(customer, name, given[name], keys)
    return columns | (_fingerprints(customer, keys) if set(given) & set(_SEARCHED) else {})


def _sealed(customer: Customer, name: str, value: Any, keys: SubjectKeys) -> dict[str, Any]:
    if value:
        sealing.seal(customer, name, json.dumps(value) if name == "address" else value, keys=keys)
    else:
        setattr(customer, name, None)
    hint = {f"{name}_hint": _MASKS[name](value) if value else ""} if name in _MASKS else {}
    return {name: getattr(customer, name), **hint}


def _fingerprints(customer: Customer, keys: SubjectKeys) -> dict[str, Any]:
    """All of them at once, so that one column says under which master key."""
    ring: KeyRing = settings.KEY_RING
    made: dict[str, Any] = {"fingerprint_key": ring.active}
    for name, normalised in _SEARCHED.items():
        value = _opened(customer, name, keys)
        made[f"{name}_fingerprint"] = (
            sealing.fingerprint(name, customer.merchant_id, normalised(value), livemode=customer.livemode)
            if value
            else None
        )
    return made


def _one_at_a_time(customer: Customer) -> None:
    """Merges, erasures and holds of a merchant wait for each other: they take several rows, in any order."""
    Merchant.objects.select_for_update(no_key=True).get(pk=customer.merchant_id)


def _now(customer: Customer) -> Customer:
    return Customer.objects.select_related("merged_into").get(pk=customer.pk)


def _demand_living(customer: Customer) -> None:
    if customer.state == CustomerState.ERASED:
        raise CustomerErased(f"{customer.pk} was erased.")


@contextmanager
def _free_reference() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if violated(error) != "one_customer_per_reference":
            raise
        raise ReferenceTaken("Another customer has this reference.", param="/reference") from None


def _record(customer: Customer, action: str, by: str, **detail: Any) -> None:
    insert_all(_told(customer, action, by, **detail))


def _told(customer: Customer, action: str, by: str, **detail: Any) -> AuditEntry:
    return audit.entry(
        actor=by,
        action=action,
        merchant=customer.merchant_id,
        livemode=customer.livemode,
        object_id=customer.pk,
        detail=detail,
    )
