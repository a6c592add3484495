"""Saved methods, for merchants: parse, one call, present."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import api
from core.crypto import Secret
from merchants.customer_search import everyone_of
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView
from payments import saved_serializers as serializers
from payments.api import IDEMPOTENCY_KEY
from payments.models import SavedMethod
from payments.saved_presentation import present_saved_method
from payments.services import saved_changing, saved_closing, saving


def saved_methods() -> QuerySet[SavedMethod]:
    return SavedMethod.objects.select_related("account", "holder")


class SavedMethodsView(ApiView):
    """`/v1/saved-methods`"""

    scopes: ClassVar = {"GET": "saved_methods:read", "POST": "saved_methods:write"}

    @extend_schema(
        operation_id="list_saved_methods",
        parameters=[serializers.SavedMethodQuery],
        responses={200: list_of(serializers.SavedMethodOutput), **PROBLEMS},
        tags=["Saved methods"],
    )
    def get(self, request: Request) -> Response:
        """The cards that your customers let you keep, the newest first."""
        asked = api.query(request, serializers.SavedMethodQuery)
        rows = self.owned(saved_methods()).filter(**self._filters(asked.validated_data))
        return Response(api.page(rows, asked, present=present_saved_method))

    def _filters(self, given: dict[str, Any]) -> dict[str, Any]:
        filters = {"state": given["state"]} if "state" in given else {}
        if "customer" in given:
            merchant, livemode = self.caller.merchant.pk, self.caller.livemode
            filters["customer__in"] = everyone_of(merchant=merchant, livemode=livemode, public_id=given["customer"])
        return filters

    @extend_schema(
        operation_id="create_saved_method",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.SavedMethodInput,
        responses={201: serializers.SavedMethodOutput, **PROBLEMS},
        tags=["Saved methods"],
    )
    def post(self, request: Request) -> Response:
        """Keep a customer's card or PayPal account to charge it again. They may have to agree first: `next_action`."""
        given = serializers.SavedMethodInput(data=request.data)
        given.is_valid(raise_exception=True)
        asked = self._request(dict(given.validated_data))
        return self.once(
            act=lambda claim: saving.save_method(asked, claim=claim),
            resume=saved_closing.resume,
            present=present_saved_method,
            status=201,
        )

    def _request(self, fields: dict[str, Any]) -> saving.SavingRequest:
        return saving.SavingRequest(
            merchant=self.caller.merchant,
            livemode=self.caller.livemode,
            instrument=Secret(fields.pop("payment_method", "")),
            is_default=fields.pop("default"),
            by=self.caller.actor,
            **fields,
        )


class SavedMethodView(ApiView):
    """`/v1/saved-methods/{id}`"""

    scopes: ClassVar = {"GET": "saved_methods:read"}

    @extend_schema(
        operation_id="get_saved_method",
        responses={200: serializers.SavedMethodOutput, **PROBLEMS},
        tags=["Saved methods"],
    )
    def get(self, request: Request, saved_method_id: str) -> Response:
        """One saved method: whether it can be charged, and when its card ends."""
        return Response(present_saved_method(self.own(saved_methods(), saved_method_id)))


class DefaultView(ApiView):
    """`/v1/saved-methods/{id}/default`"""

    scopes: ClassVar = {"POST": "saved_methods:write"}

    @extend_schema(
        operation_id="make_saved_method_default",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.NoFields,
        responses={200: serializers.SavedMethodOutput, **PROBLEMS},
        tags=["Saved methods"],
    )
    def post(self, request: Request, saved_method_id: str) -> Response:
        """Put it in the place of the customer's default method. A payment still names what it charges."""
        saved = self.own(saved_methods(), saved_method_id)
        serializers.NoFields(data=request.data).is_valid(raise_exception=True)
        return self.once(
            act=lambda claim: saved_changing.make_default(saved, claim=claim),
            resume=saved_closing.load,
            present=present_saved_method,
        )


class DetachView(ApiView):
    """`/v1/saved-methods/{id}/detach`"""

    scopes: ClassVar = {"POST": "saved_methods:write"}

    @extend_schema(
        operation_id="detach_saved_method",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.NoFields,
        responses={200: serializers.SavedMethodOutput, **PROBLEMS},
        tags=["Saved methods"],
    )
    def post(self, request: Request, saved_method_id: str) -> Response:
        """Give it up for good: nothing is charged to it any more, and the provider is told to forget it."""
        saved = self.own(saved_methods(), saved_method_id)
        serializers.NoFields(data=request.data).is_valid(raise_exception=True)
        return self.once(
            act=lambda claim: saved_closing.detach(saved, claim=claim, by=self.caller.actor),
            resume=saved_closing.resume,
            present=present_saved_method,
        )
