"""What was sent to a webhook endpoint and how it went, and sending it again; for merchants."""

from typing import Any, ClassVar

from django.db import transaction
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core import api, clock
from core.api import ListQuery, StrictSerializer
from core.errors import NotFound
from events.idempotency import Claim
from merchants import endpoints
from merchants.api_webhooks import known_event_types
from merchants.models import Delivery, DeliveryAttempt, WebhookEndpoint, WebhookReplay
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView

_SHOWN_ATTEMPTS = 100


@extend_schema_serializer(component_name="WebhookAttempt")
class AttemptOutput(serializers.Serializer[Any]):
    """One try. `status` is null where `fault` says why there was no answer; `answer` is its first 2 KB."""

    id = serializers.CharField()
    object = serializers.CharField(default="webhook_attempt")
    created_at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True)
    milliseconds = serializers.IntegerField()
    answer = serializers.CharField(allow_blank=True)
    fault = serializers.CharField(allow_null=True)


@extend_schema_serializer(component_name="WebhookDelivery")
class DeliveryOutput(serializers.Serializer[Any]):
    """An event on its way to an endpoint. `next_attempt_at` is null while a try is under way, and at the end."""

    id = serializers.CharField()
    object = serializers.CharField(default="webhook_delivery")
    endpoint = serializers.CharField()
    event = serializers.CharField()
    event_type = serializers.CharField()
    state = serializers.ChoiceField(choices=Delivery.State.values)
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()


@extend_schema_serializer(component_name="WebhookDeliveryWithAttempts")
class DeliveryDetail(DeliveryOutput):
    """With its tries, the newest first, at most a hundred."""

    attempts = AttemptOutput(many=True)


@extend_schema_serializer(component_name="WebhookReplay")
class ReplayOutput(serializers.Serializer[Any]):
    """`deliveries` counts what has been given to the endpoint's queue so far."""

    id = serializers.CharField()
    object = serializers.CharField(default="webhook_replay")
    endpoint = serializers.CharField()
    state = serializers.ChoiceField(choices=["running", "finished", "stopped"])
    stopped_because = serializers.CharField(allow_null=True)
    event = serializers.CharField(allow_null=True)
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)
    types = serializers.ListField(child=serializers.CharField())
    deliveries = serializers.IntegerField()
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class DeliveryQuery(ListQuery):
    state = serializers.ChoiceField(choices=Delivery.State.values, required=False)
    event = serializers.CharField(max_length=32, required=False)


class ReplayInput(StrictSerializer):
    """Either one `event`, or the span from `since` (at most 31 days ago) up to but without `until`."""

    event = serializers.CharField(max_length=32, required=False)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)
    types = serializers.ListField(child=serializers.CharField(), max_length=100, required=False)

    def validate_types(self, names: list[str]) -> list[str]:
        return known_event_types(names)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if "event" in given:
            return self._without(given, "since", "until", "types", told="does not go with event")
        missing = [name for name in ("since", "until") if name not in given]
        if missing:
            raise serializers.ValidationError(dict.fromkeys(missing, "is required where no event is given"))
        return given

    def _without(self, given: dict[str, Any], *names: str, told: str) -> dict[str, Any]:
        found = [name for name in names if name in given]
        if found:
            raise serializers.ValidationError(dict.fromkeys(found, told))
        return given


def present_delivery(row: Delivery) -> dict[str, Any]:
    waits = row.state == Delivery.State.PENDING and row.claim is None
    return {
        "id": row.pk,
        "object": "webhook_delivery",
        "endpoint": row.endpoint_id,
        "event": row.event_id,
        "event_type": row.event.type,
        "state": row.state,
        "next_attempt_at": clock.rfc3339(row.due_at) if waits and row.due_at else None,
        "finished_at": clock.rfc3339(row.finished_at) if row.finished_at else None,
        "livemode": row.livemode,
        "created_at": clock.rfc3339(row.created_at),
    }


def present_attempt(row: DeliveryAttempt) -> dict[str, Any]:
    return {
        "id": row.pk,
        "object": "webhook_attempt",
        "created_at": clock.rfc3339(row.at),
        "status": row.status,
        "milliseconds": row.milliseconds,
        "answer": row.answer,
        "fault": row.fault or None,
    }


def present_replay(row: WebhookReplay) -> dict[str, Any]:
    return {
        "id": row.pk,
        "object": "webhook_replay",
        "endpoint": row.endpoint_id,
        "state": row.progress,
        "stopped_because": row.stopped_because or None,
        "event": row.event or None,
        "since": clock.rfc3339(row.since) if row.since else None,
        "until": clock.rfc3339(row.until) if row.until else None,
        "types": row.event_types,
        "deliveries": row.staged,
        "livemode": row.livemode,
        "created_at": clock.rfc3339(row.created_at),
        "finished_at": clock.rfc3339(row.finished_at) if row.finished_at else None,
    }


class EndpointPart(ApiView):
    """What belongs to an endpoint is found through it, and only by whom the endpoint belongs to."""

    def endpoint(self, endpoint_id: str) -> WebhookEndpoint:
        found: WebhookEndpoint = self.own(WebhookEndpoint.objects.all(), endpoint_id)
        return found

    def part(self, rows: Any, public_id: str) -> Any:
        row = None if "\x00" in public_id else rows.filter(pk=public_id).first()
        if row is None:
            raise NotFound(f"There is no {rows.model._meta.verbose_name} {public_id} at this endpoint.")
        return row


class DeliveriesView(EndpointPart):
    """`/v1/webhook-endpoints/{id}/deliveries`"""

    scopes: ClassVar = {"GET": "webhook_endpoints:read"}

    @extend_schema(
        operation_id="list_webhook_deliveries",
        parameters=[DeliveryQuery],
        responses={200: list_of(DeliveryOutput), **PROBLEMS},
        tags=["Webhooks"],
    )
    def get(self, request: Request, endpoint_id: str) -> Response:
        """What was sent to the endpoint or waits to be, the newest first."""
        endpoint = self.endpoint(endpoint_id)
        asked = api.query(request, DeliveryQuery)
        filters = {name: asked.validated_data[name] for name in ("state", "event") if name in asked.validated_data}
        rows = Delivery.objects.filter(endpoint=endpoint, **filters).select_related("event")
        return Response(api.page(rows, asked, present=present_delivery))


class DeliveryView(EndpointPart):
    """`/v1/webhook-endpoints/{id}/deliveries/{id}`"""

    scopes: ClassVar = {"GET": "webhook_endpoints:read"}

    @extend_schema(operation_id="get_webhook_delivery", responses={200: DeliveryDetail, **PROBLEMS}, tags=["Webhooks"])
    def get(self, request: Request, endpoint_id: str, delivery_id: str) -> Response:
        """One delivery with its tries: when, how long, and what was answered."""
        rows = self.endpoint(endpoint_id).deliveries.select_related("event")
        delivery = self.part(rows, delivery_id)
        attempts = delivery.attempts.order_by("-pk")[:_SHOWN_ATTEMPTS]
        return Response({**present_delivery(delivery), "attempts": [present_attempt(row) for row in attempts]})


class ReplayView(EndpointPart):
    """`/v1/webhook-endpoints/{id}/replay`"""

    key_is_optional = True
    scopes: ClassVar = {"POST": "webhook_endpoints:write"}

    @extend_schema(
        operation_id="replay_webhook_events",
        request=ReplayInput,
        responses={202: ReplayOutput, **PROBLEMS},
        tags=["Webhooks"],
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Send one event again, or all of a span of time."""
        endpoint = self.endpoint(endpoint_id)
        asked = ReplayInput(data=request.data)
        asked.is_valid(raise_exception=True)

        def act(claim: Claim) -> WebhookReplay:
            with transaction.atomic():
                replay = self._begin(endpoint, asked.validated_data)
                claim.bind(replay.pk)
            return replay

        rows = WebhookReplay.objects.filter(endpoint=endpoint)
        return self.once(
            act=act, resume=lambda public_id: self.part(rows, public_id), present=present_replay, status=202
        )

    def _begin(self, endpoint: WebhookEndpoint, given: dict[str, Any]) -> WebhookReplay:
        by = self.caller.actor
        if "event" in given:
            return endpoints.replay_event(endpoint, event=given["event"], by=by)
        return endpoints.replay_span(
            endpoint, since=given["since"], until=given["until"], event_types=given.get("types", []), by=by
        )


class ReplayProgressView(EndpointPart):
    """`/v1/webhook-endpoints/{id}/replays/{id}`"""

    scopes: ClassVar = {"GET": "webhook_endpoints:read"}

    @extend_schema(operation_id="get_webhook_replay", responses={200: ReplayOutput, **PROBLEMS}, tags=["Webhooks"])
    def get(self, request: Request, endpoint_id: str, replay_id: str) -> Response:
        """How far a replay has come."""
        return Response(present_replay(self.part(self.endpoint(endpoint_id).replays.all(), replay_id)))
