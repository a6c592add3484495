"""Staff's pages of what is written down: events, the audit log, and what waits for a person."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db import models
from django.http import HttpRequest

from core import addresses
from core.admin import ReadOnlyAdmin
from core.admin_actions import reasoned_action, record_with, staff
from core.admin_columns import MODE, badge, column, link, link_column, moment_column
from core.errors import Conflict
from events import admin_approvals, attention, audit  # noqa: F401  (its page registers itself)
from events.models import Attention, AuditEntry, Event
from events.sealing import owner_of


def _record(request: HttpRequest, row: models.Model, *, action: str, reason: str, refused: str) -> None:
    """What staff do stands in the audit log with their reason, and so does what they were refused."""
    outcome = {"reason": reason, "refused": refused}
    audit.record(
        actor=staff(request),
        action=action,
        merchant=_merchant(row),
        livemode=bool(getattr(row, "livemode", False)),
        object_id=str(row.pk),
        address=addresses.client_address(request.META, trusted_proxies=settings.TRUSTED_PROXIES),
        detail={name: text for name, text in outcome.items() if text},
    )


def _merchant(row: Any) -> str:
    return owner_of(row) if hasattr(row, "merchant_id") or hasattr(row, "merchant") else ""


record_with(_record)


class OpenFirst(SimpleListFilter):
    """What is open, unless somebody asks for the rest."""

    title = "open"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("closed", "Closed"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        yield {**first, "display": "Open"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "all":
            return queryset
        return queryset.filter(closed_at__isnull=self.value() != "closed")


ATTENTION_TONES = {"unknown": "danger", "parked": "warning", "underpaid": "danger", "failing": "danger"}


@admin.register(Attention)
class AttentionAdmin(ReadOnlyAdmin):
    list_display = (
        column("reason", lambda item: badge(item.reason, ATTENTION_TONES.get(item.reason, "warning"))),
        link_column("subject"),
        "detail",
        MODE,
        moment_column("opened_at"),
        column("closed", lambda item: f"by {item.closed_by}" if item.closed_at else badge("open", "info")),
    )
    list_filter = (OpenFirst, "reason", "livemode")
    search_help_text = "the id of an item or of the object that it is about, exactly"
    fields = (
        "id",
        column("reason", lambda item: item.get_reason_display()),
        link_column("subject"),
        "detail",
        link_column("merchant"),
        MODE,
        moment_column("opened_at"),
        moment_column("closed_at"),
        "closed_by",
    )
    actions_detail = ("close",)

    def find(self, term: str) -> list[str]:
        return [term, *Attention.objects.filter(subject=term).values_list("pk", flat=True)]

    @reasoned_action(
        title="Close",
        permission="events.close_attention",
        explain="Say what you found and what was done. The item leaves the list; a new one opens if it happens again.",
        icon="task_alt",
        applies=lambda item: item.closed_at is None,
    )
    def close(self, request: HttpRequest, item: Attention, form: Any) -> str:
        if not attention.close(item, by=staff(request)):
            raise Conflict("Somebody else has closed it already.")
        return "Closed."


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("id", "type", link_column("subject"), "sequence", "position", MODE, moment_column("created_at"))
    list_filter = ("livemode",)
    search_help_text = "the id of an event or of its subject, exactly"
    fields = (
        "id",
        "type",
        link_column("subject"),
        "sequence",
        "position",
        link_column("merchant"),
        MODE,
        "api_version",
        "request_id",
        moment_column("created_at"),
        "data",
    )

    def find(self, term: str) -> list[str]:
        return [term, *Event.objects.filter(subject=term).values_list("pk", flat=True)[:1000]]


INTACT = column(
    "intact", lambda row: badge("intact", "success") if audit.is_intact(row) else badge("altered", "danger")
)


class StatusClass(SimpleListFilter):
    """Requests to the API by how they were answered; what went wrong has an index of its own."""

    title = "answered"
    parameter_name = "answered"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, word) for word in AuditEntry.STATUS_CLASSES]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.answered(self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "action",
        column("actor", lambda row: link(row.actor)),
        column("object", lambda row: link(row.object_id)),
        column("request", lambda row: row.request_told),
        "address",
        moment_column("at"),
        INTACT,
    )
    list_filter = (StatusClass, "livemode")
    search_help_text = (
        "the id of an entry, an object, a merchant, a key or a request, or a person as staff:name, exactly"
    )
    fields = (
        "id",
        "action",
        column("actor", lambda row: link(row.actor)),
        column("object", lambda row: link(row.object_id)),
        link_column("merchant"),
        MODE,
        "address",
        "request_id",
        "method",
        "route",
        "status",
        "milliseconds",
        "detail",
        moment_column("at"),
        INTACT,
    )

    def find(self, term: str) -> list[str]:
        """Each of these begins an index."""
        found = [term]
        looks: list[dict[str, Any]] = [{"merchant": term, "livemode": livemode} for livemode in (False, True)]
        for look in (*looks, {"actor": term}):
            rows = AuditEntry.objects.filter(**look).order_by("-at", "-pk")
            found += rows.values_list("pk", flat=True)[:1000]
        for look in ({"object_id": term}, {"request_id": term}):
            found += AuditEntry.objects.filter(**look).values_list("pk", flat=True)[:1000]
        return found
