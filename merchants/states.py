"""The lifecycle of a customer."""

from django.db.models import TextChoices

from core.states import Machine


class CustomerState(TextChoices):
    ACTIVE = "active"
    MERGED = "merged"
    ERASED = "erased"


CUSTOMER = Machine(
    start=CustomerState.ACTIVE,
    edges={
        CustomerState.ACTIVE: {CustomerState.MERGED, CustomerState.ERASED},
        CustomerState.MERGED: {CustomerState.ERASED},
        CustomerState.ERASED: set(),
    },
)
