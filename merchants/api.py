"""Webhook endpoints and events, for merchants."""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core import api, clock
from core.api import ListQuery, StrictSerializer
from core.metadata import MetadataField
from events import subjects
from events.models import Event
from merchants import services, webhooks
from merchants.models import WebhookEndpoint
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView


class EndpointInput(StrictSerializer):
    """`event_types` empty or absent means every event."""

    url = serializers.URLField(max_length=500)
    event_types = serializers.ListField(child=serializers.CharField(), default=list, max_length=100)
    description = serializers.CharField(max_length=200, default="", allow_blank=True)
    metadata = MetadataField()

    def validate_url(self, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ({"https"} if self.context["livemode"] else {"https", "http"}):
            raise serializers.ValidationError("must begin with https://")
        if parts.username or parts.password:
            raise serializers.ValidationError("must not carry a user or password")
        return url

    def validate_event_types(self, names: list[str]) -> list[str]:
        unknown = sorted(set(names) - set(subjects.event_types()))
        if unknown:
            raise serializers.ValidationError(f"unknown event types: {', '.join(unknown)}")
        return names


class EndpointChange(EndpointInput):
    """Only what is sent changes."""

    is_enabled = serializers.BooleanField()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, partial=True, **options)


@extend_schema_serializer(component_name="WebhookEndpoint")
class EndpointOutput(serializers.Serializer[Any]):
    """`secret` is shown once, in the answer that created the endpoint."""

    id = serializers.CharField()
    object = serializers.CharField(default="webhook_endpoint")
    url = serializers.CharField()
    event_types = serializers.ListField(child=serializers.CharField())
    description = serializers.CharField()
    metadata = serializers.DictField(child=serializers.CharField())
    is_enabled = serializers.BooleanField()
    disabled_because = serializers.CharField(allow_null=True)
    secret = serializers.CharField(allow_null=True)
    api_version = serializers.CharField()
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()


def present_endpoint(endpoint: WebhookEndpoint, *, secret: str | None = None) -> dict[str, Any]:
    return {
        "id": endpoint.pk,
        "object": "webhook_endpoint",
        "url": endpoint.url,
        "event_types": endpoint.event_types,
        "description": endpoint.description,
        "metadata": endpoint.metadata,
        "is_enabled": endpoint.is_enabled,
        "disabled_because": endpoint.disabled_because or None,
        "secret": secret,
        "api_version": endpoint.api_version,
        "livemode": endpoint.livemode,
        "created_at": clock.rfc3339(endpoint.created_at),
    }


class EndpointsView(ApiView):
    """`/v1/webhook-endpoints`"""

    key_is_optional = True
    scopes: ClassVar = {"GET": "webhook_endpoints:read", "POST": "webhook_endpoints:write"}

    @extend_schema(
        operation_id="list_webhook_endpoints",
        parameters=[ListQuery],
        responses={200: list_of(EndpointOutput), **PROBLEMS},
        tags=["Webhooks"],
    )
    def get(self, request: Request) -> Response:
        asked = api.query(request, ListQuery)
        rows = self.owned(WebhookEndpoint.objects.all())
        return Response(api.page(rows, asked, present=present_endpoint))

    @extend_schema(
        operation_id="create_webhook_endpoint",
        request=EndpointInput,
        responses={201: EndpointOutput, **PROBLEMS},
        tags=["Webhooks"],
    )
    def post(self, request: Request) -> Response:
        asked = EndpointInput(data=request.data, context={"livemode": self.caller.livemode})
        asked.is_valid(raise_exception=True)
        endpoint, secret = services.create_webhook_endpoint(
            merchant=self.caller.merchant,
            livemode=self.caller.livemode,
            by=self.caller.actor,
            **asked.validated_data,
        )

        def act(claim: Any) -> WebhookEndpoint:
            claim.bind(endpoint.pk, endpoint)
            return endpoint

        return self.once(
            act=act,
            resume=self._found,
            present=lambda row: present_endpoint(row, secret=secret.reveal() if row is endpoint else None),
            status=201,
        )

    def _found(self, public_id: str) -> WebhookEndpoint:
        found: WebhookEndpoint = self.own(WebhookEndpoint.objects.all(), public_id)
        return found


class EndpointView(ApiView):
    """`/v1/webhook-endpoints/{id}`"""

    scopes: ClassVar = {
        "GET": "webhook_endpoints:read",
        "PATCH": "webhook_endpoints:write",
        "DELETE": "webhook_endpoints:write",
    }

    @extend_schema(operation_id="get_webhook_endpoint", responses={200: EndpointOutput, **PROBLEMS}, tags=["Webhooks"])
    def get(self, request: Request, endpoint_id: str) -> Response:
        return Response(present_endpoint(self.own(WebhookEndpoint.objects.all(), endpoint_id)))

    @extend_schema(
        operation_id="change_webhook_endpoint",
        request=EndpointChange,
        responses={200: EndpointOutput, **PROBLEMS},
        tags=["Webhooks"],
    )
    def patch(self, request: Request, endpoint_id: str) -> Response:
        endpoint = self.own(WebhookEndpoint.objects.all(), endpoint_id)
        asked = EndpointChange(data=request.data, context={"livemode": self.caller.livemode})
        asked.is_valid(raise_exception=True)
        services.change_webhook_endpoint(endpoint, by=self.caller.actor, **asked.validated_data)
        return Response(present_endpoint(endpoint))

    @extend_schema(operation_id="disable_webhook_endpoint", responses={204: None, **PROBLEMS}, tags=["Webhooks"])
    def delete(self, request: Request, endpoint_id: str) -> Response:
        endpoint = self.own(WebhookEndpoint.objects.all(), endpoint_id)
        webhooks.disable(endpoint, "deleted by the merchant")
        return Response(status=204)


class EventQuery(ListQuery):
    type = serializers.CharField(max_length=64, required=False)
    subject = serializers.CharField(max_length=32, required=False)


@extend_schema_serializer(component_name="Event")
class EventOutput(serializers.Serializer[Any]):
    """What a webhook's body is, too."""

    id = serializers.CharField()
    object = serializers.CharField(default="event")
    type = serializers.CharField()
    created_at = serializers.DateTimeField()
    livemode = serializers.BooleanField()
    api_version = serializers.CharField()
    subject = serializers.CharField()
    sequence = serializers.IntegerField()
    request_id = serializers.CharField(allow_null=True)
    data = serializers.DictField()  # type: ignore[assignment]  # a field that shares the name


class EventsView(ApiView):
    """`/v1/events`"""

    scopes: ClassVar = {"GET": "events:read"}

    @extend_schema(
        operation_id="list_events",
        parameters=[EventQuery],
        responses={200: list_of(EventOutput), **PROBLEMS},
        tags=["Events"],
    )
    def get(self, request: Request) -> Response:
        asked = api.query(request, EventQuery)
        filters = {name: asked.validated_data[name] for name in ("type", "subject") if name in asked.validated_data}
        rows = self.owned(Event.objects.filter(**filters))
        return Response(api.page(rows, asked, present=webhooks.present_event))


class EventView(ApiView):
    """`/v1/events/{id}`"""

    scopes: ClassVar = {"GET": "events:read"}

    @extend_schema(operation_id="get_event", responses={200: EventOutput, **PROBLEMS}, tags=["Events"])
    def get(self, request: Request, event_id: str) -> Response:
        return Response(webhooks.present_event(self.own(Event.objects.all(), event_id)))
