"""Order sources, for merchants: where their orders live, and how an order stands there."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import api
from core.api import ListQuery, NothingInput
from core.errors import OrderSourceUnusable
from events.idempotency import Claim
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView
from orders import serializers, sources
from orders.models import OrderSource
from orders.reading import Unreadable
from orders.serializers import present_order, present_source


class SourceApiView(ApiView):
    """What the views of order sources share."""

    key_is_optional = True

    def found(self, public_id: str) -> OrderSource:
        source: OrderSource = self.own(OrderSource.objects.all(), public_id)
        return source


class SourcesView(SourceApiView):
    """`/v1/order-sources`"""

    scopes: ClassVar = {"GET": "order_sources:read", "POST": "order_sources:write"}

    @extend_schema(
        operation_id="list_order_sources",
        parameters=[ListQuery],
        responses={200: list_of(serializers.SourceOutput), **PROBLEMS},
        tags=["Order sources"],
    )
    def get(self, request: Request) -> Response:
        """Your order sources, the newest first."""
        asked = api.query(request, ListQuery)
        return Response(api.page(self.owned(OrderSource.objects.all()), asked, present=present_source))

    @extend_schema(
        operation_id="create_order_source",
        request=serializers.SourceInput,
        responses={201: serializers.SourceOutput, **PROBLEMS},
        tags=["Order sources"],
    )
    def post(self, request: Request) -> Response:
        """Say where your orders live. The tables are looked at first: what is missing there is named."""
        caller, asked = self.caller, serializers.SourceInput(data=request.data)
        asked.is_valid(raise_exception=True)
        return self.once(
            act=lambda claim: sources.create_source(
                merchant=caller.merchant,
                livemode=caller.livemode,
                by=caller.actor,
                claim=claim,
                **asked.validated_data,
            ),
            resume=self.found,
            present=present_source,
            status=201,
        )


class SourceView(SourceApiView):
    """`/v1/order-sources/{id}`"""

    scopes: ClassVar = {"GET": "order_sources:read", "PATCH": "order_sources:write"}

    @extend_schema(
        operation_id="get_order_source",
        responses={200: serializers.SourceOutput, **PROBLEMS},
        tags=["Order sources"],
    )
    def get(self, request: Request, source_id: str) -> Response:
        """One order source, and what was wrong with it when it was last asked."""
        return Response(present_source(self.found(source_id)))

    @extend_schema(
        operation_id="change_order_source",
        request=serializers.SourceChange,
        responses={200: serializers.SourceOutput, **PROBLEMS},
        tags=["Order sources"],
    )
    def patch(self, request: Request, source_id: str) -> Response:
        """Change what you send. One that is switched off gives no orders to new payments; what was paid is still
        written back."""
        source = self.found(source_id)
        asked = serializers.SourceChange(data=request.data, context={"schema": source.schema})
        asked.is_valid(raise_exception=True)
        sources.change_source(source, by=self.caller.actor, **asked.validated_data)
        return Response(present_source(source))


class VerifyView(SourceApiView):
    """`/v1/order-sources/{id}/verify`"""

    scopes: ClassVar = {"POST": "order_sources:write"}

    @extend_schema(
        operation_id="verify_order_source",
        request=NothingInput,
        responses={200: serializers.SourceOutput, **PROBLEMS},
        tags=["Order sources"],
    )
    def post(self, request: Request, source_id: str) -> Response:
        """Look at its tables again; `fault` names what is not as mapped."""
        source = self.found(source_id)
        NothingInput(data=request.data).is_valid(raise_exception=True)

        def act(claim: Claim) -> OrderSource:
            verified = sources.verify_source(source, by=self.caller.actor)
            claim.bind(source.pk)
            return verified

        return self.once(act=act, resume=self.found, present=present_source)


class OrdersView(SourceApiView):
    """`/v1/order-sources/{id}/orders`"""

    scopes: ClassVar = {"GET": "order_sources:read"}

    @extend_schema(
        operation_id="find_order",
        parameters=[serializers.OrderQuery],
        responses={200: list_of(serializers.OrderOutput), **PROBLEMS},
        tags=["Order sources"],
    )
    def get(self, request: Request, source_id: str) -> Response:
        """The order of that id as it stands in the source now, with its lines; an empty list if there is none."""
        source = self.found(source_id)
        asked = api.query(request, serializers.OrderQuery)
        return Response(
            {
                "object": "list",
                "data": self._shown(source, asked.validated_data["order"]),
                "next_cursor": None,
                "has_more": False,
            }
        )

    def _shown(self, source: OrderSource, number: str) -> list[dict[str, Any]]:
        try:
            found = sources.read_order(source, number, with_lines=True)
        except Unreadable as fault:
            raise OrderSourceUnusable(f"{fault}.", param="order") from fault
        return [present_order(source, found)] if found else []
