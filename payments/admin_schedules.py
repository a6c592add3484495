"""Staff's pages of schedules and of the tries to charge their periods."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from core.admin import ReadOnlyAdmin
from core.admin_actions import reasoned_action, staff
from core.admin_columns import (
    MODE,
    badge,
    column,
    link,
    link_column,
    moment,
    moment_column,
    state_column,
    table,
    timeline,
    tones,
)
from core.money import Money
from events import subjects
from events.timeline import moments
from payments import states
from payments.models import Schedule, ScheduleCharge, SchedulePeriod
from payments.services import scheduling
from payments.states import ScheduleState

MERCHANT = column("merchant", lambda row: link(row.merchant_id, row.merchant.name))
_LATEST = 24


def _amount(row: Schedule | SchedulePeriod) -> str:
    return "-" if row.amount is None else str(Money(row.amount, row.currency))


def _every(row: Schedule) -> str:
    """`every 2 weeks on monday, 09:00 Africa/Nairobi`."""
    unit = f"{row.interval} {row.unit}s" if row.interval > 1 else row.unit
    on = f" on {row.weekday}" if row.weekday else f" on day {row.day}" if row.day else ""
    return f"every {unit}{on}, {row.at:%H:%M} {row.zone}"


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        state_column(tones(states.SCHEDULE)),
        column("amount", _amount),
        column("every", _every),
        "reference",
        link_column("customer_id"),
        MERCHANT,
        MODE,
        moment_column("created_at"),
    )
    list_select_related = ("merchant",)
    list_filter = ("state", "unit", "livemode")
    search_help_text = "exactly: the id of a schedule, period, customer, saved method or merchant, or a reference"
    fields = (
        ("id", state_column(tones(states.SCHEDULE))),
        (column("amount", _amount), column("every", _every)),
        ("starts_on", "ends_on", "count"),
        ("retries", "notice_days"),
        ("on_failure", "missed"),
        (link_column("customer_id"), link_column("saved_method_id", title="saved method")),
        (MERCHANT, MODE),
        ("reference", "description", moment_column("created_at")),
    )
    actions_detail = ("pause", "resume", "cancel")

    def find(self, term: str) -> Iterable[str]:
        columns = {"mer": "merchant", "cus": "customer", "sm": "saved_method", "per": "periods"}
        named = {columns.get(term.partition("_")[0], "reference"): term}
        return [term, *Schedule.objects.filter(**named).order_by("-pk").values_list("pk", flat=True)[:1000]]

    def sections(self, row: Schedule) -> Iterable[tuple[str, Any]]:
        yield "Periods", _periods(row.periods.prefetch_related("charges__payment").order_by("-number")[:_LATEST])
        yield "History", timeline(moments(subjects.of(row).relatives(row)))

    @reasoned_action(
        title="Pause",
        permission="payments.act_on_schedule",
        explain="Nothing new is charged until it is resumed; periods that come in the meantime are skipped for good.",
        icon="pause_circle",
        applies=lambda row: row.state == ScheduleState.ACTIVE,
    )
    def pause(self, request: HttpRequest, schedule: Schedule, form: Any) -> str:
        scheduling.pause_schedule(schedule, by=staff(request), because=form.cleaned_data["reason"])
        return "Paused."

    @reasoned_action(
        title="Resume",
        permission="payments.act_on_schedule",
        explain="It goes on with the first period that lies ahead. What was skipped stays skipped.",
        icon="play_circle",
        applies=lambda row: row.state == ScheduleState.PAUSED,
    )
    def resume(self, request: HttpRequest, schedule: Schedule, form: Any) -> str:
        scheduling.resume_schedule(schedule, by=staff(request), because=form.cleaned_data["reason"])
        return "Resumed."

    @reasoned_action(
        title="Cancel",
        permission="payments.act_on_schedule",
        explain="It ends for good. A payment that is under way goes on to its outcome. This cannot be taken back.",
        icon="cancel",
        applies=lambda row: not row.is_over,
    )
    def cancel(self, request: HttpRequest, schedule: Schedule, form: Any) -> str:
        scheduling.cancel_schedule(schedule, by=staff(request), because=form.cleaned_data["reason"])
        return "Cancelled."


def _periods(periods: Iterable[SchedulePeriod]) -> Any:
    tone = tones(states.PERIOD)
    return table(
        ("number", "state", "charge at", "amount", "next try", "tries"),
        (
            (
                period.number,
                badge(period.state, tone[period.state]),
                moment(period.charge_at),
                _amount(period),
                moment(period.next_try_at),
                _tries(period) or period.skipped_because or "-",
            )
            for period in periods
        ),
    )


def _tries(period: SchedulePeriod) -> SafeString:
    charges = sorted(period.charges.all(), key=lambda charge: charge.number)
    return format_html_join(", ", "{} {} {}", map(_told, charges))


def _told(charge: ScheduleCharge) -> tuple[Any, ...]:
    code = charge.failure[0] if charge.outcome == ScheduleCharge.Outcome.ENDED else ""
    return charge.outcome, code, link(charge.payment_id or "")
