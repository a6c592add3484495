"""What the payments API reads and writes."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from core import clock
from core.api import ListQuery, StrictSerializer
from core.crypto import Secret
from core.metadata import MetadataField
from core.money import EXPONENTS
from orders.mapping import STATUSES
from payments.models import Payment, UnallocatedReceipt
from payments.providers import REGISTRY
from payments.providers.base import FailureCode, Line, Payer
from payments.services import simulating
from payments.services.assigning import NewPayment
from payments.states import PaymentState, RefundState, UnallocatedState

METHODS = sorted({method for name in REGISTRY for method in REGISTRY[name].capabilities.methods})
MAX_AMOUNT = 10**15


class CurrencyField(serializers.CharField):
    """Three upper-case letters of ISO 4217."""

    def to_internal_value(self, data: Any) -> str:
        currency: str = super().to_internal_value(data)
        if currency not in EXPONENTS:
            raise serializers.ValidationError("must be an ISO 4217 code in upper case, such as KES")
        return currency


class AmountField(serializers.IntegerField):
    """Whole minor units. A text or a fraction is refused, not converted."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_AMOUNT, **options)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            raise serializers.ValidationError("must be a whole number of minor units: KES 250.00 is 25000")
        return int(super().to_internal_value(data))


class PayerInput(StrictSerializer):
    """What a method may need to know of the payer; what is left out is taken from the `customer`."""

    name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    phone = serializers.RegexField(
        r"^\+[1-9][0-9]{6,14}$",
        required=False,
        allow_blank=True,
        error_messages={"invalid": "must be like +6281200001111"},
    )


class LineInput(StrictSerializer):
    """`unit_price` in minor units of the payment's currency; below zero for a discount."""

    name = serializers.CharField(max_length=100)
    quantity = serializers.IntegerField(min_value=1, max_value=100_000)
    unit_price = serializers.IntegerField(min_value=-MAX_AMOUNT, max_value=MAX_AMOUNT)
    reference = serializers.CharField(max_length=50, default="", allow_blank=True)


class OrderInput(StrictSerializer):
    """An order in one of your order sources. Its total there must be the payment's amount."""

    source = serializers.CharField(max_length=32)  # type: ignore[assignment]  # a field that shares the name
    id = serializers.CharField(max_length=100, help_text="The order's id there")


class PaymentInput(StrictSerializer):
    """`phone` for mpesa; `payment_method` (the browser's token) and `return_url` for card.

    `saved_method` stands for `method`, the instrument and `customer`. With `off_session` its owner is not there: where
    their bank wants to see them, `next_action` is a link to send them.
    """

    amount = AmountField()
    currency = CurrencyField()
    method = serializers.ChoiceField(
        METHODS, required=False, help_text="Needed without a saved method, or a store that has a default one"
    )
    saved_method = serializers.CharField(max_length=32, required=False, help_text="The id of a saved method")
    off_session = serializers.BooleanField(default=False)
    phone = serializers.CharField(max_length=20, required=False)
    payment_method = serializers.RegexField(r"^[A-Za-z0-9_]{3,100}$", required=False)
    channel = serializers.RegexField(
        r"^[a-z0-9_]{2,32}$", required=False, help_text="The bank, wallet or shop, for a method that has several"
    )
    payer_details = PayerInput(required=False)
    lines = serializers.ListField(child=LineInput(), required=False, max_length=100)
    capture = serializers.ChoiceField(Payment.Capture.choices, default=Payment.Capture.AUTOMATIC)
    provider = serializers.ChoiceField(list(REGISTRY), required=False)
    customer = serializers.CharField(max_length=32, default="", allow_blank=True, help_text="The id of a customer")
    store = serializers.CharField(
        max_length=32, default="", allow_blank=True, help_text="The id of the store where it is taken"
    )
    order = OrderInput(required=False)
    reference = serializers.CharField(max_length=100, default="", allow_blank=True)
    description = serializers.CharField(max_length=200, default="", allow_blank=True)
    return_url = serializers.URLField(max_length=500, default="", allow_blank=True)
    expires_at = serializers.DateTimeField(required=False)
    metadata = MetadataField()

    def validate_expires_at(self, value: Any) -> Any:
        if value <= clock.now():
            raise serializers.ValidationError("must lie in the future")
        return value

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if "method" not in given and "saved_method" not in given and not given["store"]:
            raise serializers.ValidationError({"method": "This field is required."}, code="required")
        return given

    def payer(self) -> Payer:
        return Payer(**self.validated_data.get("payer_details", {}))

    def lines_of(self, currency: str) -> tuple[Line, ...]:
        return tuple(Line.from_json(line, currency) for line in self.validated_data.get("lines", []))

    def instrument(self) -> Secret | None:
        """The payer's phone or token, in a wrapping that shows it nowhere."""
        given = self.validated_data.get("phone") or self.validated_data.get("payment_method")
        return Secret(given) if given else None


class CaptureInput(StrictSerializer):
    """Without `amount`, all that is authorized; less releases the rest."""

    amount = AmountField(required=False)


class CancelInput(StrictSerializer):
    """Takes no fields."""


class RefundInput(StrictSerializer):
    """Without `amount`, all that is left."""

    amount = AmountField(required=False)
    reason = serializers.CharField(max_length=200, default="", allow_blank=True)
    metadata = MetadataField()


class SimulateInput(StrictSerializer):
    """What becomes of the payment. Every provider's simulator knows these, as far as there is such a thing there; each
    has words of its own besides, which the answer to an unknown one lists."""

    outcome = serializers.RegexField(
        r"^[a-z_]{3,40}$",
        help_text="; ".join(f"`{word}`: {what}" for word, what in simulating.OUTCOMES.items()),
        error_messages={"invalid": f"This is no outcome; known: {', '.join(simulating.OUTCOMES)}."},
    )


class PaymentQuery(ListQuery):
    """`provider_reference` is what the provider was given for an attempt, `provider_id` what it calls the attempt,
    and `receipt` what it calls money that moved, in or back: an M-Pesa receipt number, a Stripe charge or refund."""

    state = serializers.ChoiceField(PaymentState.choices, required=False)
    provider = serializers.ChoiceField(list(REGISTRY), required=False)
    method = serializers.ChoiceField(METHODS, required=False)
    currency = CurrencyField(required=False)
    customer = serializers.CharField(max_length=32, required=False, help_text="With those merged into them")
    saved_method = serializers.CharField(max_length=32, required=False)
    store = serializers.CharField(max_length=32, required=False)
    order = serializers.CharField(max_length=100, required=False, help_text="An order's id in its source")
    order_source = serializers.CharField(max_length=32, required=False)
    reference = serializers.CharField(max_length=100, required=False)
    provider_reference = serializers.CharField(max_length=64, required=False)
    provider_id = serializers.CharField(max_length=100, required=False)
    receipt = serializers.CharField(max_length=100, required=False)
    amount__gte = serializers.IntegerField(required=False, min_value=0, max_value=MAX_AMOUNT)
    amount__lte = serializers.IntegerField(required=False, min_value=0, max_value=MAX_AMOUNT)
    created__gte = serializers.DateTimeField(required=False)
    created__lt = serializers.DateTimeField(required=False)

    FILTERS = {
        "state": "state",
        "method": "method",
        "currency": "currency",
        "saved_method": "saved_method",
        "store": "store",
        "order_source": "order__source",
        "reference": "reference",
        "amount__gte": "amount__gte",
        "amount__lte": "amount__lte",
        "created__gte": "created_at__gte",
        "created__lt": "created_at__lt",
    }

    def filters(self) -> dict[str, Any]:
        return {self.FILTERS[name]: value for name, value in self.validated_data.items() if name in self.FILTERS}


@extend_schema_serializer(component_name="Failure")
class FailureOutput(serializers.Serializer[Any]):
    code = serializers.ChoiceField([code.value for code in FailureCode])
    message = serializers.CharField()


@extend_schema_serializer(component_name="PaymentFailure")
class PaymentFailureOutput(FailureOutput):
    retryable = serializers.BooleanField(help_text="The same charge may succeed another day: a soft decline")


@extend_schema_serializer(component_name="Attempt")
class AttemptOutput(serializers.Serializer[Any]):
    id = serializers.CharField()
    provider = serializers.CharField()
    account = serializers.CharField()
    state = serializers.CharField()
    provider_reference = serializers.CharField()
    provider_id = serializers.CharField(allow_null=True)
    provider_status = serializers.CharField(allow_null=True)
    failure = FailureOutput(allow_null=True)
    created_at = serializers.DateTimeField()


@extend_schema_serializer(component_name="Fee")
class FeeOutput(serializers.Serializer[Any]):
    """What the provider keeps, in the currency in which it settles; expected until it `is_final`."""

    amount = serializers.IntegerField()
    net_amount = serializers.IntegerField(help_text="What was captured, less the fee")
    currency = serializers.CharField()
    is_final = serializers.BooleanField()


@extend_schema_serializer(component_name="Settlement")
class SettlementOutput(serializers.Serializer[Any]):
    """By which line of its books the provider pays it out, and when; `date` is expected until it `is_settled`."""

    reference = serializers.CharField()
    date = serializers.DateField(allow_null=True)
    is_settled = serializers.BooleanField()


@extend_schema_serializer(component_name="OrderOfPayment")
class OrderOfPayment(serializers.Serializer[Any]):
    """The order that it pays, where it lives. `written` is what we have last marked it there."""

    source = serializers.CharField()  # type: ignore[assignment]  # a field that shares the name
    id = serializers.CharField()
    written = serializers.ChoiceField(STATUSES, allow_null=True)


@extend_schema_serializer(component_name="Payment")
class PaymentOutput(serializers.Serializer[Any]):
    id = serializers.CharField()
    object = serializers.CharField(default="payment")
    state = serializers.ChoiceField(PaymentState.choices)
    amount = serializers.IntegerField(help_text="Minor units of the currency")
    currency = serializers.CharField()
    captured_amount = serializers.IntegerField()
    refunded_amount = serializers.IntegerField()
    fee = FeeOutput(allow_null=True)
    settlement = SettlementOutput(allow_null=True)
    method = serializers.ChoiceField(METHODS)
    channel = serializers.CharField(allow_null=True)
    lines = serializers.ListField(child=serializers.DictField())
    capture = serializers.ChoiceField(Payment.Capture.choices)
    customer = serializers.CharField(allow_null=True)
    saved_method = serializers.CharField(allow_null=True)
    store = serializers.CharField(allow_null=True, help_text="Where it was taken")
    order = OrderOfPayment(allow_null=True)
    off_session = serializers.BooleanField(help_text="It was charged without its payer")
    payer = serializers.CharField(allow_null=True, help_text="The payer's phone, masked")
    reference = serializers.CharField(allow_null=True)
    description = serializers.CharField(allow_null=True)
    next_action = serializers.DictField(
        allow_null=True,
        help_text="What the payer has to do: `type` is `redirect`, `prompt`, `instructions` or `qr`. A code comes with "
        "`image_svg_url` and `image_png_url`, which answer for as long as it can be paid",
    )
    failure = PaymentFailureOutput(allow_null=True)
    late = serializers.BooleanField(help_text="The money arrived after the payment had ended")
    underpaid = serializers.BooleanField()
    unconfirmed = serializers.BooleanField(help_text="Told of as paid, by word that proves nothing yet")
    attempts = AttemptOutput(many=True)
    return_url = serializers.CharField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    metadata = serializers.DictField(child=serializers.CharField())
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()


@extend_schema_serializer(component_name="Refund")
class RefundOutput(serializers.Serializer[Any]):
    id = serializers.CharField()
    object = serializers.CharField(default="refund")
    state = serializers.ChoiceField(RefundState.choices)
    payment = serializers.CharField()
    amount = serializers.IntegerField()
    currency = serializers.CharField()
    reason = serializers.CharField(allow_null=True)
    origin = serializers.CharField()
    failure = FailureOutput(allow_null=True)
    metadata = serializers.DictField(child=serializers.CharField())
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class UnallocatedQuery(ListQuery):
    state = serializers.ChoiceField(UnallocatedState.choices, required=False)
    reference = serializers.CharField(max_length=100, required=False)
    account = serializers.CharField(max_length=32, required=False)
    store = serializers.CharField(max_length=32, required=False)
    static_code = serializers.CharField(max_length=32, required=False)

    FILTERS = ("state", "reference", "account", "store", "static_code")

    def filters(self) -> dict[str, Any]:
        return {name: self.validated_data[name] for name in self.FILTERS if name in self.validated_data}


@extend_schema_serializer(component_name="NewPaymentForReceipt")
class NewPaymentInput(StrictSerializer):
    """A payment that is made for the receipt: its amount and currency are the receipt's."""

    reference = serializers.CharField(max_length=100, default="", allow_blank=True)
    metadata = MetadataField()


class AssignInput(StrictSerializer):
    """Either `payment`, the id of a payment that was asked for at the same account, or `new_payment`."""

    payment = serializers.CharField(max_length=32, required=False)
    new_payment = NewPaymentInput(required=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if ("payment" in given) == ("new_payment" in given):
            raise serializers.ValidationError({"payment": "give either `payment` or `new_payment`"})
        return given

    def target(self) -> str | NewPayment:
        """The payment's id, or what to make."""
        given = self.validated_data
        return NewPayment(**given["new_payment"]) if "new_payment" in given else str(given["payment"])


@extend_schema_serializer(component_name="UnallocatedReceipt")
class UnallocatedOutput(serializers.Serializer[UnallocatedReceipt]):
    id = serializers.CharField()
    object = serializers.CharField(default="unallocated_receipt")
    state = serializers.ChoiceField(UnallocatedState.choices)
    amount = serializers.IntegerField(help_text="Minor units of the currency")
    currency = serializers.CharField()
    provider = serializers.CharField()
    account = serializers.CharField()
    provider_money_id = serializers.CharField(help_text="The provider's number of the receipt")
    reference = serializers.CharField(
        allow_null=True, help_text="What the payer typed, or what you call the code; null in events"
    )
    store = serializers.CharField(allow_null=True, help_text="Where it came, on a code that stands there")
    static_code = serializers.CharField(allow_null=True, help_text="The code on which it came")
    payer = serializers.CharField(allow_null=True, help_text="The payer's phone, masked, where the provider tells it")
    payment = serializers.CharField(allow_null=True, help_text="The payment to which it was assigned")
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()
