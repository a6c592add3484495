"""Staff's pages of merchants, their keys, and how events reach them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from core import addresses, clock, contacts
from core.admin import FormAdmin
from core.admin_actions import ReasonForm, reasoned_action, record, staff
from core.admin_columns import MODE, badge, column, link, moment_column, page_of
from merchants import (  # noqa: F401  (pages register themselves)
    admin_accounts,
    admin_callbacks,
    admin_customers,
    admin_deliveries,
    admin_fees,
    admin_routing,
    admin_stores,
    admin_switches,
    scopes,
    services,
)
from merchants.account_forms import Lines
from merchants.models import ApiKey, Merchant


class RegionField(forms.CharField):
    """A country of phone numbers, or none."""

    def __init__(self) -> None:
        help_text = Merchant._meta.get_field("default_region").help_text
        super().__init__(required=False, max_length=2, help_text=help_text, widget=UnfoldAdminTextInputWidget())

    def clean(self, value: Any) -> str:
        code = str(super().clean(value)).upper()
        if code and not contacts.is_region(code):
            raise forms.ValidationError("No country has that code.")
        return code


class MerchantForm(forms.Form):
    name = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget())
    default_region = RegionField()


class MerchantChangeForm(ReasonForm):
    name = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget())
    is_active = forms.BooleanField(
        required=False,
        help_text="Without it, every key of the merchant is refused.",
        widget=UnfoldBooleanWidget(),
    )
    default_region = RegionField()
    field_order = ("name", "default_region", "is_active", "reason")


ACTIVE = column("active", lambda row: badge("active", "success") if row.is_active else badge("stopped", "danger"))


@admin.register(Merchant)
class MerchantAdmin(FormAdmin):
    list_display = ("name", "id", ACTIVE, moment_column("created_at"))
    list_filter = ("is_active",)
    search_help_text = "an id exactly, or the beginning of a name"
    fields = ("id", "name", ACTIVE, "default_region", moment_column("created_at"))
    actions_detail = ("edit",)
    add_form = MerchantForm

    def find(self, term: str) -> list[str]:
        return [term, *Merchant.objects.filter(name__istartswith=term).values_list("pk", flat=True)[:100]]

    def add(self, request: HttpRequest, form: forms.Form) -> HttpResponse:
        merchant = services.create_merchant(**form.cleaned_data, by=staff(request))
        return HttpResponseRedirect(page_of(merchant.pk))

    @reasoned_action(
        title="Change",
        permission="merchants.change_merchant",
        explain="A merchant that is not active can do nothing through the API; its payments are still settled.",
        icon="edit",
        form=lambda row, data: MerchantChangeForm(data, initial=model_to_dict(row)),
    )
    def edit(self, request: HttpRequest, merchant: Merchant, form: Any) -> str:
        given = {name: form.cleaned_data[name] for name in ("name", "is_active", "default_region")}
        services.change_merchant(merchant, **given, by=staff(request))
        return "Changed."


class ApiKeyForm(forms.Form):
    merchant = forms.ModelChoiceField(queryset=Merchant.objects.order_by("name"), widget=UnfoldAdminSelectWidget())
    livemode = forms.BooleanField(required=False, label="Live mode", widget=UnfoldBooleanWidget())
    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget())
    owner = forms.CharField(
        max_length=200, help_text="The person who answers for this key.", widget=UnfoldAdminTextInputWidget()
    )
    scopes = forms.MultipleChoiceField(widget=UnfoldAdminCheckboxSelectMultipleWidget())
    expires_at = forms.SplitDateTimeField(
        required=False, help_text="In UTC. Empty: never.", widget=UnfoldAdminSplitDateTimeWidget()
    )
    allowed_addresses = Lines(
        required=False,
        help_text="Addresses or CIDR blocks that may use the key, one on each line. Empty: any.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        known = scopes.known().items()
        self.fields["scopes"].choices = [(name, f"{name}: {told}") for name, told in known]  # type: ignore[attr-defined]

    def clean_allowed_addresses(self) -> list[str]:
        return _blocks(self.cleaned_data["allowed_addresses"])

    def clean_expires_at(self) -> Any:
        at = self.cleaned_data["expires_at"]
        if at is not None and at <= clock.now():
            raise forms.ValidationError("That moment has passed.")
        return at


class KeyAddressesForm(ReasonForm):
    allowed_addresses = Lines(
        required=False,
        help_text="Addresses or CIDR blocks that may use the key, one on each line. Empty: any.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}),
    )
    field_order = ("allowed_addresses", "reason")

    def clean_allowed_addresses(self) -> list[str]:
        return _blocks(self.cleaned_data["allowed_addresses"])


def _blocks(given: list[str]) -> list[str]:
    try:
        addresses.networks(given)
    except ValueError as fault:
        raise forms.ValidationError(str(fault)) from fault
    return given


CURRENT = column("current", lambda key: badge("current", "success") if key.is_current else badge(_ended(key), "danger"))


def _ended(key: ApiKey) -> str:
    return "revoked" if key.revoked_at else "expired"


@admin.register(ApiKey)
class ApiKeyAdmin(FormAdmin):
    list_display = (
        column("key", str),
        "name",
        column("merchant", lambda key: link(key.merchant_id, key.merchant.name)),
        "owner",
        MODE,
        CURRENT,
        moment_column("last_used_at"),
    )
    list_select_related = ("merchant",)
    list_filter = ("livemode", ("revoked_at", admin.EmptyFieldListFilter))
    search_help_text = "the id of a key or of a merchant, or a key's last four characters"
    fields = (
        "id",
        column("key", str),
        "name",
        column("merchant", lambda key: link(key.merchant_id, key.merchant.name)),
        "owner",
        MODE,
        CURRENT,
        column("scopes", lambda key: "\n".join(key.scopes)),
        column("allowed_addresses", lambda key: "\n".join(key.allowed_addresses) or "any"),
        moment_column("expires_at"),
        moment_column("revoked_at"),
        moment_column("last_used_at"),
        "last_used_address",
        "api_version",
        moment_column("created_at"),
    )
    actions_detail = ("set_addresses", "revoke")
    add_form = ApiKeyForm
    add_explain = "Give a key the least that it needs. The key itself is shown once, on the next page."

    def find(self, term: str) -> list[str]:
        rows = (
            ApiKey.objects.filter(merchant=term) if term.startswith("mer_") else ApiKey.objects.filter(last_four=term)
        )
        return [term, *rows.values_list("pk", flat=True)[:1000]]

    def add(self, request: HttpRequest, form: forms.Form) -> HttpResponse:
        key, secret = services.create_api_key(by=staff(request), **form.cleaned_data)
        record(request, key, action="shown_once")
        return self.show_once(
            request,
            key,
            title="API key",
            explain="Copy the key now and hand it over by a safe way. It is kept only as a hash: "
            "whoever loses it needs another.",
            shown=[(f"{key.name}, of {key.merchant.name}", secret.reveal())],
        )

    @reasoned_action(
        title="Change addresses",
        permission="merchants.set_key_addresses",
        explain="From its next request on the key may be used from these addresses only.",
        icon="location_on",
        applies=lambda key: key.is_current,
        form=lambda key, data: KeyAddressesForm(data, initial={"allowed_addresses": key.allowed_addresses}),
    )
    def set_addresses(self, request: HttpRequest, key: ApiKey, form: Any) -> str:
        services.set_key_addresses(key, allowed_addresses=form.cleaned_data["allowed_addresses"], by=staff(request))
        return "Changed."

    @reasoned_action(
        title="Revoke",
        permission="merchants.revoke_api_key",
        explain="The key is refused from its next request on. This cannot be taken back.",
        icon="block",
        applies=lambda key: key.revoked_at is None,
    )
    def revoke(self, request: HttpRequest, key: ApiKey, form: Any) -> str:
        services.revoke_api_key(key, by=staff(request))
        return "Revoked."
