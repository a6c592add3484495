"""How a provider account is asked for and shown over the API: credentials are in no shape that goes out."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from core import clock
from core.api import StrictSerializer
from merchants.account_checks import Checked, Result
from merchants.models import ProviderAccount


class FieldsField(serializers.DictField):
    """What a provider's adapter declares, which is what checks it. PostgreSQL keeps no text with NUL in it."""

    def to_internal_value(self, data: Any) -> dict[Any, Any]:
        if _holds_nul(data):
            raise serializers.ValidationError("must not contain NUL")
        read: dict[Any, Any] = super().to_internal_value(data)
        return read


def _holds_nul(data: Any) -> bool:
    if isinstance(data, dict):
        return any(_holds_nul(part) for pair in data.items() for part in pair)
    if isinstance(data, list):
        return any(_holds_nul(part) for part in data)
    return isinstance(data, str) and "\x00" in data


class ChangeInput(StrictSerializer):
    """Only what is sent changes; `options` as a whole. Options that are left out follow the provider's defaults."""

    name = serializers.CharField(max_length=100, required=False)
    priority = serializers.IntegerField(min_value=0, max_value=32_767, required=False)
    options = FieldsField(required=False)


class CredentialsInput(StrictSerializer):
    """All of the account's credentials, anew."""

    credentials = FieldsField()


class AccountInput(StrictSerializer):
    """Which credentials and options there are is up to the provider. `host` may be left out where there is one."""

    provider = serializers.CharField(max_length=32)
    name = serializers.CharField(max_length=100)
    host = serializers.CharField(max_length=32, required=False)
    priority = serializers.IntegerField(min_value=0, max_value=32_767, default=100)
    credentials = FieldsField()
    options = FieldsField(default=dict)


@extend_schema_serializer(component_name="ProviderAccount")
class AccountOutput(serializers.Serializer[Any]):
    """`callback_urls`, by door, are to be entered at the provider. They are shown once, where they are made."""

    id = serializers.CharField()
    object = serializers.CharField(default="provider_account")
    provider = serializers.CharField()
    name = serializers.CharField()
    host = serializers.CharField()
    priority = serializers.IntegerField()
    options = serializers.DictField()
    is_enabled = serializers.BooleanField()
    callback_urls = serializers.DictField(child=serializers.CharField(), allow_null=True)
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()


@extend_schema_serializer(component_name="ProviderAccountTest")
class CheckOutput(serializers.Serializer[Any]):
    """`refused` is the provider's own word on the credentials; `unknown` says nothing of them."""

    id = serializers.CharField()
    object = serializers.CharField(default="provider_account_test")
    result = serializers.ChoiceField(choices=[result.value for result in Result])
    detail = serializers.CharField()
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()


def present_account(account: ProviderAccount, callback_urls: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "id": account.pk,
        "object": "provider_account",
        "provider": account.provider,
        "name": account.name,
        "host": account.host,
        "priority": account.priority,
        "options": account.options,
        "is_enabled": account.is_enabled,
        "callback_urls": callback_urls,
        "livemode": account.livemode,
        "created_at": clock.rfc3339(account.created_at),
    }


def present_check(checked: Checked) -> dict[str, Any]:
    return {
        "id": checked.account.pk,
        "object": "provider_account_test",
        "result": checked.result.value,
        "detail": checked.detail,
        "livemode": checked.account.livemode,
        "created_at": clock.rfc3339(checked.at),
    }
