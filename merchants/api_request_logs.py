"""The log of a merchant's requests to this API."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core import api, clock
from core.api import ListQuery
from core.pages import Place, listed, place_of
from events.models import AuditEntry
from merchants.openapi import PROBLEMS, list_of
from merchants.request_log import requests_of
from merchants.views import ApiView

METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")


class RequestLogQuery(ListQuery):
    """`route` is a path as the reference writes it: `/v1/payments/{payment_id}`."""

    status_class = serializers.ChoiceField(AuditEntry.STATUS_CLASSES, required=False)
    method = serializers.ChoiceField(METHODS, required=False)
    route = serializers.CharField(max_length=200, required=False)
    key = serializers.CharField(max_length=32, required=False)
    subject = serializers.CharField(max_length=32, required=False)
    request_id = serializers.CharField(max_length=64, required=False)
    created__gte = serializers.DateTimeField(required=False)
    created__lt = serializers.DateTimeField(required=False)

    FILTERS = {
        "method": "method",
        "route": "route",
        "key": "actor",
        "subject": "object_id",
        "request_id": "request_id",
        "created__gte": "at__gte",
        "created__lt": "at__lt",
    }

    def filters(self) -> dict[str, Any]:
        return {self.FILTERS[name]: value for name, value in self.validated_data.items() if name in self.FILTERS}


@extend_schema_serializer(component_name="RequestLog")
class RequestLogOutput(serializers.Serializer[Any]):
    """One request by a key of yours, without what was sent. `status` is null while a write has no outcome yet."""

    id = serializers.CharField()
    object = serializers.CharField(default="request_log")
    method = serializers.CharField()
    route = serializers.CharField()
    status = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField(allow_null=True, help_text="Why the key was refused")
    milliseconds = serializers.IntegerField(allow_null=True)
    key = serializers.CharField()
    subject = serializers.CharField(allow_null=True, help_text="The object that a write made or changed")
    address = serializers.CharField(allow_null=True)
    request_id = serializers.CharField(allow_null=True)
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()


def present_request(row: AuditEntry) -> dict[str, Any]:
    return {
        "id": row.pk,
        "object": "request_log",
        "method": row.method,
        "route": row.route,
        "status": row.status,
        "reason": row.detail.get("reason"),
        "milliseconds": row.milliseconds,
        "key": row.actor,
        "subject": row.object_id or None,
        "address": row.address,
        "request_id": row.request_id or None,
        "livemode": row.livemode,
        "created_at": clock.rfc3339(row.at),
    }


class RequestLogsView(ApiView):
    """`/v1/request-logs`"""

    scopes: ClassVar = {"GET": "request_logs:read"}

    @extend_schema(
        operation_id="list_request_logs",
        parameters=[RequestLogQuery],
        responses={200: list_of(RequestLogOutput), **PROBLEMS},
        tags=["Request logs"],
    )
    def get(self, request: Request) -> Response:
        """What your keys asked of this API and how it was answered, the newest first; nothing of what was sent."""
        asked = api.query(request, RequestLogQuery)
        rows = requests_of(merchant=self.caller.merchant.pk, livemode=self.caller.livemode).filter(**asked.filters())
        if "status_class" in asked.validated_data:
            rows = rows.answered(asked.validated_data["status_class"])
        place, limit = place_of(asked.validated_data.get("cursor")), asked.validated_data["limit"]
        if place:
            rows = rows.filter(place.rest("at"))
        found = list(rows.order_by("-at", "-pk")[: limit + 1])
        return Response(listed(found, limit=limit, place=_place, present=present_request))


def _place(row: AuditEntry) -> Place:
    return Place(row.at, row.pk)
