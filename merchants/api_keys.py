"""A merchant's own keys, for the merchant: made, replaced and revoked within what the key that asks has."""

from datetime import timedelta
from typing import Any, ClassVar

from django.db import transaction
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core import addresses, api, clock
from core.api import ListQuery, NothingInput, StrictSerializer
from core.crypto import Secret
from events.idempotency import Claim
from merchants import keys, scopes, services
from merchants.keys import Grant
from merchants.models import ApiKey
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView

Shown = tuple[ApiKey, Secret | None]


class ScopeField(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name not in scopes.known():
            raise serializers.ValidationError("is not a scope; the reference lists them")
        return name


class AddressField(serializers.CharField):
    """An address or a CIDR block."""

    def to_internal_value(self, data: Any) -> str:
        block = super().to_internal_value(data)
        try:
            addresses.networks([block])
        except ValueError as fault:
            raise serializers.ValidationError("must be an address or a CIDR block without host bits") from fault
        return block


class GrantInput(StrictSerializer):
    """`expires_at` null is without end, `allowed_addresses` empty any address."""

    scopes = serializers.ListField(child=ScopeField(max_length=64), allow_empty=False, max_length=200)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    allowed_addresses = serializers.ListField(child=AddressField(max_length=64), required=False, max_length=100)

    def grant(self, base: ApiKey) -> Grant:
        """What is asked for; what is left out is as `base` has it."""
        asked = {name: value for name, value in self.validated_data.items() if name in Grant.__slots__}
        return Grant.of(base, **asked)


@extend_schema_serializer(component_name="ApiKeyCreation")
class KeyInput(GrantInput):
    """What is left out is as the key that asks has it. Nothing may go beyond that key, which also gives the owner."""

    name = serializers.CharField(max_length=100)


@extend_schema_serializer(component_name="ApiKeyRotation")
class RotationInput(GrantInput):
    """What is left out is as the rotated key has it. That key ends `overlap_seconds` from now, or at its own end."""

    scopes = serializers.ListField(child=ScopeField(max_length=64), allow_empty=False, max_length=200, required=False)
    overlap_seconds = serializers.IntegerField(
        min_value=0, max_value=int(keys.LONGEST_OVERLAP.total_seconds()), default=86_400
    )


@extend_schema_serializer(component_name="ApiKey")
class KeyOutput(serializers.Serializer[Any]):
    """`secret` is the key itself. It is shown once, in the answer that made it, and never in a replay."""

    id = serializers.CharField()
    object = serializers.CharField(default="api_key")
    name = serializers.CharField()
    owner = serializers.CharField()
    prefix = serializers.CharField()
    last_four = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    allowed_addresses = serializers.ListField(child=serializers.CharField())
    is_current = serializers.BooleanField()
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    last_used_address = serializers.CharField(allow_null=True)
    secret = serializers.CharField(allow_null=True)
    api_version = serializers.CharField()
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()


def present_key(key: ApiKey, secret: Secret | None = None) -> dict[str, Any]:
    return {
        "id": key.pk,
        "object": "api_key",
        "name": key.name,
        "owner": key.owner,
        "prefix": key.prefix,
        "last_four": key.last_four,
        "scopes": key.scopes,
        "allowed_addresses": key.allowed_addresses,
        "is_current": key.is_current,
        "expires_at": clock.rfc3339(key.expires_at) if key.expires_at else None,
        "revoked_at": clock.rfc3339(key.revoked_at) if key.revoked_at else None,
        "last_used_at": clock.rfc3339(key.last_used_at) if key.last_used_at else None,
        "last_used_address": key.last_used_address,
        "secret": secret.reveal() if secret else None,
        "api_version": key.api_version,
        "livemode": key.livemode,
        "created_at": clock.rfc3339(key.created_at),
    }


class KeyApiView(ApiView):
    """What the views of keys share."""

    key_is_optional = True

    def found(self, public_id: str) -> ApiKey:
        key: ApiKey = self.own(ApiKey.objects.all(), public_id)
        return key

    def found_again(self, public_id: str) -> Shown:
        return self.found(public_id), None


class KeysView(KeyApiView):
    """`/v1/api-keys`"""

    scopes: ClassVar = {"GET": "api_keys:read", "POST": "api_keys:write"}

    @extend_schema(
        operation_id="list_api_keys",
        parameters=[ListQuery],
        responses={200: list_of(KeyOutput), **PROBLEMS},
        tags=["API keys"],
    )
    def get(self, request: Request) -> Response:
        """Your keys, the newest first, never the keys themselves."""
        asked = api.query(request, ListQuery)
        return Response(api.page(self.owned(ApiKey.objects.all()), asked, present=present_key))

    @extend_schema(
        operation_id="create_api_key", request=KeyInput, responses={201: KeyOutput, **PROBLEMS}, tags=["API keys"]
    )
    def post(self, request: Request) -> Response:
        """Make a key that may do at most what yours may. The answer shows it, this once."""
        asked = KeyInput(data=request.data)
        asked.is_valid(raise_exception=True)
        own = self.caller.key

        def act(claim: Claim) -> Shown:
            name = asked.validated_data["name"]
            return keys.create_key(
                own=own, name=name, grant=asked.grant(own), insert=lambda key: claim.bind(key.pk, key)
            )

        return self.once(act=act, resume=self.found_again, present=lambda shown: present_key(*shown), status=201)


class KeyView(KeyApiView):
    """`/v1/api-keys/{id}`"""

    scopes: ClassVar = {"GET": "api_keys:read"}

    @extend_schema(operation_id="get_api_key", responses={200: KeyOutput, **PROBLEMS}, tags=["API keys"])
    def get(self, request: Request, key_id: str) -> Response:
        """One key: its scopes, its end, when and from where it was last used."""
        return Response(present_key(self.found(key_id)))


class RotateView(KeyApiView):
    """`/v1/api-keys/{id}/rotate`"""

    scopes: ClassVar = {"POST": "api_keys:write"}

    @extend_schema(
        operation_id="rotate_api_key", request=RotationInput, responses={201: KeyOutput, **PROBLEMS}, tags=["API keys"]
    )
    def post(self, request: Request, key_id: str) -> Response:
        """Answers with the new key; the rotated one works on until its overlap ends."""
        key = self.found(key_id)
        asked = RotationInput(data=request.data)
        asked.is_valid(raise_exception=True)

        def act(claim: Claim) -> Shown:
            return keys.rotate_key(
                key,
                own=self.caller.key,
                grant=asked.grant(key),
                overlap=timedelta(seconds=asked.validated_data["overlap_seconds"]),
                insert=lambda made: claim.bind(made.pk, made),
            )

        return self.once(act=act, resume=self.found_again, present=lambda shown: present_key(*shown), status=201)


class RevokeView(KeyApiView):
    """`/v1/api-keys/{id}/revoke`"""

    scopes: ClassVar = {"POST": "api_keys:write"}

    @extend_schema(
        operation_id="revoke_api_key", request=NothingInput, responses={200: KeyOutput, **PROBLEMS}, tags=["API keys"]
    )
    def post(self, request: Request, key_id: str) -> Response:
        """The key is refused from its next request on, also where it revokes itself."""
        key = self.found(key_id)
        NothingInput(data=request.data).is_valid(raise_exception=True)

        def act(claim: Claim) -> ApiKey:
            with transaction.atomic():
                claim.bind(key.pk)
                services.revoke_api_key(key, by=self.caller.actor)
            return self.found(key_id)

        return self.once(act=act, resume=self.found, present=present_key)
