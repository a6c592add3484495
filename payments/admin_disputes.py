"""Staff's pages of disputes. What a dispute's money did is shown, never changed."""

from typing import Any

from django.contrib import admin

from core.admin import ReadOnlyAdmin
from core.admin_actions import reasoned_action
from core.admin_columns import (
    MODE,
    column,
    link,
    link_column,
    moment_column,
    money_column,
    state_column,
    table,
    timeline,
    tones,
)
from events import subjects
from events.timeline import moments
from payments import states
from payments.models import Dispute
from payments.services import resolving

MERCHANT = column("merchant", lambda row: link(row.merchant_id, row.merchant.name))


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        state_column(tones(states.DISPUTE)),
        money_column(),
        "reason",
        link_column("payment_id"),
        MERCHANT,
        moment_column("evidence_due_at", title="evidence due"),
        MODE,
        moment_column("created_at"),
    )
    list_select_related = ("merchant",)
    list_filter = ("state", "reason", "livemode", "late")
    search_help_text = "the id of a dispute, here or at its provider, of its payment or of a merchant, exactly"
    fields = (
        ("id", state_column(tones(states.DISPUTE))),
        (link_column("payment_id"), money_column()),
        (MERCHANT, MODE),
        ("provider_id", "provider_status"),
        ("reason", "provider_reason"),
        (moment_column("evidence_due_at", title="evidence due"), moment_column("submitted_at"), "has_evidence"),
        ("is_refundable", "late", moment_column("created_at")),
    )
    actions_detail = ("ask_now",)

    def find(self, term: str) -> list[str]:
        prefix = term.partition("_")[0]
        named = {"merchant": term} if prefix == "mer" else {"payment": term} if prefix == "pay" else {}
        named = named or {"provider_id": term}
        return [term, *Dispute.objects.filter(**named).order_by("-pk").values_list("pk", flat=True)[:1000]]

    def sections(self, row: Dispute) -> Any:
        movements = row.movements.order_by("pk")
        if movements:
            yield "Money", _money(movements)
        yield "History", timeline(moments(subjects.of(row).relatives(row)))

    @reasoned_action(
        title="Ask now",
        permission="payments.act_on_payment",
        explain="An answer whose outcome is unknown is asked about at the provider at once. "
        "Nothing is sent a second time but under the same key.",
        icon="contact_support",
        applies=lambda row: row.operations.filter(state="unknown").exists(),
    )
    def ask_now(self, request: Any, dispute: Dispute, form: Any) -> str:
        resolving.ask_now(dispute.payment_id)
        return "The provider is being asked. What it says will show in the history."


def _money(movements: Any) -> Any:
    return table(
        ("when", "what", "amount", "fee", "its id there"),
        (
            (
                row.created_at.strftime("%Y-%m-%d %H:%M:%S"),
                row.kind,
                str(row.money),
                f"{'-' if row.fee_amount < 0 else ''}{row.fee}" if row.fee_amount else "-",
                row.provider_money_id,
            )
            for row in movements
        ),
    )
