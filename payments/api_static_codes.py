"""Codes that stand on a counter, for merchants: have one made, and draw it."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core import api, clock
from core.api import ListQuery, StrictSerializer
from merchants.models import Store
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView
from payments.api import IDEMPOTENCY_KEY
from payments.models import StaticCode
from payments.services import static_codes


@extend_schema_serializer(component_name="StaticCodeCreation")
class CodeInput(StrictSerializer):
    """No amount: whoever pays types it."""

    account = serializers.CharField(max_length=32, help_text="The id of the provider account where the money comes")
    reference = serializers.CharField(
        max_length=100, default="", allow_blank=True, help_text="Your own name for it, such as the counter it stands on"
    )


@extend_schema_serializer(component_name="StaticCode")
class CodeOutput(serializers.Serializer[Any]):
    """`active` is there to be drawn from `qr_string` and paid. `refused` and `unknown` are never asked for again by
    themselves: ask for another one."""

    id = serializers.CharField()
    object = serializers.CharField(default="static_code")
    store = serializers.CharField()
    account = serializers.CharField()
    provider = serializers.CharField()
    reference = serializers.CharField(allow_null=True)
    outcome = serializers.ChoiceField(choices=[outcome.value for outcome in StaticCode.Outcome])
    qr_string = serializers.CharField(allow_null=True, help_text="The text of the code; null unless it is active")
    expires_at = serializers.DateTimeField(allow_null=True, help_text="When it ends, where the provider says so")
    provider_id = serializers.CharField(allow_null=True)
    provider_code = serializers.CharField(allow_null=True, help_text="The provider's own word")
    message = serializers.CharField(allow_null=True)
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()


def present_code(code: StaticCode) -> dict[str, Any]:
    return {
        "id": code.pk,
        "object": "static_code",
        "store": code.store_id,
        "account": code.account_id,
        "provider": code.account.provider,
        "reference": code.reference or None,
        "outcome": code.outcome,
        "qr_string": code.text or None,
        "expires_at": clock.rfc3339(code.expires_at) if code.expires_at else None,
        "provider_id": code.provider_id or None,
        "provider_code": code.provider_code or None,
        "message": code.message or None,
        "livemode": code.livemode,
        "created_at": clock.rfc3339(code.created_at),
    }


class StaticCodeApiView(ApiView):
    """What the views of static codes share."""

    def store(self, public_id: str) -> Store:
        store: Store = self.own(Store.objects.all(), public_id)
        return store

    def codes(self, store_id: str) -> QuerySet[StaticCode]:
        return StaticCode.objects.select_related("account").filter(store=self.store(store_id))


class StaticCodesView(StaticCodeApiView):
    """`/v1/stores/{id}/static-codes`"""

    scopes: ClassVar = {"GET": "stores:read", "POST": "stores:write"}

    @extend_schema(
        operation_id="list_static_codes",
        parameters=[ListQuery],
        responses={200: list_of(CodeOutput), **PROBLEMS},
        tags=["Stores"],
    )
    def get(self, request: Request, store_id: str) -> Response:
        """The codes that were made for this store, the newest first."""
        codes = self.codes(store_id)
        return Response(api.page(codes, api.query(request, ListQuery), present=present_code))

    @extend_schema(
        operation_id="create_static_code",
        parameters=[IDEMPOTENCY_KEY],
        request=CodeInput,
        responses={201: CodeOutput, **PROBLEMS},
        tags=["Stores"],
    )
    def post(self, request: Request, store_id: str) -> Response:
        """Have a code made that stands on the counter and is paid again and again, with what each payer types.

        The provider is asked once; `outcome` says what it answered. What is paid on it becomes an unallocated receipt
        that names the store.
        """
        store, asked = self.store(store_id), CodeInput(data=request.data)
        asked.is_valid(raise_exception=True)
        return self.once(
            act=lambda claim: static_codes.create_code(
                store=store, by=self.caller.actor, claim=claim, **asked.validated_data
            ),
            resume=lambda public_id: self.codes(store_id).get(pk=public_id),
            present=present_code,
            status=201,
        )


class StaticCodeView(StaticCodeApiView):
    """`/v1/stores/{id}/static-codes/{id}`"""

    scopes: ClassVar = {"GET": "stores:read"}

    @extend_schema(operation_id="get_static_code", responses={200: CodeOutput, **PROBLEMS}, tags=["Stores"])
    def get(self, request: Request, store_id: str, code_id: str) -> Response:
        """One code, as it is to be drawn."""
        return Response(present_code(self.own(self.codes(store_id), code_id)))
