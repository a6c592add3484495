"""Staff's pages of provider accounts. Credentials go in and never come out."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from core.admin import FormAdmin
from core.admin_actions import reasoned_action, staff
from core.admin_columns import MODE, badge, column, link, moment_column
from merchants import accounts, doors, services, switches
from merchants.account_forms import CredentialsForm, NewAccountForm, SettingsForm
from merchants.admin_fees import schedules_of
from merchants.models import ProviderAccount

ENABLED = column("enabled", lambda row: badge("on", "success") if row.is_enabled else badge("off", "danger"))


@admin.register(ProviderAccount)
class ProviderAccountAdmin(FormAdmin):
    list_display = (
        "name",
        column("provider", lambda row: row.provider, ordering="provider"),
        column("merchant", lambda row: link(row.merchant_id, row.merchant.name)),
        MODE,
        "host",
        "priority",
        ENABLED,
    )
    list_select_related = ("merchant",)
    list_filter = ("is_enabled", "livemode")
    search_help_text = "the id of an account or of a merchant, or a provider, exactly"
    fields = (
        "id",
        "name",
        "provider",
        column("merchant", lambda row: link(row.merchant_id, row.merchant.name)),
        MODE,
        ENABLED,
        "host",
        "priority",
        column("options", lambda row: "\n".join(f"{name}: {_shortened(value)}" for name, value in row.options.items())),
        column("credentials", lambda row: "set, and never shown"),
        column("callback_paths", lambda row: _paths(row)),
        "revision",
        moment_column("created_at"),
    )
    actions_detail = (
        "edit",
        "set_credentials",
        "rotate_callback_token",
        "retire_callback_tokens",
        "register_doors",
        "switch_off",
        "ask_to_switch_on",
    )
    add_explain = "Options that you leave as they are keep following the provider's defaults."

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("credentials")

    def sections(self, row: ProviderAccount) -> Iterable[tuple[str, Any]]:
        if row.fee_schedules.exists():
            yield "Fee schedules", schedules_of(row)

    def find(self, term: str) -> list[str]:
        named = {"merchant": term} if term.startswith("mer_") else {"provider": term}
        return [term, *ProviderAccount.objects.filter(**named).values_list("pk", flat=True)[:1000]]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """First which provider, then what it demands."""
        if request.GET.get("provider") in accounts.everyone():
            return super().add_view(request, form_url, extra_context)
        if not self.has_add_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "Add provider account",
            "opts": self.opts,
            "kinds": accounts.everyone(),
        }
        return TemplateResponse(request, "admin/parts/choose_provider.html", context)

    def get_add_form(self, request: HttpRequest) -> forms.Form:
        return NewAccountForm(request.GET["provider"], request.POST or None)

    def add(self, request: HttpRequest, form: Any) -> HttpResponse:
        given = form.cleaned_data
        account = services.create_provider_account(
            merchant=given["merchant"],
            provider=form.provider,
            name=given["name"],
            host=given["host"],
            credentials=form.credentials(),
            options=form.options(),
            livemode=given["livemode"],
            priority=given["priority"],
            by=staff(request),
        )
        return self._show_paths(request, account, title="Account added")

    def _show_paths(self, request: HttpRequest, account: ProviderAccount, *, title: str) -> HttpResponse:
        shown = [(f"The door {door}", url) for door, url in doors.standing_urls(account).items()]
        if not shown:
            return self.show_once(
                request,
                account,
                title=title,
                explain="There is nothing to set up there: each call carries its own path.",
                shown=[],
            )
        return self.show_once(
            request,
            account,
            title=title,
            explain="Enter this at the provider as the address for its callbacks. It is shown once.",
            shown=shown,
        )

    @reasoned_action(
        title="Change",
        permission="merchants.change_provideraccount",
        explain="The change holds from the next call on, in every process.",
        icon="edit",
        form=SettingsForm,
    )
    def edit(self, request: HttpRequest, account: ProviderAccount, form: Any) -> str:
        given = form.cleaned_data
        services.change_account(
            account,
            by=staff(request),
            name=given["name"],
            host=given["host"],
            priority=given["priority"],
            options=form.options(),
        )
        return "Changed."

    @reasoned_action(
        title="Set credentials",
        permission="merchants.set_credentials",
        explain="All of them anew; what is there now is not shown, and is gone afterwards.",
        icon="key",
        form=CredentialsForm,
    )
    def set_credentials(self, request: HttpRequest, account: ProviderAccount, form: Any) -> str:
        services.set_credentials(account, form.credentials(), by=staff(request))
        return "The new credentials are in use."

    @reasoned_action(
        title="New callback path",
        permission="merchants.rotate_callback_token",
        explain="New calls carry the new path. Earlier paths stay open until you close them.",
        icon="autorenew",
    )
    def rotate_callback_token(self, request: HttpRequest, account: ProviderAccount, form: Any) -> HttpResponse:
        services.rotate_callback_token(account, by=staff(request))
        return self._show_paths(request, account, title="New callback path")

    @reasoned_action(
        title="Close earlier callback paths",
        permission="merchants.rotate_callback_token",
        explain="Every path but the newest answers 404 from now on. Callbacks still on their way to them are lost, "
        "and their payments are asked about instead.",
        icon="link_off",
        applies=lambda account: _paths(account) > 1,
    )
    def retire_callback_tokens(self, request: HttpRequest, account: ProviderAccount, form: Any) -> str:
        return f"Closed: {services.retire_callback_tokens(account, by=staff(request))}."

    @reasoned_action(
        title="Register addresses",
        permission="merchants.rotate_callback_token",
        explain="The provider is told by a call where to send money that comes by itself. Some take this once only: "
        "what came of it stands under Registrations.",
        icon="app_registration",
        applies=lambda account: accounts.kind_of(account.provider).register_doors is not None,
    )
    def register_doors(self, request: HttpRequest, account: ProviderAccount, form: Any) -> str:
        register = accounts.kind_of(account.provider).register_doors
        if register is not None:
            register(account, by=staff(request))
        return "The provider is being told. What it says will show under Registrations."

    @reasoned_action(
        title="Switch off",
        permission="merchants.switch_off_account",
        explain="No new payment goes there, at once. What is open there is still asked about, captured and refunded. "
        "Switching on again takes two people.",
        icon="power_settings_new",
        applies=lambda account: account.is_enabled,
    )
    def switch_off(self, request: HttpRequest, account: ProviderAccount, form: Any) -> str:
        services.switch_account_off(account, by=staff(request))
        return "Switched off."

    @reasoned_action(
        title="Ask to switch on",
        permission="merchants.switch_on_account",
        explain="Somebody else has to allow it, under Approvals.",
        icon="how_to_reg",
        applies=lambda account: not account.is_enabled,
    )
    def ask_to_switch_on(self, request: HttpRequest, account: ProviderAccount, form: Any) -> str:
        switches.ask_for_account(account, by=staff(request), because=form.cleaned_data["reason"])
        return "Asked for. Somebody else has to allow it, under Approvals."


def _shortened(value: Any) -> str:
    """On one line: certificates are long."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


_SHOWN = 100


def _paths(account: ProviderAccount) -> int:
    return account.callback_tokens.filter(revoked_at=None).count()
