"""Telling a provider where an account's callbacks go, for the merchant whose account it is."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core import api, clock
from core.api import ListQuery, NothingInput
from merchants.models import ProviderAccount
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView
from payments.models import Registration
from payments.services import registering


@extend_schema_serializer(component_name="CallbackRegistration")
class RegistrationOutput(serializers.Serializer[Any]):
    """One try. `refused` does not say whose addresses the provider has; `unknown` is never sent again by itself."""

    id = serializers.CharField()
    object = serializers.CharField(default="callback_registration")
    account = serializers.CharField()
    outcome = serializers.ChoiceField(choices=[outcome.value for outcome in Registration.Outcome])
    provider_code = serializers.CharField(allow_null=True, help_text="The provider's own word")
    message = serializers.CharField(allow_null=True)
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)


def present_registration(row: Registration) -> dict[str, Any]:
    return {
        "id": row.pk,
        "object": "callback_registration",
        "account": row.account_id,
        "outcome": row.outcome,
        "provider_code": row.provider_code or None,
        "message": row.message or None,
        "livemode": row.livemode,
        "created_at": clock.rfc3339(row.created_at),
        "sent_at": clock.rfc3339(row.sent_at) if row.sent_at else None,
    }


class RegistrationApiView(ApiView):
    """What the views of registrations share."""

    key_is_optional = True

    def account(self, public_id: str) -> ProviderAccount:
        account: ProviderAccount = self.own(ProviderAccount.objects.all(), public_id)
        return account

    def of(self, account_id: str) -> QuerySet[Registration]:
        return Registration.objects.filter(account=self.account(account_id))


class RegisterView(RegistrationApiView):
    """`/v1/provider-accounts/{id}/register-callbacks`"""

    scopes: ClassVar = {"POST": "provider_accounts:write"}

    @extend_schema(
        operation_id="register_provider_account_callbacks",
        request=NothingInput,
        responses={202: RegistrationOutput, **PROBLEMS},
        tags=["Provider accounts"],
    )
    def post(self, request: Request, account_id: str) -> Response:
        """Tells the provider by a call where money that comes by itself is reported. Some take this once only."""
        account = self.account(account_id)
        NothingInput(data=request.data).is_valid(raise_exception=True)
        return self.once(
            act=lambda claim: registering.register_doors(account, by=self.caller.actor, claim=claim),
            resume=lambda public_id: Registration.objects.get(pk=public_id),
            present=present_registration,
            status=202,
        )


class RegistrationsView(RegistrationApiView):
    """`/v1/provider-accounts/{id}/registrations`"""

    scopes: ClassVar = {"GET": "provider_accounts:read"}

    @extend_schema(
        operation_id="list_provider_account_registrations",
        parameters=[ListQuery],
        responses={200: list_of(RegistrationOutput), **PROBLEMS},
        tags=["Provider accounts"],
    )
    def get(self, request: Request, account_id: str) -> Response:
        """Each try to tell the provider the account's addresses, the newest first."""
        asked = api.query(request, ListQuery)
        return Response(api.page(self.of(account_id), asked, present=present_registration))


class RegistrationView(RegistrationApiView):
    """`/v1/provider-accounts/{id}/registrations/{id}`"""

    scopes: ClassVar = {"GET": "provider_accounts:read"}

    @extend_schema(
        operation_id="get_provider_account_registration",
        responses={200: RegistrationOutput, **PROBLEMS},
        tags=["Provider accounts"],
    )
    def get(self, request: Request, account_id: str, registration_id: str) -> Response:
        """One try, with the provider's own word for what came of it."""
        return Response(present_registration(self.own(self.of(account_id), registration_id)))
