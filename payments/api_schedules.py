"""Schedules and their periods, for merchants: parse, one call, present."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core import api
from core.api import NothingInput
from core.errors import NotFound
from events.idempotency import Claim
from merchants.customer_search import everyone_of
from merchants.openapi import PROBLEMS, list_of
from merchants.views import ApiView
from payments import schedule_serializers as serializers
from payments.api import IDEMPOTENCY_KEY
from payments.models import Schedule, SchedulePeriod
from payments.schedule_presentation import present_period, present_schedule, schedule_periods, schedules
from payments.services import scheduling
from payments.services.scheduling import ScheduleRequest

_TAGS = ["Schedules"]
_ANSWERS: dict[Any, Any] = {200: serializers.ScheduleOutput, **PROBLEMS}


class ScheduleApiView(ApiView):
    """What the views of schedules share."""

    def schedule(self, public_id: str) -> Schedule:
        found: Schedule = self.own(schedules(), public_id)
        return found

    def period(self, schedule_id: str, number: int) -> SchedulePeriod:
        """The period of the caller's own schedule with that number."""
        schedule = self.schedule(schedule_id)
        known = number <= serializers.NUMBER
        found = schedule_periods().filter(schedule=schedule, number=number).first() if known else None
        if found is None:
            raise NotFound(f"{schedule.pk} has no period {number} yet.")
        return found

    def period_again(self, public_id: str) -> SchedulePeriod:
        found: SchedulePeriod = self.own(schedule_periods(), public_id)
        return found


class SchedulesView(ScheduleApiView):
    """`/v1/schedules`"""

    scopes: ClassVar = {"GET": "schedules:read", "POST": "schedules:write"}

    @extend_schema(
        operation_id="list_schedules",
        parameters=[serializers.ScheduleQuery],
        responses={200: list_of(serializers.ScheduleOutput), **PROBLEMS},
        tags=_TAGS,
    )
    def get(self, request: Request) -> Response:
        """Your schedules, the newest first."""
        asked = api.query(request, serializers.ScheduleQuery)
        rows = self.owned(schedules()).filter(**asked.filters())
        if "customer" in asked.validated_data:
            caller = self.caller
            everyone = everyone_of(
                merchant=caller.merchant.pk, livemode=caller.livemode, public_id=asked.validated_data["customer"]
            )
            rows = rows.filter(customer__in=everyone)
        return Response(api.page(rows, asked, present=present_schedule))

    @extend_schema(
        operation_id="create_schedule",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.ScheduleInput,
        responses={201: serializers.ScheduleOutput, **PROBLEMS},
        tags=_TAGS,
    )
    def post(self, request: Request) -> Response:
        """Charge a saved method by the calendar, each period at most once. Nothing is charged by this call itself."""
        given = serializers.ScheduleInput(data=request.data)
        given.is_valid(raise_exception=True)
        fields = given.validated_data
        asked = ScheduleRequest(
            merchant=self.caller.merchant,
            livemode=self.caller.livemode,
            customer=fields["customer"],
            saved_method=fields["saved_method"],
            amount=fields.get("amount"),
            currency=fields["currency"],
            rule=fields["rule"],
            more=given.terms(),
        )
        return self.once(
            act=lambda claim: scheduling.create_schedule(asked, claim=claim),
            resume=self.schedule,
            present=present_schedule,
            status=201,
        )


class ScheduleView(ScheduleApiView):
    """`/v1/schedules/{id}`"""

    scopes: ClassVar = {"GET": "schedules:read", "PATCH": "schedules:write"}

    @extend_schema(operation_id="get_schedule", responses=_ANSWERS, tags=_TAGS)
    def get(self, request: Request, schedule_id: str) -> Response:
        """One schedule, with the period that comes next."""
        return Response(present_schedule(self.schedule(schedule_id)))

    @extend_schema(
        operation_id="change_schedule",
        request=serializers.ScheduleChange,
        responses=_ANSWERS,
        tags=_TAGS,
    )
    def patch(self, request: Request, schedule_id: str) -> Response:
        """A new saved method is for every try from then on, a new amount for periods that lie ahead."""
        schedule = self.schedule(schedule_id)
        given = serializers.ScheduleChange(data=request.data)
        given.is_valid(raise_exception=True)
        scheduling.change_schedule(schedule, given=given.validated_data, by=self.caller.actor)
        return Response(present_schedule(self.schedule(schedule_id)))


class _MoveView(ScheduleApiView):
    """One verb on a schedule, without fields."""

    key_is_optional = True
    scopes: ClassVar = {"POST": "schedules:write"}

    def move(self, request: Request, schedule_id: str, verb: Callable[..., Schedule]) -> Response:
        schedule = self.schedule(schedule_id)
        NothingInput(data=request.data).is_valid(raise_exception=True)

        def act(claim: Claim) -> Schedule:
            with transaction.atomic():
                moved = verb(schedule, by=self.caller.actor)
                claim.bind(moved.pk)
            return moved

        return self.once(act=act, resume=self.schedule, present=present_schedule)


class PauseView(_MoveView):
    """`/v1/schedules/{id}/pause`"""

    @extend_schema(
        operation_id="pause_schedule",
        request=NothingInput,
        responses=_ANSWERS,
        tags=_TAGS,
    )
    def post(self, request: Request, schedule_id: str) -> Response:
        """Until it is resumed nothing new is charged: what comes in the meantime is skipped."""
        return self.move(request, schedule_id, scheduling.pause_schedule)


class ResumeView(_MoveView):
    """`/v1/schedules/{id}/resume`"""

    @extend_schema(
        operation_id="resume_schedule",
        request=NothingInput,
        responses=_ANSWERS,
        tags=_TAGS,
    )
    def post(self, request: Request, schedule_id: str) -> Response:
        """It goes on with the first period that lies ahead."""
        return self.move(request, schedule_id, scheduling.resume_schedule)


class CancelScheduleView(_MoveView):
    """`/v1/schedules/{id}/cancel`"""

    @extend_schema(
        operation_id="cancel_schedule",
        request=NothingInput,
        responses=_ANSWERS,
        tags=_TAGS,
    )
    def post(self, request: Request, schedule_id: str) -> Response:
        """Ends it for good. A payment that is under way goes on to its outcome."""
        return self.move(request, schedule_id, scheduling.cancel_schedule)


class PeriodsView(ScheduleApiView):
    """`/v1/schedules/{id}/periods`"""

    scopes: ClassVar = {"GET": "schedules:read"}

    @extend_schema(
        operation_id="list_schedule_periods",
        parameters=[serializers.PeriodQuery],
        responses={200: list_of(serializers.PeriodOutput), **PROBLEMS},
        tags=_TAGS,
    )
    def get(self, request: Request, schedule_id: str) -> Response:
        """The schedule's periods with every try, the newest first."""
        schedule = self.schedule(schedule_id)
        asked = api.query(request, serializers.PeriodQuery)
        rows = schedule_periods().filter(schedule=schedule, **asked.filters())
        return Response(api.page(rows, asked, present=present_period))


class PeriodAmountView(ScheduleApiView):
    """`/v1/schedules/{id}/periods/{number}/amount`"""

    scopes: ClassVar = {"POST": "schedules:write"}

    @extend_schema(
        operation_id="set_schedule_period_amount",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.PeriodAmountInput,
        responses={200: serializers.PeriodOutput, **PROBLEMS},
        tags=_TAGS,
    )
    def post(self, request: Request, schedule_id: str, number: int) -> Response:
        """For schedules without an amount. A period that waits for its amount is charged at once."""
        period = self.period(schedule_id, number)
        asked = serializers.PeriodAmountInput(data=request.data)
        asked.is_valid(raise_exception=True)
        return self.once(
            act=lambda claim: scheduling.set_amount(
                period, amount=asked.validated_data["amount"], by=self.caller.actor, claim=claim
            ),
            resume=self.period_again,
            present=present_period,
        )


class SkipPeriodView(ScheduleApiView):
    """`/v1/schedules/{id}/periods/{number}/skip`"""

    key_is_optional = True
    scopes: ClassVar = {"POST": "schedules:write"}

    @extend_schema(
        operation_id="skip_schedule_period",
        request=NothingInput,
        responses={200: serializers.PeriodOutput, **PROBLEMS},
        tags=_TAGS,
    )
    def post(self, request: Request, schedule_id: str, number: int) -> Response:
        """Leaves out a period that has not been charged yet."""
        period = self.period(schedule_id, number)
        NothingInput(data=request.data).is_valid(raise_exception=True)
        return self.once(
            act=lambda claim: scheduling.skip_period(period, by=self.caller.actor, claim=claim),
            resume=self.period_again,
            present=present_period,
        )
