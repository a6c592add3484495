"""How customers look from outside: in answers, and as bare ids in events."""

from typing import Any

from core import clock
from events.sealing import SubjectKeys
from merchants.customers import contact_of
from merchants.models import Customer
from merchants.states import CustomerState


def present_customer(customer: Customer, *, keys: SubjectKeys | None = None) -> dict[str, Any]:
    """As the API shows it to the merchant whose it is. A duplicate shows its survivor, under its own id."""
    if customer.state == CustomerState.ERASED:
        return _erased(customer)
    survivor = customer.survivor
    return {
        "id": customer.pk,
        "object": "customer",
        "state": customer.state,
        "type": survivor.type,
        **contact_of(survivor, keys=keys),
        "reference": survivor.reference,
        "metadata": survivor.metadata,
        "merged_into": customer.merged_into_id,
        "livemode": customer.livemode,
        "created_at": clock.rfc3339(customer.created_at),
        "erased_at": None,
    }


def customer_snapshot(customer: Customer) -> dict[str, Any]:
    """As events carry it. They outlive an erasure, so nothing in them is about the person (security.md 4, 5)."""
    return {
        "id": customer.pk,
        "object": "customer",
        "state": customer.state,
        "merged_into": customer.merged_into_id,
        "livemode": customer.livemode,
        "created_at": clock.rfc3339(customer.created_at),
        "erased_at": clock.rfc3339(customer.erased_at) if customer.erased_at else None,
    }


def _erased(customer: Customer) -> dict[str, Any]:
    return {
        "id": customer.pk,
        "object": "customer",
        "livemode": customer.livemode,
        "created_at": clock.rfc3339(customer.created_at),
        "erased_at": clock.rfc3339(customer.erased_at) if customer.erased_at else None,
    }
