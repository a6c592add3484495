"""Staff's pages of codes that stand on a counter."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from core.admin import ReadOnlyAdmin
from core.admin_actions import reasoned_action
from core.admin_columns import MODE, badge, column, link, moment_column, table
from merchants.admin_stores import StoreFilter
from payments.models import StaticCode
from payments.services import static_codes

_TONES = {"sending": "info", "active": "success", "refused": "danger", "unknown": "warning"}
MERCHANT = column("merchant", lambda row: link(row.merchant_id, row.merchant.name))
STORE = column("store", lambda row: link(row.store_id, row.store.name))
ACCOUNT = column("account", lambda row: link(row.account_id, str(row.account)))
OUTCOME = column("outcome", lambda row: badge(row.outcome, _TONES[row.outcome]))


@admin.register(StaticCode)
class StaticCodeAdmin(ReadOnlyAdmin):
    list_display = ("id", OUTCOME, STORE, "reference", ACCOUNT, MERCHANT, MODE, moment_column("created_at"))
    list_select_related = ("store", "account", "merchant")
    list_filter = ("outcome", StoreFilter, "livemode")
    search_help_text = "exactly: the id of a code, a store or a merchant, or what the provider calls a code"
    fields = (
        ("id", OUTCOME),
        (STORE, "reference"),
        (MERCHANT, ACCOUNT, MODE),
        ("provider_id", "provider_reference", "provider_code"),
        "message",
        "text",
        (moment_column("created_at"), moment_column("expires_at")),
        (moment_column("asked_at", title="answered last"), moment_column("due_at", title="asked about next")),
    )
    actions_detail = ("ask_now",)

    def find(self, term: str) -> Iterable[str]:
        field = {"mer": "merchant", "store": "store"}.get(term.partition("_")[0], "provider_id")
        return [term, *StaticCode.objects.filter(**{field: term}).order_by("-pk").values_list("pk", flat=True)[:1000]]

    def sections(self, row: StaticCode) -> Iterable[tuple[str, Any]]:
        came = row.unallocated_receipts.select_related("receipt").order_by("-pk")[:50]
        shown = ((link(one.pk), str(one.money), one.state, link(one.payment_id or "")) for one in came)
        if came:
            yield "What was paid on it, the newest", table(("receipt", "amount", "state", "payment"), shown)

    @reasoned_action(
        title="Ask now",
        permission="payments.ask_about_static_code",
        explain="The provider is asked what was paid on this code. Only its answer books money.",
        icon="contact_support",
        applies=lambda row: row.outcome == StaticCode.Outcome.ACTIVE,
    )
    def ask_now(self, request: HttpRequest, code: StaticCode, form: Any) -> str:
        static_codes.ask_now(code.pk)
        return "Asked. Look again in a moment."
