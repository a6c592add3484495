"""Staff's pages of customers: masked, found by exact words, and changed only by actions with a reason."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget

from core.admin import ReadOnlyAdmin
from core.admin_actions import ReasonForm, reasoned_action, staff
from core.admin_columns import (
    MODE,
    badge,
    column,
    link,
    link_column,
    moment_column,
    state_column,
    table,
    timeline,
    tones,
)
from events import subjects
from events.timeline import moments
from merchants import customers, states
from merchants.customer_search import found_by_staff
from merchants.models import Customer
from merchants.states import CustomerState

STATE = state_column({**tones(states.CUSTOMER), CustomerState.ACTIVE: "success"})
MERCHANT = column("merchant", lambda row: link(row.merchant_id, row.merchant.name))
HELD = column("legal_hold", lambda row: badge("held", "warning") if row.legal_hold else "-")
NAME = column("name", lambda row: row.name_hint or "-")
EMAIL = column("email", lambda row: row.email_hint or "-", title="e-mail")
PHONE = column("phone", lambda row: row.phone_hint or "-")


class MergeForm(ReasonForm):
    duplicate = forms.CharField(
        max_length=32,
        help_text="The id of the customer that is the same as this one: cus_…",
        widget=UnfoldAdminTextInputWidget(),
    )
    field_order = ("duplicate", "reason")


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        STATE,
        NAME,
        EMAIL,
        PHONE,
        "reference",
        MERCHANT,
        HELD,
        MODE,
        moment_column("created_at"),
    )
    list_select_related = ("merchant",)
    list_filter = ("state", "type", "legal_hold", "livemode")
    search_help_text = "exactly: an id, a merchant's reference, a phone number or an e-mail address"
    fields = (
        ("id", STATE),
        (NAME, "type"),
        (EMAIL, PHONE),
        (column("address", lambda row: "kept, and not shown" if row.address else "-"), "reference"),
        (MERCHANT, MODE),
        (link_column("merged_into_id", title="merged into"), HELD, "legal_hold_reason"),
        (moment_column("created_at"), moment_column("erased_at")),
    )
    actions_detail = ("merge", "erase", "hold", "end_hold")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("name", "email", "phone", "metadata")

    def find(self, term: str) -> Iterable[str]:
        return found_by_staff(term)

    def sections(self, row: Customer) -> Iterable[tuple[str, Any]]:
        duplicates = row.duplicates.order_by("pk")
        if duplicates:
            yield (
                "Merged into this one",
                table(("id", "reference"), ((link(one.pk), one.reference) for one in duplicates)),
            )
        yield "History", timeline(moments(subjects.of(row).relatives(row)))

    @reasoned_action(
        title="Merge a duplicate",
        permission="merchants.merge_customer",
        explain="The duplicate's id is answered with this customer from then on, who takes over contact data that it "
        "lacked. This cannot be taken back.",
        icon="merge",
        applies=lambda row: row.state == CustomerState.ACTIVE,
        form=lambda row, data: MergeForm(data),
    )
    def merge(self, request: HttpRequest, customer: Customer, form: Any) -> str:
        duplicate = form.cleaned_data["duplicate"].strip()
        customers.merge_customers(survivor=customer, duplicate=duplicate, by=staff(request))
        return "Merged."

    @reasoned_action(
        title="Erase",
        permission="merchants.erase_customer",
        explain="The key of everything that is kept of this customer, and of every duplicate, is destroyed. "
        "Payments stay and point to an empty row. This cannot be taken back.",
        icon="delete_forever",
        applies=lambda row: row.state != CustomerState.ERASED,
    )
    def erase(self, request: HttpRequest, customer: Customer, form: Any) -> str:
        customers.erase_customer(customer, by=staff(request))
        return "Erased."

    @reasoned_action(
        title="Legal hold",
        permission="merchants.hold_customer",
        explain="Until the hold is ended nobody can erase this customer, or whoever it is merged with. The merchant "
        "is told that there is a hold, not why.",
        icon="gavel",
        applies=lambda row: not row.legal_hold and row.state != CustomerState.ERASED,
    )
    def hold(self, request: HttpRequest, customer: Customer, form: Any) -> str:
        customers.hold(customer, reason=form.cleaned_data["reason"], by=staff(request))
        return "Held."

    @reasoned_action(
        title="End the legal hold",
        permission="merchants.hold_customer",
        explain="From then on the customer can be erased.",
        icon="lock_open",
        applies=lambda row: row.legal_hold,
    )
    def end_hold(self, request: HttpRequest, customer: Customer, form: Any) -> str:
        customers.end_hold(customer, by=staff(request))
        return "The hold has ended."
