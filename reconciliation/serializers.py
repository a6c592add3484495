"""What the reconciliation API reads and writes."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from core.api import ListQuery
from payments.providers.base import ReceiptKind
from payments.providers.disputes import MovementKind
from reconciliation.models import Discrepancy, Run
from reconciliation.presentation import COUNTS


class RunQuery(ListQuery):
    account = serializers.CharField(max_length=32, required=False)
    phase = serializers.ChoiceField(Run.Phase.choices, required=False)

    def filters(self) -> dict[str, Any]:
        return {name: value for name, value in self.validated_data.items() if name in ("account", "phase")}


class ExceptionQuery(ListQuery):
    run = serializers.CharField(max_length=32, required=False)
    account = serializers.CharField(max_length=32, required=False)
    kind = serializers.ChoiceField(Discrepancy.Kind.choices, required=False)
    outcome = serializers.ChoiceField(Discrepancy.Outcome.choices, required=False)

    FILTERS = ("run", "account", "kind", "outcome")

    def filters(self) -> dict[str, Any]:
        return {name: value for name, value in self.validated_data.items() if name in self.FILTERS}


@extend_schema_serializer(component_name="ReconciliationCounts")
class CountsOutput(serializers.Serializer[Any]):
    def get_fields(self) -> dict[str, Any]:
        return {name: serializers.IntegerField() for name in COUNTS}


@extend_schema_serializer(component_name="ReconciliationTotal")
class TotalOutput(serializers.Serializer[Any]):
    currency = serializers.CharField()
    listed = serializers.IntegerField(help_text="By the provider, less what went back, in minor units")
    booked = serializers.IntegerField(help_text="Here when the run began to compare, in minor units")
    repaired = serializers.IntegerField(help_text="Booked by the run itself, in minor units")


@extend_schema_serializer(component_name="ReconciliationRun")
class RunOutput(serializers.Serializer[Any]):
    id = serializers.CharField()
    object = serializers.CharField(default="reconciliation_run")
    account = serializers.CharField()
    occasion = serializers.ChoiceField(Run.Occasion.choices)
    phase = serializers.ChoiceField(Run.Phase.choices)
    since = serializers.DateTimeField(help_text="The window of the provider's statement begins")
    until = serializers.DateTimeField(help_text="The window ends")
    counts = CountsOutput(
        help_text="The statement's lines, those that agree with the books, and each kind of exception"
    )
    totals = TotalOutput(many=True, help_text="One for each currency")
    repaired = serializers.IntegerField(help_text="Exceptions that the run has closed by booking their money")
    unreadable = serializers.IntegerField(help_text="Lines that could not be read")
    duration = serializers.FloatField(allow_null=True, help_text="Seconds from the first page to the end")
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(component_name="ReconciliationSide")
class SideOutput(serializers.Serializer[Any]):
    amount = serializers.IntegerField()
    currency = serializers.CharField()
    fee = serializers.IntegerField(allow_null=True)


@extend_schema_serializer(component_name="ReconciliationException")
class ExceptionOutput(serializers.Serializer[Any]):
    id = serializers.CharField()
    object = serializers.CharField(default="reconciliation_exception")
    run = serializers.CharField(help_text="The run that found it first")
    account = serializers.CharField()
    kind = serializers.ChoiceField(Discrepancy.Kind.choices)
    outcome = serializers.ChoiceField(Discrepancy.Outcome.choices)
    direction = serializers.ChoiceField([*(kind.value for kind in (*ReceiptKind, *MovementKind)), "payout"])
    provider_money_id = serializers.CharField(allow_null=True, help_text="The provider's number of the money")
    settlement = serializers.CharField(allow_null=True, help_text="The settlement that it is about, if it is about one")
    reference = serializers.CharField(allow_null=True, help_text="What its line says: ours, or what the payer typed")
    listed = SideOutput(allow_null=True, help_text="What the provider says; null where it lists nothing")
    booked = SideOutput(allow_null=True, help_text="What is booked; null where nothing is")
    confirmed = serializers.BooleanField(
        help_text="Whether the provider's own list has it; false while a file alone does"
    )
    booked_as = serializers.CharField(allow_null=True, help_text="The payment or receipt that a repair has led to")
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
