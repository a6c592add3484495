"""Pages of what is not ours: staff and their roles, and the schedules of django-celery-beat, in the house's look."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
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

from config import admin_schedules  # noqa: F401  (its page registers itself)
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
    pass


@admin.register(ClockedSchedule)
class ClockedAdmin(ClockedScheduleAdmin, ModelAdmin):  # type: ignore[misc]
    pass


@admin.register(IntervalSchedule, SolarSchedule)
class OtherScheduleAdmin(ModelAdmin):  # type: ignore[misc]
    pass
