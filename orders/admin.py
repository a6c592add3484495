"""Staff's pages of order sources, and of the orders that payments were asked for there."""

import json
from collections.abc import Iterable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from core.admin import FormAdmin, ReadOnlyAdmin
from core.admin_actions import reasoned_action, staff
from core.admin_columns import MODE, badge, column, link, link_column, moment_column, page_of
from core.errors import ApiError
from merchants.models import Merchant
from orders import sources
from orders.mapping import EXPIRED, PAID, REFUNDED, Schema
from orders.models import Order, OrderSource
from orders.serializers import MappingInput

MERCHANT = column("merchant", lambda row: link(row.merchant_id, row.merchant.name))
IN_USE = column("in_use", lambda row: badge("on", "success") if row.is_enabled else badge("off", "danger"))
FAULT = column("fault", lambda row: row.fault or "-")
_TONES = {PAID: "success", REFUNDED: "info", EXPIRED: ""}
WRITTEN = column("written", lambda row: badge(row.written, _TONES[row.written]) if row.written else "-")


class SourceForm(forms.Form):
    merchant = forms.ModelChoiceField(queryset=Merchant.objects.order_by("name"), widget=UnfoldAdminSelectWidget())
    livemode = forms.BooleanField(required=False, label="Live mode", widget=UnfoldBooleanWidget())
    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget())
    database = forms.ChoiceField(help_text="As ORDER_DATABASES names it.", widget=UnfoldAdminSelectWidget())
    schema = forms.ChoiceField(
        choices=[(schema.value, schema.value) for schema in Schema], widget=UnfoldAdminSelectWidget()
    )
    mapping = forms.JSONField(
        required=False,
        help_text="For the schema `mapping` alone: see docs/point-of-sale.md.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 12}),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        known = [(name, name) for name in sorted(settings.ORDER_DATABASES)]
        self.fields["database"].choices = known  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if (given.get("schema") == Schema.MAPPING) != bool(given.get("mapping")):
            raise forms.ValidationError("A mapping is for the schema `mapping`, which needs one.")
        return given

    def clean_mapping(self) -> dict[str, Any] | None:
        if not self.cleaned_data["mapping"]:
            return None
        read = MappingInput(data=self.cleaned_data["mapping"])
        if not read.is_valid():
            raise forms.ValidationError(json.dumps(read.errors))
        mapping: dict[str, Any] = read.validated_data
        return mapping


@admin.register(OrderSource)
class OrderSourceAdmin(FormAdmin):
    list_display = ("id", "name", MERCHANT, "database", "schema", IN_USE, FAULT, MODE)
    list_select_related = ("merchant",)
    list_filter = ("is_enabled", "schema", "livemode")
    search_help_text = "the id of a source or of a merchant, exactly"
    fields = (
        ("id", "name"),
        (MERCHANT, MODE),
        ("database", "schema", "table"),
        (IN_USE, FAULT),
        column("mapping", lambda row: json.dumps(row.mapping, indent=2) if row.mapping else "-"),
        (moment_column("verified_at"), moment_column("created_at")),
    )
    actions_detail = ("switch_off", "switch_on")
    add_form = SourceForm
    add_explain = "Its tables are looked at before it is kept: what is missing there is named."

    def find(self, term: str) -> Iterable[str]:
        return [term, *OrderSource.objects.filter(merchant=term).values_list("pk", flat=True)[:1000]]

    def add(self, request: HttpRequest, form: forms.Form) -> HttpResponse:
        try:
            source = sources.create_source(by=staff(request), **form.cleaned_data)
        except ApiError as refusal:
            for told in [fault.detail for fault in refusal.errors] or [refusal.detail]:
                form.add_error(None, told)
            return self.ask(request, form, title="Add order source", explain=self.add_explain)
        return HttpResponseRedirect(page_of(source.pk))

    @reasoned_action(
        title="Switch off",
        permission="orders.change_ordersource",
        explain="New payments name no orders of it any more. What is paid is still written back.",
        icon="power_settings_new",
        applies=lambda row: row.is_enabled,
    )
    def switch_off(self, request: HttpRequest, source: OrderSource, form: Any) -> str:
        sources.change_source(source, is_enabled=False, by=staff(request))
        return "Switched off."

    @reasoned_action(
        title="Switch on",
        permission="orders.change_ordersource",
        explain="New payments may name its orders again.",
        icon="power",
        applies=lambda row: not row.is_enabled,
    )
    def switch_on(self, request: HttpRequest, source: OrderSource, form: Any) -> str:
        sources.change_source(source, is_enabled=True, by=staff(request))
        return "Switched on."


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    list_display = ("id", "number", link_column("source_id"), WRITTEN, FAULT, MODE, moment_column("due_at"))
    list_filter = ("written", "livemode", ("due_at", admin.EmptyFieldListFilter))
    search_help_text = "our id of an order, or its id in its source, exactly"
    fields = (
        ("id", "number", link_column("source_id")),
        (MERCHANT, MODE),
        (WRITTEN, moment_column("written_at"), "paid_elsewhere", "accepted"),
        (FAULT, moment_column("due_at", title="tried next"), "tries"),
        moment_column("created_at"),
    )
    actions_detail = ("write_now", "accept")

    def find(self, term: str) -> Iterable[str]:
        known = OrderSource.objects.values_list("pk", flat=True)
        return [term, *Order.objects.filter(source__in=list(known), number=term).values_list("pk", flat=True)[:1000]]

    @reasoned_action(
        title="Write now",
        permission="orders.write_order",
        explain="A worker tells the source at once what became of the order's payment, if there is anything to tell.",
        icon="edit_note",
        applies=lambda row: row.claim is None,
    )
    def write_now(self, request: HttpRequest, order: Order, form: Any) -> str:
        sources.write_now(order)
        return "It is being written."

    @reasoned_action(
        title="Accept as paid",
        permission="orders.write_order",
        explain="The order was edited after it was asked for, and its total is not what was paid. It is marked paid in "
        "its source all the same: agree on the difference with the merchant first.",
        icon="price_check",
        applies=lambda row: bool(row.fault) and not row.accepted and row.written != PAID,
    )
    def accept(self, request: HttpRequest, order: Order, form: Any) -> str:
        sources.accept_order(order, by=staff(request))
        return "Accepted. It is being written."
