"""Staff's page of providers: which of them take new payments."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from core.admin import ReadOnlyAdmin
from core.admin_actions import reasoned_action, staff
from core.admin_columns import badge, column, moment_column
from merchants import switches
from merchants.models import ProviderSwitch

STATE = column("new_payments", lambda row: badge("on", "success") if row.is_on else badge("off", "danger"))


@admin.register(ProviderSwitch)
class ProviderSwitchAdmin(ReadOnlyAdmin):
    list_display = ("provider", STATE, "changed_by", moment_column("changed_at"))
    list_filter = ("is_on",)
    search_help_text = "a provider, exactly"
    fields = ("id", "provider", STATE, "changed_by", moment_column("changed_at"))
    actions_detail = ("switch_off", "ask_to_switch_on")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        switches.switches()
        answer: HttpResponse = super().changelist_view(request, extra_context)
        return answer

    def find(self, term: str) -> list[str]:
        return [term, *ProviderSwitch.objects.filter(provider=term).values_list("pk", flat=True)]

    @reasoned_action(
        title="Switch off",
        permission="merchants.switch_provider",
        explain="No merchant's new payment goes there, at once. What is open there goes on: callbacks, questions, "
        "captures, refunds and cancels. Switching on again takes two people.",
        icon="power_settings_new",
        applies=lambda row: row.is_on,
    )
    def switch_off(self, request: HttpRequest, row: ProviderSwitch, form: Any) -> str:
        switches.switch_provider_off(row, by=staff(request))
        return "Switched off."

    @reasoned_action(
        title="Ask to switch on",
        permission="merchants.switch_provider",
        explain="Somebody else has to allow it, under Approvals.",
        icon="how_to_reg",
        applies=lambda row: not row.is_on,
    )
    def ask_to_switch_on(self, request: HttpRequest, row: ProviderSwitch, form: Any) -> str:
        switches.ask_for_provider(row, by=staff(request), because=form.cleaned_data["reason"])
        return "Asked for. Somebody else has to allow it, under Approvals."
