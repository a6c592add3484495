"""Staff's pages of webhook endpoints and of what was sent to them."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminSplitDateTimeWidget

from core.admin import ReadOnlyAdmin
from core.admin_actions import ReasonForm, reasoned_action, staff
from core.admin_columns import MODE, Moment, badge, column, link, moment_column, state_column
from events import timeline
from merchants import endpoints, subscribers, webhooks
from merchants.models import Delivery, DeliveryAttempt, InternalDelivery, WebhookEndpoint, WebhookReplay

DELIVERY_TONES = {"pending": "info", "delivered": "success", "failed": "danger"}
REPLAY_TONES = {"running": "info", "finished": "success", "stopped": "warning"}
ENABLED = column("enabled", lambda row: badge("on", "success") if row.is_enabled else badge("off", "danger"))


class SpanForm(ReasonForm):
    since = forms.SplitDateTimeField(help_text="In UTC, at most 31 days ago.", widget=UnfoldAdminSplitDateTimeWidget())
    until = forms.SplitDateTimeField(help_text="In UTC.", widget=UnfoldAdminSplitDateTimeWidget())
    field_order = ("since", "until", "reason")


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
        column("max_per_second", lambda row: row.max_per_second or "any number"),
        column("event_types", lambda row: "\n".join(row.event_types) or "all"),
        column("secret", lambda row: "set, and never shown"),
        moment_column("earlier_secrets_until"),
        "metadata",
        "api_version",
        moment_column("created_at"),
    )
    actions_detail = ("ping", "replay")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("secret", "earlier_secrets")

    def find(self, term: str) -> list[str]:
        return [term, *WebhookEndpoint.objects.filter(merchant=term).values_list("pk", flat=True)[:1000]]

    @reasoned_action(
        title="Ping",
        permission="merchants.ping_endpoint",
        explain="A webhook_endpoint.ping is delivered to this endpoint alone; see how it went among the deliveries.",
        icon="network_ping",
        applies=lambda endpoint: endpoint.is_enabled,
    )
    def ping(self, request: HttpRequest, endpoint: WebhookEndpoint, form: Any) -> str:
        event = endpoints.ping(endpoint, by=staff(request))
        return f"{event.pk} is on its way."

    @reasoned_action(
        title="Replay",
        permission="merchants.replay_events",
        explain="What happened in this span of time, and what the endpoint wants of it, is sent once more. "
        "Receivers know the events by their ids.",
        icon="replay",
        applies=lambda endpoint: endpoint.is_enabled,
        form=lambda row, data: SpanForm(data),
    )
    def replay(self, request: HttpRequest, endpoint: WebhookEndpoint, form: Any) -> str:
        given = form.cleaned_data
        made = endpoints.replay_span(
            endpoint, since=given["since"], until=given["until"], event_types=(), by=staff(request)
        )
        return f"{made.pk} has begun."


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


@admin.register(WebhookReplay)
class WebhookReplayAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        column("endpoint", lambda row: link(row.endpoint_id, row.endpoint.url)),
        MODE,
        column("progress", lambda row: badge(row.progress, REPLAY_TONES[row.progress])),
        "staged",
        moment_column("created_at"),
        moment_column("finished_at"),
    )
    list_select_related = ("endpoint",)
    list_filter = ("livemode",)
    search_help_text = "the id of a replay or of an endpoint, exactly"
    fields = (
        *list_display,
        "created_by",
        column("event", lambda row: link(row.event) if row.event else "a span of time"),
        moment_column("since"),
        moment_column("until"),
        column("event_types", lambda row: "\n".join(row.event_types) or "what the endpoint wants"),
        "stopped_because",
    )

    def find(self, term: str) -> list[str]:
        return [term, *WebhookReplay.objects.filter(endpoint=term).values_list("pk", flat=True)[:1000]]


@admin.register(InternalDelivery)
class InternalDeliveryAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "subscriber",
        column("event", lambda row: link(row.event_id, row.event.type)),
        "tries",
        moment_column("due_at"),
        "status",
        "fault",
    )
    list_select_related = ("event",)
    list_filter = ("subscriber", ("due_at", admin.EmptyFieldListFilter))
    search_help_text = "the id of a delivery or of an event, exactly"
    fields = (*list_display, moment_column("created_at"))
    actions_detail = ("send_again",)

    def find(self, term: str) -> list[str]:
        return [term, *InternalDelivery.objects.filter(event=term).values_list("pk", flat=True)[:100]]

    @reasoned_action(
        title="Send again",
        permission="merchants.resend_internal_delivery",
        explain="The event is sent to the subscriber once more, with a fresh schedule of retries.",
        icon="replay",
        applies=lambda delivery: delivery.claim is None,
    )
    def send_again(self, request: HttpRequest, delivery: InternalDelivery, form: Any) -> str:
        subscribers.send_again(delivery)
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
