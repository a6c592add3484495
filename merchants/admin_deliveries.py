"""Staff's pages of webhook endpoints and of what was sent to them."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest
from unfold.admin import TabularInline

from core.admin import ReadOnlyAdmin
from core.admin_actions import reasoned_action
from core.admin_columns import MODE, Moment, badge, column, link, moment_column, state_column
from events import timeline
from merchants import webhooks
from merchants.models import Delivery, DeliveryAttempt, WebhookEndpoint

DELIVERY_TONES = {"pending": "info", "delivered": "success", "failed": "danger"}
ENABLED = column("enabled", lambda row: badge("on", "success") if row.is_enabled else badge("off", "danger"))


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    list_display = (
        "url",
        column("merchant", lambda row: link(row.merchant_id, row.merchant.name)),
        MODE,
        ENABLED,
        moment_column("failing_since"),
    )
    list_select_related = ("merchant",)
    list_filter = ("is_enabled", "livemode")
    search_help_text = "the id of an endpoint or of a merchant, exactly"
    fields = (
        "id",
        "url",
        "description",
        column("merchant", lambda row: link(row.merchant_id, row.merchant.name)),
        MODE,
        ENABLED,
        "disabled_because",
        moment_column("failing_since"),
        column("event_types", lambda row: "\n".join(row.event_types) or "all"),
        column("secret", lambda row: "set, and never shown"),
        "metadata",
        "api_version",
        moment_column("created_at"),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("secret")

    def find(self, term: str) -> list[str]:
        return [term, *WebhookEndpoint.objects.filter(merchant=term).values_list("pk", flat=True)[:1000]]


class AttemptInline(TabularInline):  # type: ignore[misc]  # unfold ships no types
    model = DeliveryAttempt
    verbose_name_plural = "attempts"
    fields = readonly_fields = (moment_column("at"), "status", "milliseconds", "fault", "answer")
    ordering = ("-pk",)
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("merchants.view_delivery"))


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        column("event", lambda row: link(row.event_id, row.event.type)),
        column("subject", lambda row: link(row.event.subject)),
        column("endpoint", lambda row: link(row.endpoint_id, row.endpoint.url)),
        state_column(DELIVERY_TONES),
        "tries",
        moment_column("due_at"),
        moment_column("created_at"),
    )
    list_select_related = ("event", "endpoint")
    list_filter = ("state", "livemode")
    search_help_text = "the id of a delivery, an event, its subject or an endpoint, exactly"
    fields = (
        "id",
        column("event", lambda row: link(row.event_id, row.event.type)),
        column("subject", lambda row: link(row.event.subject)),
        column("endpoint", lambda row: link(row.endpoint_id, row.endpoint.url)),
        MODE,
        state_column(DELIVERY_TONES),
        "tries",
        moment_column("due_at"),
        moment_column("created_at"),
        moment_column("finished_at"),
    )
    inlines = (AttemptInline,)
    actions_detail = ("deliver_again",)

    def find(self, term: str) -> list[str]:
        named = {"evt": "event", "we": "endpoint"}.get(term.partition("_")[0], "event__subject")
        rows = Delivery.objects.filter(**{named: term}).order_by("-pk")
        return [term, *rows.values_list("pk", flat=True)[:1000]]

    @reasoned_action(
        title="Deliver again",
        permission="merchants.redeliver_delivery",
        explain="The same event is sent once more, with a fresh schedule of retries. Receivers know it by its id.",
        icon="replay",
    )
    def deliver_again(self, request: HttpRequest, delivery: Delivery, form: Any) -> str:
        webhooks.deliver_again(delivery)
        return "It is on its way."


def _moments(ids: Sequence[str]) -> Iterable[Moment]:
    about = Delivery.objects.filter(event__subject__in=ids).select_related("event", "endpoint")
    for row in about.annotate(tried=Count("attempts")).order_by("-pk")[: timeline.LIMIT]:
        yield Moment(
            at=row.created_at,
            kind="delivery",
            title=f"{row.event.type}: {row.state}",
            detail=f"to {row.endpoint.url}, tries: {row.tried}",
            id=row.pk,
            tone=DELIVERY_TONES.get(row.state, ""),
        )


timeline.register(_moments)
