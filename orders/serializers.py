"""What the API of order sources reads and writes."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from core import clock
from core.api import ListQuery, StrictSerializer
from core.metadata import MetadataField
from core.money import EXPONENTS
from orders.mapping import IDENTIFIER, STATUSES, Amounts, Schema
from orders.models import OrderSource
from orders.reading import MOST_LINES, Found, Line


class NameField(serializers.RegexField):
    """The name of a table or column: letters, digits and _."""

    def __init__(self, **options: Any) -> None:
        told = {"invalid": "must be the plain name of a table or column"}
        super().__init__(
            rf"^{IDENTIFIER.pattern}\Z", max_length=63, trim_whitespace=False, error_messages={**told}, **options
        )


class OrderNamesInput(StrictSerializer):
    """One row is an order. `key` is what its lines name it by, where that is not its `id`."""

    table = NameField()
    id = NameField(help_text="What a payment names the order by")
    total = NameField()
    status = NameField(help_text="Where we write `paid`, `refunded` and `expired`")
    key = NameField(required=False)
    currency = NameField(required=False)
    discount = NameField(required=False)
    tax = NameField(required=False)
    state = NameField(required=False)


class LineNamesInput(StrictSerializer):
    """One row is a line of the order whose id, or key, is in `order`."""

    table = NameField()
    order = NameField()
    name = NameField()
    quantity = NameField()
    unit_price = NameField()
    total = NameField(required=False)
    discount = NameField(required=False)
    discount_percent = NameField(required=False)
    tax = NameField(required=False)
    position = NameField(required=False, help_text="In the order of which lines are shown")


class CurrencyNamesInput(StrictSerializer):
    """A table of currencies, to whose `id` an order's currency points."""

    table = NameField()
    id = NameField()
    code = NameField()


class WordsInput(StrictSerializer):
    """What we write into the status column. What is left out is written as it is called here."""

    paid = serializers.CharField(max_length=50, required=False)
    refunded = serializers.CharField(max_length=50, required=False)
    expired = serializers.CharField(max_length=50, required=False)


class MappingInput(StrictSerializer):
    """`currency` is every order's code, where `order.currency` names no column. An order whose `order.state` is one of
    the words in `closed` cannot be paid."""

    order = OrderNamesInput()
    line = LineNamesInput(required=False)
    currencies = CurrencyNamesInput(required=False)
    currency = serializers.ChoiceField(sorted(EXPONENTS), required=False)
    amounts = serializers.ChoiceField([one.value for one in Amounts], required=False)
    statuses = WordsInput(required=False)
    closed = serializers.ListField(child=serializers.CharField(max_length=50), required=False, max_length=20)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        order = given["order"]
        if ("currency" in given) == ("currency" in order):
            raise serializers.ValidationError({"currency": "give either one code, or a column in `order`"})
        if "currencies" in given and "currency" not in order:
            raise serializers.ValidationError({"currencies": "needs the column `order.currency` that points there"})
        if given.get("closed") and "state" not in order:
            raise serializers.ValidationError({"closed": "needs the column `order.state`"})
        words = given.get("statuses", {})
        if len({words.get(word, word) for word in STATUSES}) < len(STATUSES):
            raise serializers.ValidationError({"statuses": "must be three different words"})
        return given


class SourceInput(StrictSerializer):
    """`database` is a name that this installation's settings give you. The schema `mapping` needs a `mapping`."""

    name = serializers.CharField(max_length=100)
    database = serializers.CharField(max_length=32)
    schema = serializers.ChoiceField([schema.value for schema in Schema])
    mapping = MappingInput(required=False)
    metadata = MetadataField()

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if (given["schema"] == Schema.MAPPING) != ("mapping" in given):
            raise serializers.ValidationError({"mapping": "is for the schema `mapping`, which needs one"})
        return given


class SourceChange(StrictSerializer):
    """Only what is sent changes; a mapping is replaced whole."""

    name = serializers.CharField(max_length=100, required=False)
    mapping = MappingInput(required=False)
    is_enabled = serializers.BooleanField(required=False)
    metadata = MetadataField(required=False, default=serializers.empty)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if "mapping" in given and self.context["schema"] != Schema.MAPPING:
            raise serializers.ValidationError({"mapping": "is for the schema `mapping`"})
        return given


@extend_schema_serializer(component_name="OrderSource")
class SourceOutput(serializers.Serializer[Any]):
    id = serializers.CharField()
    object = serializers.CharField(default="order_source")
    name = serializers.CharField()
    database = serializers.CharField()
    schema = serializers.ChoiceField([schema.value for schema in Schema])
    mapping = serializers.DictField(allow_null=True)
    is_enabled = serializers.BooleanField(help_text="Whether new payments may name its orders")
    fault = serializers.CharField(allow_null=True, help_text="What of its tables was not as mapped when last looked at")
    verified_at = serializers.DateTimeField(help_text="When its tables were last looked at")
    metadata = serializers.DictField(child=serializers.CharField())
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class OrderQuery(ListQuery):
    """There is one order of an id at most."""

    limit = None  # type: ignore[assignment]  # what the base declares is taken away so
    cursor = None  # type: ignore[assignment]
    order = serializers.CharField(max_length=100, help_text="The order's id in the source")


@extend_schema_serializer(component_name="OrderLine")
class LineOutput(serializers.Serializer[Any]):
    """Figures as they stand in the source: decimal texts, which may be finer than the currency."""

    name = serializers.CharField()
    quantity = serializers.CharField()
    unit_price = serializers.CharField()
    discount = serializers.CharField(allow_null=True)
    discount_percent = serializers.CharField(allow_null=True)
    tax = serializers.CharField(allow_null=True)
    total = serializers.CharField(allow_null=True)


@extend_schema_serializer(component_name="Order")
class OrderOutput(serializers.Serializer[Any]):
    """An order as it stands in the source at this moment."""

    id = serializers.CharField(help_text="Its id there")
    object = serializers.CharField(default="order")
    source = serializers.CharField()  # type: ignore[assignment]  # a field that shares the name
    amount = serializers.IntegerField(help_text="Its total, in minor units of the currency")
    currency = serializers.CharField()
    discount = serializers.CharField(allow_null=True, help_text="As it stands there")
    tax = serializers.CharField(allow_null=True, help_text="As it stands there")
    status = serializers.CharField(allow_null=True, help_text="The source's own word for its payment")
    is_payable = serializers.BooleanField(help_text="Neither paid nor closed there")
    lines = LineOutput(many=True, help_text=f"All of them; an order of more than {MOST_LINES:,} is refused")
    livemode = serializers.BooleanField()


def present_source(source: OrderSource) -> dict[str, Any]:
    return {
        "id": source.pk,
        "object": "order_source",
        "name": source.name,
        "database": source.database,
        "schema": source.schema,
        "mapping": source.mapping or None,
        "is_enabled": source.is_enabled,
        "fault": source.fault or None,
        "verified_at": clock.rfc3339(source.verified_at),
        "metadata": source.metadata,
        "livemode": source.livemode,
        "created_at": clock.rfc3339(source.created_at),
    }


def present_order(source: OrderSource, found: Found) -> dict[str, Any]:
    return {
        "id": found.number,
        "object": "order",
        "source": source.pk,
        "amount": found.money.amount,
        "currency": found.money.currency,
        "discount": _written(found.discount),
        "tax": _written(found.tax),
        "status": found.status or None,
        "is_payable": not (found.is_paid or found.is_closed),
        "lines": [_line(line) for line in found.lines],
        "livemode": source.livemode,
    }


def _line(line: Line) -> Mapping[str, Any]:
    figures = ("quantity", "unit_price", "discount", "discount_percent", "tax", "total")
    return {"name": line.name, **{what: _written(getattr(line, what)) for what in figures}}


def _written(figure: Decimal | int | None) -> str | None:
    return None if figure is None else f"{Decimal(figure):f}"
