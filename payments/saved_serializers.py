"""What the API of saved methods reads and writes."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from core.api import ListQuery, StrictSerializer
from core.metadata import MetadataField
from payments.providers import REGISTRY
from payments.serializers import FailureOutput
from payments.states import SavedMethodState

_SAVINGS = [REGISTRY[name].capabilities.saving for name in REGISTRY]
METHODS = sorted({method for saving in _SAVINGS if saving for method in saving.methods})
WITH_TOKEN = {
    method
    for name in REGISTRY
    for method, declared in REGISTRY[name].capabilities.methods.items()
    if declared.instrument == "payment_method"
}


class SavedMethodInput(StrictSerializer):
    """`payment_method` is the browser's token of a card; a wallet has none, and asks its owner on a page of its own.

    `return_url` is where the customer goes after that page, or after answering their bank.
    """

    customer = serializers.CharField(max_length=32, help_text="The id of a customer")
    method = serializers.ChoiceField(METHODS)
    payment_method = serializers.RegexField(r"^[A-Za-z0-9_]{3,100}$", required=False)
    return_url = serializers.URLField(max_length=500, default="", allow_blank=True)
    provider = serializers.ChoiceField(list(REGISTRY), required=False)
    default = serializers.BooleanField(default=False, help_text="Take the place of the customer's default method")
    metadata = MetadataField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        wants, given = attrs["method"] in WITH_TOKEN, "payment_method" in attrs
        if wants and not given:
            raise serializers.ValidationError({"payment_method": f"is required to save a {attrs['method']}"})
        if given and not wants:
            raise serializers.ValidationError({"payment_method": f"is not used to save a {attrs['method']} account"})
        return attrs


class NoFields(StrictSerializer):
    """Takes no fields."""


class SavedMethodQuery(ListQuery):
    customer = serializers.CharField(max_length=32, required=False, help_text="With those merged into them")
    state = serializers.ChoiceField(SavedMethodState.choices, required=False)


@extend_schema_serializer(component_name="Card")
class CardOutput(serializers.Serializer[Any]):
    brand = serializers.CharField()
    last4 = serializers.CharField(allow_null=True, help_text="Null in events")
    exp_month = serializers.IntegerField()
    exp_year = serializers.IntegerField()
    fingerprint = serializers.CharField(allow_null=True, help_text="The same for the same card; null in events")


@extend_schema_serializer(component_name="SavedMethod")
class SavedMethodOutput(serializers.Serializer[Any]):
    id = serializers.CharField()
    object = serializers.CharField(default="saved_method")
    state = serializers.ChoiceField(SavedMethodState.choices)
    customer = serializers.CharField()
    method = serializers.ChoiceField(METHODS)
    provider = serializers.CharField()
    account = serializers.CharField()
    is_default = serializers.BooleanField()
    card = CardOutput(allow_null=True, help_text="Null until the provider has told it")
    payer_hint = serializers.CharField(
        allow_null=True, help_text="Which account or wallet, masked: `b…@example.com`. Null for cards, and in events"
    )
    provider_id = serializers.CharField(allow_null=True)
    provider_status = serializers.CharField(allow_null=True)
    next_action = serializers.DictField(allow_null=True)
    failure = FailureOutput(allow_null=True)
    return_url = serializers.CharField(allow_null=True)
    metadata = serializers.DictField(child=serializers.CharField())
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()
