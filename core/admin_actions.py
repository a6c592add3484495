"""Actions of staff: a page that explains and asks why, a permission with a name, and a record of what was done."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from core.admin_columns import page_of
from core.errors import ApiError


class ReasonForm(forms.Form):
    """What every action asks. It is recorded beside what was done."""

    reason = forms.CharField(max_length=300, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))


Recorder = Callable[..., None]
_recorders: list[Recorder] = []


def record_with(recorder: Recorder) -> None:
    """Registers who writes down what staff do: `recorder(request, row, action=…, reason=…, refused=…)`."""
    _recorders.append(recorder)


def record(request: HttpRequest, row: models.Model, *, action: str, reason: str = "", refused: str = "") -> None:
    for recorder in _recorders:
        recorder(request, row, action=f"{row._meta.model_name}.{action}", reason=reason, refused=refused)


def staff(request: HttpRequest) -> str:
    """Who does it, as transitions and audit entries name staff."""
    return f"staff:{request.user.get_username()}"[:64]


Act = Callable[[Any, HttpRequest, Any, Any], str | HttpResponse]
FormFor = Callable[[Any, Any], forms.Form]


def _only_why(row: Any, data: Any) -> forms.Form:
    return ReasonForm(data)


def reasoned_action(
    *,
    title: str,
    permission: str,
    explain: str,
    icon: str = "bolt",
    applies: Callable[[Any], bool] = lambda row: True,
    form: FormFor = _only_why,
) -> Callable[[Act], Any]:
    """Make a method `(self, request, row, form)` a button on the row's page, for those with `permission`.

    The button leads to a page that explains and asks for a reason, and for what else `form(row, data)` asks.
    The method answers what to say, or a page of its own; it runs in one transaction with the record of it.
    It may raise core.errors.ApiError, shown and recorded as a refusal, or ValueError, shown at the field
    that its message names in quotes. `applies` says whether the row is in a state for it.
    """

    def decorate(act: Act) -> Any:
        @wraps(act)
        def view(admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
            row = admin.get_object(request, unquote(object_id))
            if row is None:
                raise Http404(object_id)
            _demand(request, row, permission, act.__name__)
            if not applies(row):
                messages.error(request, "That cannot be done to it as it is now.")
                return HttpResponseRedirect(page_of(row.pk))
            asked = form(row, request.POST or None)
            if request.method == "POST" and asked.is_valid():
                answer = _carry_out(admin, request, row, act, asked)
                if answer is not None:
                    return answer
            page: HttpResponse = admin.ask(request, asked, title=title, explain=explain, row=row)
            return page

        view.allowed_permissions = [permission]  # type: ignore[attr-defined]  # unfold reads these there
        view.short_description = title  # type: ignore[attr-defined]
        view.icon = icon  # type: ignore[attr-defined]
        view.attrs = {}  # type: ignore[attr-defined]
        view.variant = ActionVariant.DEFAULT  # type: ignore[attr-defined]
        view.applies = applies  # type: ignore[attr-defined]
        return view

    return decorate


def _demand(request: HttpRequest, row: models.Model, permission: str, action: str) -> None:
    if not request.user.has_perm(permission):
        record(request, row, action=action, refused="permission")
        raise PermissionDenied


def _carry_out(admin: Any, request: HttpRequest, row: Any, act: Act, asked: forms.Form) -> HttpResponse | None:
    """What the action answers; None when the form has to be asked again."""
    reason = asked.cleaned_data["reason"]
    try:
        with transaction.atomic():
            answer = act(admin, request, row, asked)
            record(request, row, action=act.__name__, reason=reason)
    except ApiError as refusal:
        record(request, row, action=act.__name__, reason=reason, refused=refusal.code)
        messages.error(request, refusal.detail)
    except ValueError as fault:
        refuse(asked, fault)
        return None
    else:
        if isinstance(answer, HttpResponse):
            return answer
        messages.success(request, answer)
    return HttpResponseRedirect(page_of(row.pk))


def refuse(form: forms.Form, fault: ValueError) -> None:
    """Show what is wrong at the field that the message names in quotes, or above the form."""
    named = re.match(r"'(\w+)'", str(fault))
    field = named[1] if named and named[1] in form.fields else None
    form.add_error(field, str(fault))
