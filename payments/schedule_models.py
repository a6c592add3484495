"""Rows of recurring payments: schedules, their periods, and the tries to charge one. No writes here.

`payments.models` has them too.
"""

from django.db import models
from django.db.models import Q

from core import clock, ids
from core.calendar import Rule, Unit, Weekday
from core.fields import PublicIdField, state_field, state_is_known
from core.money import Money
from events.models import Subjected, Work
from merchants.models import Customer, Merchant
from payments import states
from payments.providers.failures import FailureCode


class Schedule(Subjected):
    """A saved method that is charged by the calendar. Without `amount` each period waits for its own.

    Until it is over a schedule has just one upcoming period. `retries` are days, each counted from the try that failed
    before it. The columns from `unit` to `count` are those of a `core.calendar.Rule`.
    """

    class OnFailure(models.TextChoices):
        CONTINUE = "continue"
        PAUSE = "pause"

    class Missed(models.TextChoices):
        SKIP = "skip"
        CHARGE_LATEST = "charge_latest"

    id = PublicIdField(prefix="sch")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="schedules", db_index=False)
    saved_method = models.ForeignKey("payments.SavedMethod", models.PROTECT, related_name="schedules")
    state = state_field(states.SCHEDULE)
    amount = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3)
    unit = models.CharField(max_length=8, choices=[(unit.value, unit.value) for unit in Unit])
    interval = models.PositiveSmallIntegerField()
    weekday = models.CharField(max_length=9, blank=True, default="")
    day = models.PositiveSmallIntegerField(null=True)
    zone = models.CharField(max_length=64)
    at = models.TimeField()
    starts_on = models.DateField()
    ends_on = models.DateField(null=True)
    count = models.PositiveIntegerField(null=True)
    retries = models.JSONField(default=list)
    notice_days = models.PositiveSmallIntegerField(default=0)
    on_failure = models.CharField(max_length=8, choices=OnFailure.choices, default=OnFailure.CONTINUE)
    missed = models.CharField(max_length=16, choices=Missed.choices, default=Missed.SKIP)
    reference = models.CharField(max_length=100, blank=True, default="")
    description = models.CharField(max_length=200, blank=True, default="")
    return_url = models.CharField(max_length=500, blank=True, default="")
    metadata = models.JSONField(default=dict)

    class Meta:
        constraints = [
            state_is_known(states.SCHEDULE, name="schedule_state_is_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="schedule_amount_is_positive"),
            models.UniqueConstraint(fields=["id", "livemode"], name="schedule_has_one_mode"),
        ]
        indexes = [
            models.Index(fields=["merchant", "livemode", "-id"], name="schedule_list"),
            models.Index(fields=["customer", "-id"], name="schedule_customer"),
        ]
        permissions = [("act_on_schedule", "Can pause, resume and cancel a schedule")]

    @property
    def rule(self) -> Rule:
        return Rule(
            unit=Unit(self.unit),
            interval=self.interval,
            zone=self.zone,
            starts_on=self.starts_on,
            at=self.at,
            weekday=Weekday(self.weekday) if self.weekday else None,
            day=self.day,
            ends_on=self.ends_on,
            count=self.count,
        )

    @property
    def is_over(self) -> bool:
        return self.state in states.SCHEDULE.terminals


class SchedulePeriod(Work, Subjected):
    """One period of a schedule. It is to be charged at `charge_at`, in UTC; `due_at` is when it is looked at next.

    `charge_number` counts the tries that were decided upon, each before it is made. `key` is the secret from which the
    idempotency keys of the tries are made, so that no merchant can hold one of them.
    """

    class Because(models.TextChoices):
        """Why a period was skipped."""

        MISSED = "missed"
        PAUSED = "paused"
        CANCELLED = "cancelled"
        ASKED = "asked"

    id = PublicIdField(prefix="per")
    schedule = models.ForeignKey(Schedule, models.PROTECT, related_name="periods")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    state = state_field(states.PERIOD)
    number = models.PositiveIntegerField()
    amount = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3)
    charge_at = models.DateTimeField()
    noticed_at = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(null=True)
    charge_number = models.PositiveSmallIntegerField(default=0)
    key = models.CharField(max_length=32, default=ids.random_token)
    skipped_because = models.CharField(max_length=9, choices=Because.choices, blank=True, default="")
    failure_code = models.CharField(max_length=32, blank=True, default="")
    failure_message = models.CharField(max_length=300, blank=True, default="")
    late = models.BooleanField(default=False)

    class Meta:
        constraints = [
            state_is_known(states.PERIOD, name="period_state_is_known"),
            models.UniqueConstraint(fields=["schedule", "number"], name="one_period_per_number"),
            models.UniqueConstraint(fields=["schedule"], name="one_upcoming_period", condition=Q(state="upcoming")),
            models.CheckConstraint(condition=Q(amount__gt=0), name="period_amount_is_positive"),
            models.CheckConstraint(
                condition=Q(amount__isnull=False)
                | Q(state="upcoming")
                | Q(state="awaiting_amount")
                | Q(state="skipped"),
                name="a_charged_period_has_an_amount",
            ),
            models.UniqueConstraint(fields=["id", "livemode"], name="period_has_one_mode"),
        ]
        indexes = [models.Index(fields=["lane", "due_at"], name="period_due", condition=Q(due_at__isnull=False))]

    @property
    def money(self) -> Money:
        """Raises ValueError while its amount is not known."""
        if self.amount is None:
            raise ValueError(f"{self.pk} has no amount yet")
        return Money(self.amount, self.currency)

    @property
    def is_open(self) -> bool:
        return self.state not in states.PERIOD.terminals


class ScheduleCharge(models.Model):
    """One try to charge a period: a payment, inserted in the same statement as its idempotency key.

    A try that was refused before anything was written has no payment; `is_retryable` is for those. `surplus` is a try
    that was paid although another one had been, or was under way.
    """

    class Outcome(models.TextChoices):
        OPEN = "open"
        PAID = "paid"
        ENDED = "ended"
        SURPLUS = "surplus"

    id = PublicIdField(prefix="schg")
    period = models.ForeignKey(SchedulePeriod, models.PROTECT, related_name="charges")
    number = models.PositiveSmallIntegerField()
    payment = models.OneToOneField("payments.Payment", models.PROTECT, null=True, related_name="schedule_charge")
    saved_method = models.ForeignKey("payments.SavedMethod", models.PROTECT, related_name="+")
    livemode = models.BooleanField()
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.OPEN)
    failure_code = models.CharField(max_length=32, blank=True, default="")
    failure_message = models.CharField(max_length=300, blank=True, default="")
    is_retryable = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=["open", "paid", "ended", "surplus"]), name="charge_outcome_is_known"
            ),
            models.UniqueConstraint(fields=["period", "number"], name="one_charge_per_number"),
            models.UniqueConstraint(
                fields=["period"], name="one_open_or_paid_charge", condition=Q(outcome__in=["open", "paid"])
            ),
            models.CheckConstraint(
                condition=Q(payment__isnull=False) | Q(outcome="ended"), name="only_an_ended_charge_has_no_payment"
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def failure(self) -> tuple[str, str, bool]:
        """Of a try that has ended: its code, what it says, and whether another day may help."""
        if self.payment is None:
            return self.failure_code, self.failure_message, self.is_retryable
        match self.payment.state:
            case states.PaymentState.EXPIRED:
                return FailureCode.TIMED_OUT, "The customer did not answer in time.", True
            case states.PaymentState.CANCELLED:
                return "cancelled", "The payment was cancelled.", False
            case _:
                return self.payment.failure_code, self.payment.failure_message, self.payment.failure_is_retryable
