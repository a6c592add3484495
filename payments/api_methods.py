"""What can be offered to payers now, for merchants."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core import contacts
from core.api import StrictSerializer
from core.money import Money
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView
from payments.serializers import MAX_AMOUNT, METHODS, CurrencyField
from payments.services import offering
from payments.services.offering import Asked, Offer


class OfferQuery(StrictSerializer):
    """With an amount the answer is what your routing makes of such a payment now; without one, of any."""

    amount = serializers.IntegerField(
        required=False, min_value=1, max_value=MAX_AMOUNT, help_text="Minor units of the currency, which it needs"
    )
    currency = CurrencyField(required=False)
    country = serializers.RegexField(r"^[A-Z]{2}$", required=False, help_text="The payer's: ISO 3166, such as KE")
    store = serializers.CharField(max_length=32, required=False, help_text="The id of the store where it is taken")

    def validate_country(self, value: str) -> str:
        if not contacts.is_region(value):
            raise serializers.ValidationError("must be an ISO 3166 code in upper case, such as KE")
        return value

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if "amount" in given and "currency" not in given:
            raise serializers.ValidationError({"currency": "is needed with an amount"}, code="required")
        return given


@extend_schema_serializer(component_name="PaymentMethodLimit")
class LimitOutput(serializers.Serializer[Any]):
    """In minor units, both included."""

    currency = serializers.CharField()
    least = serializers.IntegerField()
    most = serializers.IntegerField()


@extend_schema_serializer(component_name="PaymentMethod")
class OfferOutput(serializers.Serializer[Any]):
    object = serializers.CharField(default="payment_method")
    method = serializers.ChoiceField(METHODS)
    channel = serializers.CharField(allow_null=True, help_text="The bank, wallet or shop, where the method has several")
    name = serializers.CharField(help_text="To show to payers")
    currencies = serializers.ListField(
        child=serializers.CharField(), allow_null=True, help_text="Null: any currency, as far as it is known beforehand"
    )
    limits = LimitOutput(many=True, help_text="Of the currencies of which limits are known")
    expected_fee = serializers.IntegerField(
        allow_null=True,
        help_text="What the provider is expected to keep of that amount, in minor units of the asked currency, by the "
        "fee schedule of the account that comes first; null without an amount or a schedule",
    )
    requires = serializers.ListField(
        child=serializers.CharField(), help_text="Fields of the payment that have to be sent, such as `phone`"
    )
    next_actions = serializers.ListField(
        child=serializers.CharField(), help_text="The types that `next_action` may have"
    )
    expires_in = serializers.IntegerField(
        allow_null=True, help_text="Seconds that its code, page or prompt lives, unless you ask for another time"
    )
    manual_capture = serializers.BooleanField(help_text="It can be held first and captured later")
    can_be_saved = serializers.BooleanField(help_text="It can be kept and charged later as a saved method")


class PaymentMethodsView(ApiView):
    """`/v1/payment-methods`"""

    scopes: ClassVar = {"GET": "payment_methods:read"}

    @extend_schema(
        operation_id="list_payment_methods",
        parameters=[OfferQuery],
        responses={200: list_of(OfferOutput), **PROBLEMS},
        tags=["Payment methods"],
    )
    def get(self, request: Request) -> Response:
        """What you can offer a payer now: each method, once for each of its channels. Always on one page."""
        query = OfferQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        given = query.validated_data
        currency, amount = given.get("currency", ""), given.get("amount")
        found = offering.offers(
            Asked(
                merchant=self.caller.merchant,
                livemode=self.caller.livemode,
                money=None if amount is None else Money(amount, currency),
                currency=currency,
                country=given.get("country", ""),
                store=given.get("store", ""),
            )
        )
        return Response(
            {"object": "list", "data": [present_offer(one) for one in found], "next_cursor": None, "has_more": False}
        )


def present_offer(offer: Offer) -> dict[str, Any]:
    return {
        "object": "payment_method",
        "method": offer.method,
        "channel": offer.channel or None,
        "name": offer.name,
        "currencies": offer.currencies,
        "limits": [
            {"currency": currency, "least": least, "most": most} for currency, (least, most) in offer.limits.items()
        ],
        "expected_fee": offer.expected_fee,
        "requires": offer.requires,
        "next_actions": offer.next_actions,
        "expires_in": offer.expires_in,
        "manual_capture": offer.manual_capture,
        "can_be_saved": offer.can_be_saved,
    }
