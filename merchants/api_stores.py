"""Stores, for merchants: where payments are taken; and the tokens of the screens there."""

from datetime import timedelta
from typing import Any, ClassVar

from django.db import transaction
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core import api, clock
from core.api import ListQuery, NothingInput, StrictSerializer
from core.calendar import is_zone
from core.crypto import Secret
from core.metadata import MetadataField
from events.idempotency import Claim
from merchants import display_tokens, stores
from merchants.models import DisplayToken, Store
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView

Shown = tuple[DisplayToken, Secret | None]


class StoreInput(StrictSerializer):
    """A payment that names the store and no `method` is asked for by `default_method`, where there is one.

    Where no routing rule places another account before it, `default_account` is tried first.
    """

    name = serializers.CharField(max_length=100)
    zone = serializers.CharField(max_length=64, default="UTC", help_text="Of the IANA database: Asia/Jakarta")
    default_method = serializers.CharField(max_length=24, default="", allow_blank=True)
    default_account = serializers.CharField(
        max_length=32, default="", allow_blank=True, help_text="The id of one of your provider accounts; empty for none"
    )
    metadata = MetadataField()

    def validate_zone(self, zone: str) -> str:
        if not is_zone(zone):
            raise serializers.ValidationError("is no zone of the IANA database, such as Asia/Jakarta")
        return zone

    def validate_default_method(self, method: str) -> str:
        if method and method not in stores.methods():
            raise serializers.ValidationError(f"must be one of {', '.join(stores.methods())}")
        return method


class StoreChange(StoreInput):
    """Only what is sent changes. A store with `is_enabled: false` takes no new payments; its open ones go on."""

    is_enabled = serializers.BooleanField()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, partial=True, **options)


@extend_schema_serializer(component_name="Store")
class StoreOutput(serializers.Serializer[Any]):
    id = serializers.CharField()
    object = serializers.CharField(default="store")
    name = serializers.CharField()
    zone = serializers.CharField(help_text="Of the IANA database")
    default_method = serializers.CharField(
        allow_null=True, help_text="How a payment here is asked for that names neither a method nor a saved one"
    )
    default_account = serializers.CharField(
        allow_null=True, help_text="The provider account that is tried first, unless a routing rule says otherwise"
    )
    is_enabled = serializers.BooleanField(help_text="Whether it takes new payments")
    metadata = serializers.DictField(child=serializers.CharField())
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class LifetimeInput(StrictSerializer):
    lifetime_seconds = serializers.IntegerField(
        min_value=60,
        max_value=int(display_tokens.LONGEST.total_seconds()),
        default=int(display_tokens.LIFETIME.total_seconds()),
    )

    def lifetime(self) -> timedelta:
        return timedelta(seconds=self.validated_data["lifetime_seconds"])


@extend_schema_serializer(component_name="DisplayTokenCreation")
class TokenInput(LifetimeInput):
    name = serializers.CharField(max_length=100, help_text="Which screen it is for")


@extend_schema_serializer(component_name="DisplayTokenRotation")
class TokenRotation(LifetimeInput):
    """The rotated token ends `overlap_seconds` from now, or at its own end where that is earlier."""

    overlap_seconds = serializers.IntegerField(min_value=0, max_value=3600, default=60)


@extend_schema_serializer(component_name="DisplayToken")
class TokenOutput(serializers.Serializer[Any]):
    """`secret` is the token itself. It is shown once, in the answer that made it, and never in a replay."""

    id = serializers.CharField()
    object = serializers.CharField(default="display_token")
    store = serializers.CharField()
    name = serializers.CharField()
    last_four = serializers.CharField()
    is_current = serializers.BooleanField()
    expires_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    secret = serializers.CharField(allow_null=True)
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()


def present_store(store: Store) -> dict[str, Any]:
    return {
        "id": store.pk,
        "object": "store",
        "name": store.name,
        "zone": store.zone,
        "default_method": store.default_method or None,
        "default_account": store.default_account_id,
        "is_enabled": store.is_enabled,
        "metadata": store.metadata,
        "livemode": store.livemode,
        "created_at": clock.rfc3339(store.created_at),
    }


def present_token(token: DisplayToken, secret: Secret | None = None) -> dict[str, Any]:
    return {
        "id": token.pk,
        "object": "display_token",
        "store": token.store_id,
        "name": token.name,
        "last_four": token.last_four,
        "is_current": token.is_current,
        "expires_at": clock.rfc3339(token.expires_at),
        "revoked_at": clock.rfc3339(token.revoked_at) if token.revoked_at else None,
        "secret": secret.reveal() if secret else None,
        "livemode": token.livemode,
        "created_at": clock.rfc3339(token.created_at),
    }


class StoreApiView(ApiView):
    """What the views of stores share."""

    key_is_optional = True

    def found(self, public_id: str) -> Store:
        store: Store = self.own(Store.objects.all(), public_id)
        return store

    def token(self, store_id: str, token_id: str) -> DisplayToken:
        token: DisplayToken = self.own(self.found(store_id).display_tokens.all(), token_id)
        return token

    def token_again(self, public_id: str) -> Shown:
        return self.own(DisplayToken.objects.all(), public_id), None


class StoresView(StoreApiView):
    """`/v1/stores`"""

    scopes: ClassVar = {"GET": "stores:read", "POST": "stores:write"}

    @extend_schema(
        operation_id="list_stores",
        parameters=[ListQuery],
        responses={200: list_of(StoreOutput), **PROBLEMS},
        tags=["Stores"],
    )
    def get(self, request: Request) -> Response:
        """Your stores, the newest first."""
        asked = api.query(request, ListQuery)
        return Response(api.page(self.owned(Store.objects.all()), asked, present=present_store))

    @extend_schema(
        operation_id="create_store", request=StoreInput, responses={201: StoreOutput, **PROBLEMS}, tags=["Stores"]
    )
    def post(self, request: Request) -> Response:
        """Tell of a place where you sell. Payments then name it, and screens there follow their own store."""
        caller, asked = self.caller, StoreInput(data=request.data)
        asked.is_valid(raise_exception=True)
        return self.once(
            act=lambda claim: stores.create_store(
                merchant=caller.merchant,
                livemode=caller.livemode,
                by=caller.actor,
                claim=claim,
                **asked.validated_data,
            ),
            resume=self.found,
            present=present_store,
            status=201,
        )


class StoreView(StoreApiView):
    """`/v1/stores/{id}`"""

    scopes: ClassVar = {"GET": "stores:read", "PATCH": "stores:write"}

    @extend_schema(operation_id="get_store", responses={200: StoreOutput, **PROBLEMS}, tags=["Stores"])
    def get(self, request: Request, store_id: str) -> Response:
        """One store as it is now."""
        return Response(present_store(self.found(store_id)))

    @extend_schema(
        operation_id="change_store", request=StoreChange, responses={200: StoreOutput, **PROBLEMS}, tags=["Stores"]
    )
    def patch(self, request: Request, store_id: str) -> Response:
        """Change what you send; metadata are replaced whole."""
        store = self.found(store_id)
        asked = StoreChange(data=request.data)
        asked.is_valid(raise_exception=True)
        stores.change_store(store, by=self.caller.actor, **asked.validated_data)
        return Response(present_store(store))


class TokensView(StoreApiView):
    """`/v1/stores/{id}/display-tokens`"""

    scopes: ClassVar = {"GET": "stores:read", "POST": "stores:write"}

    @extend_schema(
        operation_id="list_display_tokens",
        parameters=[ListQuery],
        responses={200: list_of(TokenOutput), **PROBLEMS},
        tags=["Stores"],
    )
    def get(self, request: Request, store_id: str) -> Response:
        """The tokens of one store's screens, the newest first, never the tokens themselves."""
        store = self.found(store_id)
        return Response(api.page(store.display_tokens.all(), api.query(request, ListQuery), present=present_token))

    @extend_schema(
        operation_id="create_display_token",
        request=TokenInput,
        responses={201: TokenOutput, **PROBLEMS},
        tags=["Stores"],
    )
    def post(self, request: Request, store_id: str) -> Response:
        """Let a screen follow this store's orders, and do nothing else. The answer shows the token, this once."""
        store = self.found(store_id)
        asked = TokenInput(data=request.data)
        asked.is_valid(raise_exception=True)

        def act(claim: Claim) -> Shown:
            return display_tokens.create_token(
                store,
                name=asked.validated_data["name"],
                lifetime=asked.lifetime(),
                by=self.caller.actor,
                insert=lambda token: claim.bind(token.pk, token),
            )

        return self.once(act=act, resume=self.token_again, present=lambda shown: present_token(*shown), status=201)


class RotateTokenView(StoreApiView):
    """`/v1/stores/{id}/display-tokens/{id}/rotate`"""

    scopes: ClassVar = {"POST": "stores:write"}

    @extend_schema(
        operation_id="rotate_display_token",
        request=TokenRotation,
        responses={201: TokenOutput, **PROBLEMS},
        tags=["Stores"],
    )
    def post(self, request: Request, store_id: str, token_id: str) -> Response:
        """Answers with the new token, shown this once; the rotated one works on until its overlap ends."""
        token = self.token(store_id, token_id)
        asked = TokenRotation(data=request.data)
        asked.is_valid(raise_exception=True)

        def act(claim: Claim) -> Shown:
            return display_tokens.rotate_token(
                token,
                lifetime=asked.lifetime(),
                overlap=timedelta(seconds=asked.validated_data["overlap_seconds"]),
                by=self.caller.actor,
                insert=lambda made: claim.bind(made.pk, made),
            )

        return self.once(act=act, resume=self.token_again, present=lambda shown: present_token(*shown), status=201)


class RevokeTokenView(StoreApiView):
    """`/v1/stores/{id}/display-tokens/{id}/revoke`"""

    scopes: ClassVar = {"POST": "stores:write"}

    @extend_schema(
        operation_id="revoke_display_token",
        request=NothingInput,
        responses={200: TokenOutput, **PROBLEMS},
        tags=["Stores"],
    )
    def post(self, request: Request, store_id: str, token_id: str) -> Response:
        """The token is refused from its next use on."""
        token = self.token(store_id, token_id)
        NothingInput(data=request.data).is_valid(raise_exception=True)

        def act(claim: Claim) -> DisplayToken:
            with transaction.atomic():
                claim.bind(token.pk)
                display_tokens.revoke_token(token, by=self.caller.actor)
            return self.token(store_id, token_id)

        return self.once(
            act=act,
            resume=lambda public_id: self.token(store_id, public_id),
            present=present_token,
        )
