"""Pages of what is not ours: staff and their roles, and the schedules of django-celery-beat, in the house's look."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.http import HttpRequest
from django_celery_beat.admin import (
    ClockedScheduleAdmin,
    CrontabScheduleAdmin,
    PeriodicTaskAdmin,
    PeriodicTaskForm,
    TaskSelectWidget,
)
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from config import admin_schedules, standing  # noqa: F401  (the page of the first registers itself)
from core import clock
from core.admin_actions import record
from events.models import Job

for model in (User, Group, ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule):
    admin.site.unregister(model)


@admin.register(User)
class StaffAdmin(UserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]  # unfold ships no types
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class RoleAdmin(GroupAdmin, ModelAdmin):  # type: ignore[misc]
    pass


def _demand_a_moment(times: Any) -> None:
    """Raises ValidationError for a crontab or interval that never comes, as 31 February."""
    try:
        if times is not None:
            standing.next_after(times.schedule, clock.now())
    except standing.NEVER as fault:
        raise ValidationError(f"This time never comes, or not in our days: {fault}") from fault


class TimesForm(ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    """A crontab or interval. What stands in one is evaluated wherever schedules are looked at."""

    def clean(self) -> Any:
        cleaned = super().clean() or {}
        if not self.errors:
            _demand_a_moment(self._meta.model(**cleaned))
        return cleaned


class TaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):  # type: ignore[misc]
    """The tasks that Celery knows, to choose from."""


class ScheduledTaskForm(PeriodicTaskForm):  # type: ignore[misc]  # django-celery-beat ships no types
    """Its two fields that are made by hand, with the widgets of the rest. Our own schedules come again and again."""

    def clean(self) -> Any:
        cleaned = super().clean()
        named = Job.objects.filter(name=cleaned.get("name")).exists()
        if named and not (cleaned.get("interval") or cleaned.get("crontab")):
            raise ValidationError(
                "A schedule of the house runs at an interval or by a crontab. To stop it, disable it."
            )
        _demand_a_moment(cleaned.get("crontab") or cleaned.get("interval"))
        return cleaned

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelect()


@admin.register(PeriodicTask)
class ScheduledTaskAdmin(PeriodicTaskAdmin, ModelAdmin):  # type: ignore[misc]
    form = ScheduledTaskForm

    def save_model(self, request: HttpRequest, obj: PeriodicTask, form: object, change: bool) -> None:
        """When the house does its work is nothing that changes without a trace."""
        super().save_model(request, obj, form, change)
        told = f"{obj.name}: {obj.scheduler}, {'on' if obj.enabled else 'off'}"
        record(request, obj, action="changed" if change else "added", reason=told[:300])


@admin.register(CrontabSchedule)
class CrontabAdmin(CrontabScheduleAdmin, ModelAdmin):  # type: ignore[misc]
    form = TimesForm


@admin.register(ClockedSchedule)
class ClockedAdmin(ClockedScheduleAdmin, ModelAdmin):  # type: ignore[misc]
    pass


@admin.register(IntervalSchedule)
class IntervalAdmin(ModelAdmin):  # type: ignore[misc]
    form = TimesForm


@admin.register(SolarSchedule)
class SolarAdmin(ModelAdmin):  # type: ignore[misc]
    pass
