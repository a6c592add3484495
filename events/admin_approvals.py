"""Staff's page of what waits for a second person."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from core.admin import ReadOnlyAdmin
from core.admin_actions import reasoned_action, staff
from core.admin_columns import MODE, badge, column, link_column, moment_column
from core.errors import Conflict
from events import approvals
from events.models import Approval

_TONES = {"open": "info", "allowed": "success", "declined": "danger"}


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    list_display = (
        column("what", lambda row: approvals.action_of(row).title),
        link_column("subject"),
        column("decision", lambda row: badge(row.decision, _TONES.get(row.decision, "warning"))),
        "asked_by",
        "asked_because",
        MODE,
        moment_column("asked_at"),
    )
    list_filter = ("decision", "livemode")
    search_help_text = "the id of an approval or of its object, exactly"
    fields = (
        "id",
        column("what", lambda row: approvals.action_of(row).title),
        link_column("subject"),
        link_column("merchant"),
        MODE,
        "asked_by",
        "asked_because",
        moment_column("asked_at"),
        column("decision", lambda row: badge(row.decision, _TONES.get(row.decision, "warning"))),
        "decided_by",
        "decided_because",
        moment_column("decided_at"),
    )
    actions_detail = ("allow", "decline")

    def find(self, term: str) -> list[str]:
        return [term, *Approval.objects.filter(subject=term).values_list("pk", flat=True)[:1000]]

    @reasoned_action(
        title="Allow",
        permission="events.decide_approval",
        explain="It is carried out at once. Who has asked for it cannot allow it.",
        icon="check_circle",
        applies=lambda row: row.decision == Approval.Decision.OPEN,
    )
    def allow(self, request: HttpRequest, row: Approval, form: Any) -> str:
        needed = approvals.action_of(row).permission
        if not request.user.has_perm(needed):
            raise Conflict(f"Whoever allows this needs the permission {needed} themselves.")
        carried_out = approvals.allow(row, by=staff(request), because=form.cleaned_data["reason"])
        return "Carried out." if carried_out else "Nothing was done: the object has changed since. Ask for it again."

    @reasoned_action(
        title="Decline",
        permission="events.decide_approval",
        explain="Nothing is done. Who has asked for it may take it back so.",
        icon="cancel",
        applies=lambda row: row.decision == Approval.Decision.OPEN,
    )
    def decline(self, request: HttpRequest, row: Approval, form: Any) -> str:
        approvals.decline(row, by=staff(request), because=form.cleaned_data["reason"])
        return "Declined."
