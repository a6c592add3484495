"""Webhook endpoints, for merchants."""

from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.db import transaction
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core import api, clock
from core.api import ListQuery, StrictSerializer
from core.crypto import Secret
from core.metadata import MetadataField
from events import subjects
from events.idempotency import Claim
from events.models import Event, LanePace
from merchants import caps, endpoints, services, webhook_health
from merchants.api import EventOutput
from merchants.models import WebhookEndpoint
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView
from merchants.webhook_sending import present_event


def known_event_types(names: list[str]) -> list[str]:
    """Raises ValidationError for one that is not in the catalogue."""
    unknown = sorted(set(names) - set(subjects.event_types()))
    if unknown:
        raise serializers.ValidationError(f"unknown event types: {', '.join(unknown)}")
    return names


class EndpointInput(StrictSerializer):
    """`event_types` empty or absent means every event; `max_per_second` null, as many as there are."""

    url = serializers.URLField(max_length=500)
    event_types = serializers.ListField(child=serializers.CharField(), default=list, max_length=100)
    description = serializers.CharField(max_length=200, default="", allow_blank=True)
    max_per_second = serializers.IntegerField(min_value=1, max_value=1000, allow_null=True, default=None)
    metadata = MetadataField()

    def validate_url(self, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ({"https"} if self.context["livemode"] else {"https", "http"}):
            raise serializers.ValidationError("must begin with https://")
        if parts.username or parts.password:
            raise serializers.ValidationError("must not carry a user or password")
        return url

    def validate_event_types(self, names: list[str]) -> list[str]:
        return known_event_types(names)


class EndpointChange(EndpointInput):
    """Only what is sent changes."""

    is_enabled = serializers.BooleanField()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, partial=True, **options)


@extend_schema_serializer(component_name="WebhookEndpoint")
class EndpointOutput(serializers.Serializer[Any]):
    """`secret` is shown once, in the answer that created the endpoint or rotated its secret."""

    id = serializers.CharField()
    object = serializers.CharField(default="webhook_endpoint")
    url = serializers.CharField()
    event_types = serializers.ListField(child=serializers.CharField())
    description = serializers.CharField()
    metadata = serializers.DictField(child=serializers.CharField())
    is_enabled = serializers.BooleanField()
    disabled_because = serializers.CharField(allow_null=True)
    failing_since = serializers.DateTimeField(allow_null=True)
    max_per_second = serializers.IntegerField(allow_null=True)
    secret = serializers.CharField(allow_null=True)
    earlier_secrets_until = serializers.DateTimeField(allow_null=True)
    api_version = serializers.CharField()
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()


def _written(moment: datetime | None) -> str | None:
    return clock.rfc3339(moment) if moment else None


def present_endpoint(endpoint: WebhookEndpoint, *, secret: str | None = None) -> dict[str, Any]:
    until = endpoint.earlier_secrets_until
    return {
        "id": endpoint.pk,
        "object": "webhook_endpoint",
        "url": endpoint.url,
        "event_types": endpoint.event_types,
        "description": endpoint.description,
        "metadata": endpoint.metadata,
        "is_enabled": endpoint.is_enabled,
        "disabled_because": endpoint.disabled_because or None,
        "failing_since": _written(endpoint.failing_since),
        "max_per_second": endpoint.max_per_second,
        "secret": secret,
        "earlier_secrets_until": _written(until if until and until > clock.now() else None),
        "api_version": endpoint.api_version,
        "livemode": endpoint.livemode,
        "created_at": clock.rfc3339(endpoint.created_at),
    }


def _pace_of(endpoint: WebhookEndpoint) -> list[LanePace]:
    rate = endpoint.max_per_second
    return [LanePace(queue="deliveries", lane=endpoint.pk, per_second=rate)] if rate else []


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
        """Your endpoints, the newest first, without their secrets."""
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
        """Have events sent to a URL of yours. The answer shows its `secret`, this once."""
        asked = EndpointInput(data=request.data, context={"livemode": self.caller.livemode})
        asked.is_valid(raise_exception=True)
        endpoint, secret = services.create_webhook_endpoint(
            merchant=self.caller.merchant,
            livemode=self.caller.livemode,
            by=self.caller.actor,
            **asked.validated_data,
        )

        def act(claim: Claim) -> WebhookEndpoint:
            with transaction.atomic():
                caps.demand_room_for_endpoint(endpoint.merchant, livemode=endpoint.livemode)
                claim.bind(endpoint.pk, endpoint, *_pace_of(endpoint))
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
        """One endpoint, and how it has been doing."""
        return Response(present_endpoint(self.own(WebhookEndpoint.objects.all(), endpoint_id)))

    @extend_schema(
        operation_id="change_webhook_endpoint",
        request=EndpointChange,
        responses={200: EndpointOutput, **PROBLEMS},
        tags=["Webhooks"],
    )
    def patch(self, request: Request, endpoint_id: str) -> Response:
        """Change what you send. `is_enabled: true` switches a disabled endpoint on again."""
        endpoint = self.own(WebhookEndpoint.objects.all(), endpoint_id)
        asked = EndpointChange(data=request.data, context={"livemode": self.caller.livemode})
        asked.is_valid(raise_exception=True)
        services.change_webhook_endpoint(endpoint, by=self.caller.actor, **asked.validated_data)
        return Response(present_endpoint(endpoint))

    @extend_schema(operation_id="disable_webhook_endpoint", responses={204: None, **PROBLEMS}, tags=["Webhooks"])
    def delete(self, request: Request, endpoint_id: str) -> Response:
        """Send nothing more there, and discard what waits for it. The endpoint stays, disabled."""
        endpoint = self.own(WebhookEndpoint.objects.all(), endpoint_id)
        webhook_health.disable(endpoint, reason="deleted by the merchant", by=self.caller.actor)
        return Response(status=204)


class NoInput(StrictSerializer):
    """An empty object."""


class RotationInput(StrictSerializer):
    """For how long the present secret signs beside the new one. 0 ends it, and every earlier one, at once."""

    overlap_seconds = serializers.IntegerField(min_value=0, max_value=7 * 86400, default=86400)


class RotateSecretView(ApiView):
    """`/v1/webhook-endpoints/{id}/rotate-secret`"""

    key_is_optional = True
    scopes: ClassVar = {"POST": "webhook_endpoints:write"}

    @extend_schema(
        operation_id="rotate_webhook_secret",
        request=RotationInput,
        responses={200: EndpointOutput, **PROBLEMS},
        tags=["Webhooks"],
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        """A new secret, shown this once; the present one signs beside it for `overlap_seconds`."""
        endpoint = self.own(WebhookEndpoint.objects.all(), endpoint_id)
        asked = RotationInput(data=request.data)
        asked.is_valid(raise_exception=True)
        overlap = timedelta(seconds=asked.validated_data["overlap_seconds"])
        made: list[Secret] = []

        def act(claim: Claim) -> WebhookEndpoint:
            with transaction.atomic():
                rotated, secret = endpoints.rotate_secret(endpoint, overlap=overlap, by=self.caller.actor)
                claim.bind(rotated.pk)
            made.append(secret)
            return rotated

        return self.once(
            act=act,
            resume=lambda public_id: self.own(WebhookEndpoint.objects.all(), public_id),
            present=lambda row: present_endpoint(row, secret=made[0].reveal() if made else None),
        )


class PingView(ApiView):
    """`/v1/webhook-endpoints/{id}/ping`"""

    key_is_optional = True
    scopes: ClassVar = {"POST": "webhook_endpoints:write"}

    @extend_schema(
        operation_id="ping_webhook_endpoint",
        request=NoInput,
        responses={202: EventOutput, **PROBLEMS},
        tags=["Webhooks"],
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Send a `webhook_endpoint.ping` to this endpoint, whatever it filters."""
        endpoint = self.own(WebhookEndpoint.objects.all(), endpoint_id)
        NoInput(data=request.data).is_valid(raise_exception=True)

        def act(claim: Claim) -> Event:
            with transaction.atomic():
                event = endpoints.ping(endpoint, by=self.caller.actor)
                claim.bind(event.pk)
            return event

        return self.once(
            act=act,
            resume=lambda public_id: self.own(Event.objects.all(), public_id),
            present=present_event,
            status=202,
        )
