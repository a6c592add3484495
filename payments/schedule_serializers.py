"""What the schedules API reads and writes."""

import re
from datetime import time
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from core.api import ListQuery, StrictSerializer
from core.calendar import Rule, Unit, Weekday
from core.metadata import MetadataField
from payments.models import Schedule, SchedulePeriod
from payments.schedule_models import ScheduleCharge
from payments.serializers import AmountField, CurrencyField, FailureOutput
from payments.states import PeriodState, ScheduleState

MOST_RETRIES, LONGEST_WAIT = 8, 30
NUMBER = 1_000_000


@extend_schema_field({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"})
class LocalTimeField(serializers.TimeField):
    """Hours and minutes on the customer's clock, without an offset: not what OpenAPI calls a `time`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(format="%H:%M", input_formats=["%H:%M"], **options)


@extend_schema_serializer(component_name="ScheduleEvery")
class EveryInput(StrictSerializer):
    """`weekday` is for weeks; `day` of the month is for months and years, and a shorter month takes its last."""

    unit = serializers.ChoiceField([unit.value for unit in Unit])
    interval = serializers.IntegerField(min_value=1, max_value=366, default=1)
    weekday = serializers.ChoiceField([day.value for day in Weekday], required=False)
    day = serializers.IntegerField(min_value=1, max_value=31, required=False)


class _TermsInput(StrictSerializer):
    """What can be changed later, too."""

    retries = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=LONGEST_WAIT),
        max_length=MOST_RETRIES,
        default=list,
        help_text="Days to wait after each soft decline before the next try: [1, 3, 5]",
    )
    notice_days = serializers.IntegerField(
        min_value=0, max_value=30, default=0, help_text="Days before a charge to publish schedule_period.upcoming"
    )
    on_failure = serializers.ChoiceField(Schedule.OnFailure.choices, default=Schedule.OnFailure.CONTINUE)
    missed = serializers.ChoiceField(Schedule.Missed.choices, default=Schedule.Missed.SKIP)
    reference = serializers.CharField(max_length=100, default="", allow_blank=True)
    description = serializers.CharField(max_length=200, default="", allow_blank=True)
    return_url = serializers.URLField(max_length=500, default="", allow_blank=True)
    metadata = MetadataField()


class ScheduleInput(_TermsInput):
    """Without `amount`, each period waits for its own."""

    customer = serializers.CharField(max_length=32, help_text="The id of a customer")
    saved_method = serializers.CharField(max_length=32, help_text="The id of a saved method of that customer")
    amount = AmountField(required=False)
    currency = CurrencyField()
    every = EveryInput()
    zone = serializers.CharField(max_length=64, help_text="The customer's, of the IANA database: Africa/Nairobi")
    time = LocalTimeField(default=time(9), help_text="Local time of the charge: 09:00")
    starts_on = serializers.DateField(help_text="The first charge is on the first fitting day from here on")
    ends_on = serializers.DateField(required=False, help_text="The last local day on which there can be a charge")
    count = serializers.IntegerField(min_value=1, max_value=NUMBER, required=False)

    TERMS = ("retries", "notice_days", "on_failure", "missed", "reference", "description", "return_url", "metadata")

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        every = given["every"]
        try:
            given["rule"] = Rule(
                unit=Unit(every["unit"]),
                interval=every["interval"],
                zone=given["zone"],
                starts_on=given["starts_on"],
                at=given["time"],
                weekday=Weekday(every["weekday"]) if "weekday" in every else None,
                day=every.get("day"),
                ends_on=given.get("ends_on"),
                count=given.get("count"),
            )
        except ValueError as fault:
            raise serializers.ValidationError(_at_its_field(str(fault))) from fault
        return given

    def terms(self) -> dict[str, Any]:
        return {name: self.validated_data[name] for name in self.TERMS}


def _at_its_field(fault: str) -> dict[str, Any]:
    """A fault of the calendar rule, at the field that it names in backquotes."""
    found = re.search(r"`(\w+)`", fault)
    name = found[1] if found else "every"
    return {"every": {name: fault}} if name in EveryInput().fields else {name: fault}


class ScheduleChange(_TermsInput):
    """Only what is sent changes; retries and metadata are replaced whole. The calendar and currency cannot change."""

    saved_method = serializers.CharField(max_length=32)
    amount = AmountField()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, partial=True, **options)


class PeriodAmountInput(StrictSerializer):
    amount = AmountField()


class ScheduleQuery(ListQuery):
    customer = serializers.CharField(max_length=32, required=False, help_text="With those merged into them")
    state = serializers.ChoiceField(ScheduleState.choices, required=False)
    reference = serializers.CharField(max_length=100, required=False)
    saved_method = serializers.CharField(max_length=32, required=False)

    def filters(self) -> dict[str, Any]:
        names = ("state", "reference", "saved_method")
        return {name: self.validated_data[name] for name in names if name in self.validated_data}


class PeriodQuery(ListQuery):
    state = serializers.ChoiceField(PeriodState.choices, required=False)

    def filters(self) -> dict[str, Any]:
        return {"state": self.validated_data["state"]} if "state" in self.validated_data else {}


@extend_schema_serializer(component_name="ScheduleRule")
class EveryOutput(serializers.Serializer[Any]):
    unit = serializers.ChoiceField([unit.value for unit in Unit])
    interval = serializers.IntegerField()
    weekday = serializers.CharField(allow_null=True)
    day = serializers.IntegerField(allow_null=True)


@extend_schema_serializer(component_name="NextPeriod")
class NextPeriodOutput(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    charge_at = serializers.DateTimeField()
    amount = serializers.IntegerField(allow_null=True)


@extend_schema_serializer(component_name="Schedule")
class ScheduleOutput(serializers.Serializer[Any]):
    id = serializers.CharField()
    object = serializers.CharField(default="schedule")
    state = serializers.ChoiceField(ScheduleState.choices)
    customer = serializers.CharField()
    saved_method = serializers.CharField()
    amount = serializers.IntegerField(allow_null=True, help_text="Minor units; null where each period has its own")
    currency = serializers.CharField()
    every = EveryOutput()
    zone = serializers.CharField()
    time = serializers.CharField()
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(allow_null=True)
    count = serializers.IntegerField(allow_null=True)
    next_period = NextPeriodOutput(allow_null=True)
    retries = serializers.ListField(child=serializers.IntegerField())
    notice_days = serializers.IntegerField()
    on_failure = serializers.ChoiceField(Schedule.OnFailure.choices)
    missed = serializers.ChoiceField(Schedule.Missed.choices)
    reference = serializers.CharField(allow_null=True)
    description = serializers.CharField(allow_null=True)
    return_url = serializers.CharField(allow_null=True)
    metadata = serializers.DictField(child=serializers.CharField())
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()


@extend_schema_serializer(component_name="PeriodTry")
class TryOutput(serializers.Serializer[Any]):
    """`payment` is null for a try that was refused before a payment was made."""

    number = serializers.IntegerField()
    outcome = serializers.ChoiceField(ScheduleCharge.Outcome.choices)
    payment = serializers.CharField(allow_null=True)
    saved_method = serializers.CharField()
    failure = FailureOutput(allow_null=True)
    created_at = serializers.DateTimeField()


@extend_schema_serializer(component_name="SchedulePeriod")
class PeriodOutput(serializers.Serializer[Any]):
    id = serializers.CharField()
    object = serializers.CharField(default="schedule_period")
    schedule = serializers.CharField()
    number = serializers.IntegerField()
    state = serializers.ChoiceField(PeriodState.choices)
    amount = serializers.IntegerField(allow_null=True, help_text="Minor units of the currency")
    currency = serializers.CharField()
    charge_at = serializers.DateTimeField()
    next_try_at = serializers.DateTimeField(allow_null=True)
    payment = serializers.CharField(allow_null=True, help_text="The payment of the last try")
    tries = TryOutput(many=True)
    failure = FailureOutput(allow_null=True)
    skipped_because = serializers.ChoiceField(SchedulePeriod.Because.choices, allow_null=True)
    late = serializers.BooleanField(help_text="The money arrived after the period had failed")
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()
