"""Staff's pages of stores, and of the tokens of their screens."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from core.admin import FormAdmin
from core.admin_actions import ReasonForm, reasoned_action, record, staff
from core.admin_columns import MODE, badge, column, link, link_column, moment_column, page_of, table
from core.admin_fields import ById
from core.calendar import is_zone
from core.errors import InvalidRequest
from merchants import display_tokens, stores
from merchants.models import DisplayToken, Merchant, ProviderAccount, Store

_CHOICES = 200

OPEN = column("takes_payments", lambda row: badge("on", "success") if row.is_enabled else badge("off", "danger"))
MERCHANT = column("merchant", lambda row: link(row.merchant_id, row.merchant.name))
CURRENT = column("current", lambda row: badge("current", "success") if row.is_current else badge(_ended(row), "danger"))


def _ended(token: DisplayToken) -> str:
    return "revoked" if token.revoked_at else "expired"


class StoreFilter(admin.SimpleListFilter):
    """Rows that were taken in one store. The newest stores are offered, an older one is searched for."""

    title = parameter_name = "store"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        newest = Store.objects.select_related("merchant").order_by("-pk")[:_CHOICES]
        named = ((row.pk, f"{row.merchant.name}: {row.name}{'' if row.livemode else ' (test)'}") for row in newest)
        return sorted(named, key=lambda choice: choice[1])

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(store=self.value()) if self.value() else queryset


def _screens(store: Store) -> list[tuple[str, SafeString]]:
    """Where they are; each asks for a token of its own."""
    places = (("cashier", f"/display/{store.pk}"), ("kitchen", f"/display/{store.pk}/kitchen"))
    link_to = '<a class="text-link" href="{0}" rel="noreferrer" target="_blank">{0}</a>'
    return [(name, format_html(link_to, f"{settings.PUBLIC_URL}{path}")) for name, path in places]


class _Facts(forms.Form):
    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget())
    zone = forms.CharField(
        max_length=64, help_text="Of the IANA database: Asia/Jakarta.", widget=UnfoldAdminTextInputWidget()
    )
    default_method = forms.ChoiceField(
        required=False,
        help_text="How a payment there is asked for that names no method.",
        widget=UnfoldAdminSelectWidget(),
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        known = [("", "none"), *((method, method) for method in stores.methods())]
        self.fields["default_method"].choices = known  # type: ignore[attr-defined]

    def clean_zone(self) -> str:
        zone: str = self.cleaned_data["zone"]
        if not is_zone(zone):
            raise forms.ValidationError("That is no zone of the IANA database.")
        return zone


class StoreForm(_Facts):
    merchant = forms.ModelChoiceField(queryset=Merchant.objects.order_by("name"), widget=UnfoldAdminSelectWidget())
    livemode = forms.BooleanField(required=False, label="Live mode", widget=UnfoldBooleanWidget())
    field_order = ("merchant", "livemode", "name", "zone", "default_method")


_KEPT = ("name", "zone", "default_method", "is_enabled")


class ChangeForm(_Facts, ReasonForm):
    default_account = forms.ChoiceField(
        required=False,
        help_text="It is tried first for payments there, wherever no routing rule places another before it.",
        widget=UnfoldAdminSelectWidget(),
    )
    is_enabled = forms.BooleanField(required=False, label="Takes payments", widget=UnfoldBooleanWidget())
    field_order = ("name", "zone", "default_method", "default_account", "is_enabled", "reason")

    def __init__(self, store: Store, data: Any = None) -> None:
        super().__init__(data, initial={name: getattr(store, name) for name in _KEPT})
        self.initial["default_account"] = store.default_account_id or ""
        accounts = ProviderAccount.objects.filter(merchant=store.merchant_id, livemode=store.livemode)
        offered = [(one.pk, f"{one}, {one.pk}") for one in accounts.defer("credentials").order_by("priority", "pk")]
        self.fields["default_account"].choices = [("", "none"), *offered]  # type: ignore[attr-defined]


@admin.register(Store)
class StoreAdmin(FormAdmin):
    list_display = ("id", "name", MERCHANT, "zone", "default_method", OPEN, MODE, moment_column("created_at"))
    list_select_related = ("merchant",)
    list_filter = ("is_enabled", "livemode")
    search_help_text = "the id of a store or of a merchant, exactly"
    fields = (
        ("id", "name"),
        (MERCHANT, MODE),
        ("zone", OPEN),
        ("default_method", link_column("default_account_id")),
        moment_column("created_at"),
    )
    actions_detail = ("edit",)
    add_form = StoreForm
    add_explain = (
        "Payments name a store, and its screens follow it with tokens of their own. The account that is tried first "
        "there is chosen by changing it."
    )

    def find(self, term: str) -> Iterable[str]:
        return [term, *Store.objects.filter(merchant=term).values_list("pk", flat=True)[:1000]]

    def add(self, request: HttpRequest, form: forms.Form) -> HttpResponse:
        store = stores.create_store(by=staff(request), **form.cleaned_data)
        return HttpResponseRedirect(page_of(store.pk))

    def sections(self, row: Store) -> Iterable[tuple[str, Any]]:
        yield "Its screens", table(("screen", "address"), _screens(row))
        tokens = row.display_tokens.order_by("-pk")[:50]
        if tokens:
            shown = ((link(one.pk), str(one), "yes" if one.is_current else _ended(one)) for one in tokens)
            yield "Tokens of its screens", table(("id", "screen", "current"), shown)

    @reasoned_action(
        title="Change",
        permission="merchants.change_store",
        explain="A store that takes no payments refuses new ones; what is open there goes on.",
        icon="edit",
        form=lambda row, data: ChangeForm(row, data),
    )
    def edit(self, request: HttpRequest, store: Store, form: Any) -> str:
        changes = {name: value for name, value in form.cleaned_data.items() if name != "reason"}
        try:
            stores.change_store(store, by=staff(request), **changes)
        except InvalidRequest as refusal:
            raise ValueError(f"'default_account': {refusal.detail}") from refusal
        return "Changed."


def _opened(store: Store, token: str, view: str = "") -> str:
    return f"{settings.PUBLIC_URL}/display/{store.pk}{view}#token={token}"


class TokenForm(forms.Form):
    store = ById(Store.objects.select_related("merchant"))
    name = forms.CharField(max_length=100, help_text="Which screen it is for.", widget=UnfoldAdminTextInputWidget())


@admin.register(DisplayToken)
class DisplayTokenAdmin(FormAdmin):
    list_display = ("id", column("screen", str), link_column("store_id"), CURRENT, MODE, moment_column("expires_at"))
    list_filter = ("livemode", ("revoked_at", admin.EmptyFieldListFilter))
    search_help_text = "the id of a token or of a store, exactly"
    fields = (
        ("id", column("screen", str)),
        (link_column("store_id"), MODE),
        (CURRENT, moment_column("expires_at")),
        (moment_column("revoked_at"), moment_column("created_at")),
    )
    actions_detail = ("revoke",)
    add_form = TokenForm
    add_explain = "It lets one screen follow one store, for a day. It is shown once, on the next page."

    def find(self, term: str) -> Iterable[str]:
        return [term, *DisplayToken.objects.filter(store=term).values_list("pk", flat=True)[:1000]]

    def add(self, request: HttpRequest, form: forms.Form) -> HttpResponse:
        given = form.cleaned_data
        token, secret = display_tokens.create_token(
            given["store"], name=given["name"], lifetime=display_tokens.LIFETIME, by=staff(request)
        )
        record(request, token, action="shown_once")
        return self.show_once(
            request,
            token,
            title="Display token",
            explain=(
                "Copy the token now, or open one of the addresses on the screen itself: what stands after the # is "
                "sent to nobody. It is kept only as a hash: whoever loses it needs another."
            ),
            shown=[
                (f"{token.name}, in {token.store.name}", secret.reveal()),
                ("Opened as the cashier's screen", _opened(token.store, secret.reveal())),
                ("Opened as the kitchen's screen", _opened(token.store, secret.reveal(), "/kitchen")),
            ],
        )

    @reasoned_action(
        title="Revoke",
        permission="merchants.revoke_display_token",
        explain="The screen that shows it is refused from its next use on. This cannot be taken back.",
        icon="block",
        applies=lambda row: row.revoked_at is None,
    )
    def revoke(self, request: HttpRequest, token: DisplayToken, form: Any) -> str:
        display_tokens.revoke_token(token, by=staff(request))
        return "Revoked."
