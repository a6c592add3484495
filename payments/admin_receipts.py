"""Staff's pages of money that came without a payment, and of the addresses that it came to."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget

from core.admin import ReadOnlyAdmin
from core.admin_actions import ReasonForm, reasoned_action, staff
from core.admin_columns import (
    MODE,
    column,
    link,
    link_column,
    moment_column,
    state_column,
    timeline,
    tones,
)
from core.errors import InvalidRequest
from events.timeline import moments
from merchants.admin_stores import StoreFilter
from payments import states
from payments.models import Receipt, Registration, ReportedReceipt, UnallocatedReceipt
from payments.services import assigning, reporting
from payments.services.assigning import NewPayment
from payments.states import UnallocatedState

MERCHANT = column("merchant", lambda row: link(row.merchant_id, row.merchant.name))


class AssignForm(ReasonForm):
    """Whose the money is: a payment there is, or a new one with a reference."""

    field_order = ("payment", "reference", "reason")
    payment = forms.CharField(
        max_length=32,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="The id of a payment at the same account. Leave it empty to make one of this amount.",
    )
    reference = forms.CharField(
        max_length=100,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="The merchant's reference of the payment that is made.",
    )

    def clean(self) -> None:
        if self.cleaned_data.get("payment") and self.cleaned_data.get("reference"):
            self.add_error("reference", "A payment that is there already has its own.")

    def target(self) -> str | NewPayment:
        return self.cleaned_data["payment"] or NewPayment(reference=self.cleaned_data["reference"])


@admin.register(UnallocatedReceipt)
class UnallocatedReceiptAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        state_column(tones(states.UNALLOCATED)),
        column("amount", lambda row: str(row.money)),
        "reference",
        column("receipt", lambda row: row.receipt.provider_money_id),
        MERCHANT,
        column("store", lambda row: link(row.store_id, row.store.name) if row.store else "-"),
        MODE,
        moment_column("created_at"),
    )
    list_select_related = ("receipt", "merchant", "account", "store")
    list_filter = ("state", StoreFilter, "livemode")
    search_help_text = "exactly: an id, the provider's number of the receipt, or a merchant"
    fields = (
        ("id", state_column(tones(states.UNALLOCATED))),
        (column("amount", lambda row: str(row.money)), column("receipt", lambda row: row.receipt.provider_money_id)),
        ("reference", column("payer", lambda row: row.payer_hint or "-")),
        (MERCHANT, column("account", lambda row: link(row.account_id, str(row.account))), MODE),
        (link_column("store_id"), link_column("static_code_id")),
        (link_column("payment_id"), moment_column("created_at")),
    )
    actions_detail = ("assign",)

    def find(self, term: str) -> list[str]:
        if term.startswith("mer_"):
            return list(
                UnallocatedReceipt.objects.filter(merchant=term).order_by("-pk").values_list("pk", flat=True)[:1000]
            )
        accounts = list(UnallocatedReceipt.objects.order_by().values_list("account", flat=True).distinct())
        named = Receipt.objects.filter(account__in=accounts, provider_money_id=term)
        return [term, *UnallocatedReceipt.objects.filter(receipt__in=named).values_list("pk", flat=True)[:1000]]

    def sections(self, row: UnallocatedReceipt) -> Any:
        yield "History", timeline(moments([row.pk]))

    @reasoned_action(
        title="Assign",
        permission="payments.assign_receipt",
        explain="The money becomes this payment's, which then goes where its money takes it, and the merchant is told. "
        "This cannot be taken back.",
        icon="assignment_turned_in",
        applies=lambda row: row.state == UnallocatedState.OPEN,
        form=lambda row, data: AssignForm(data),
    )
    def assign(self, request: HttpRequest, unallocated: UnallocatedReceipt, form: Any) -> str:
        try:
            assigned = assigning.assign(unallocated, form.target(), by=staff(request))
        except InvalidRequest as refusal:
            raise ValueError(f"'payment': {refusal.detail}") from refusal
        return f"Assigned to {assigned.payment_id}."


@admin.register(ReportedReceipt)
class ReportedReceiptAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "outcome",
        column("told", lambda row: str(row.money)),
        column("receipt", lambda row: row.provider_money_id),
        "reference",
        MERCHANT,
        MODE,
        moment_column("created_at"),
    )
    list_select_related = ("account", "merchant")
    list_filter = ("outcome", "livemode")
    search_help_text = "exactly: an id, the provider's number of the receipt, or a payment"
    fields = (
        ("id", "outcome", "provider_status"),
        (column("told", lambda row: str(row.money)), column("receipt", lambda row: row.provider_money_id)),
        ("reference", column("payer", lambda row: row.payer_hint or "-"), link_column("payment_id")),
        (column("account", lambda row: link(row.account_id, str(row.account))), MERCHANT, MODE),
        ("asked", moment_column("due_at"), moment_column("created_at"), moment_column("concluded_at")),
    )
    actions_detail = ("ask_again",)

    def find(self, term: str) -> list[str]:
        if term.startswith("pay_"):
            named = ReportedReceipt.objects.filter(payment=term)
        else:
            accounts = list(ReportedReceipt.objects.order_by().values_list("account", flat=True).distinct())
            named = ReportedReceipt.objects.filter(account__in=accounts, provider_money_id=term)
        return [term, *named.values_list("pk", flat=True)[:1000]]

    @reasoned_action(
        title="Ask again",
        permission="payments.ask_about_receipt",
        explain="The provider is asked once more whether this money has come. Only its answer books it.",
        icon="contact_support",
        applies=lambda row: row.outcome != ReportedReceipt.Outcome.CONFIRMED,
    )
    def ask_again(self, request: HttpRequest, row: ReportedReceipt, form: Any) -> str:
        reporting.ask_again(row)
        return "Asked. Look again in a moment."


@admin.register(Registration)
class RegistrationAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "outcome",
        column("account", lambda row: link(row.account_id, str(row.account))),
        "message",
        MERCHANT,
        MODE,
        moment_column("created_at"),
    )
    list_select_related = ("account", "merchant")
    list_filter = ("outcome", "livemode")
    search_help_text = "the id of a registration or of an account, exactly"
    fields = (
        ("id", "outcome"),
        (column("account", lambda row: link(row.account_id, str(row.account))), MERCHANT, MODE),
        ("provider_code", "message"),
        ("by", moment_column("created_at"), moment_column("sent_at")),
    )

    def find(self, term: str) -> list[str]:
        return [term, *Registration.objects.filter(account=term).order_by("-pk").values_list("pk", flat=True)[:1000]]
