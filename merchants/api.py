"""Events, for merchants: what happened, for whoever missed it."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core import api
from core.api import ListQuery
from events.models import Event
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView
from merchants.webhook_sending import present_event


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
        """What happened, the newest first: the same bodies that webhooks carry."""
        asked = api.query(request, EventQuery)
        filters = {name: asked.validated_data[name] for name in ("type", "subject") if name in asked.validated_data}
        rows = self.owned(Event.objects.filter(**filters))
        return Response(api.page(rows, asked, present=present_event))


class EventView(ApiView):
    """`/v1/events/{id}`"""

    scopes: ClassVar = {"GET": "events:read"}

    @extend_schema(operation_id="get_event", responses={200: EventOutput, **PROBLEMS}, tags=["Events"])
    def get(self, request: Request, event_id: str) -> Response:
        """One event, as it was sent."""
        return Response(present_event(self.own(Event.objects.all(), event_id)))
