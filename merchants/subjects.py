"""What this floor registers: its objects with a lifecycle."""

from events.subjects import Subject
from merchants import states
from merchants.customer_presentation import customer_snapshot
from merchants.models import Customer


def _relatives(customer: Customer) -> list[str]:
    return [customer.pk, *customer.duplicates.values_list("pk", flat=True)]


SUBJECTS = (
    Subject(
        prefix="cus",
        kind="customer",
        model=Customer,
        machine=states.CUSTOMER,
        present=customer_snapshot,
        facts=frozenset({"created", "updated"}),
        search=("id", "reference"),
        relatives=_relatives,
    ),
)
