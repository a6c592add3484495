"""Parts of the staff's pages: rows that are only looked at, columns, one timeline, and actions that ask why.

A part knows no table of ours; each domain composes its pages from these in its own `admin.py`. Nothing is
changed by a model form: what staff may do is an action of its own, behind a permission with a name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache, wraps
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import site
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from core.errors import ApiError
from core.fields import PublicIdField
from core.money import Money
from core.states import Machine

Column = Callable[[Any], Any]
Tones = Mapping[str, str]


# Columns


@lru_cache(maxsize=256)
def badge(text: str, tone: str = "") -> SafeString:
    """A coloured word; a tone is one of info, success, warning, danger, or empty for grey."""
    return render_to_string("unfold/helpers/label.html", {"text": text.replace("_", " "), "variant": tone})


def tones(machine: Machine) -> dict[str, str]:
    """The badge of each state: what succeeded, what failed, what is still open."""
    ended = {state: "danger" if state == "failed" else "" for state in machine.terminals}
    open_ones = {state: "info" for state in machine.states if state not in machine.terminals}
    return {**open_ones, **ended, **dict.fromkeys(machine.success, "success")}


def column(name: str, read: Column, *, title: str = "", ordering: str = "") -> Column:
    """A column or a read-only field that shows `read(row)`."""

    def show(row: Any) -> Any:
        return read(row)

    show.__name__ = name
    show.short_description = title or name.replace("_", " ")  # type: ignore[attr-defined]  # Django reads it there
    if ordering:
        show.admin_order_field = ordering  # type: ignore[attr-defined]
    return show


def state_column(of: Tones, *, field: str = "state") -> Column:
    return column(field, lambda row: badge(getattr(row, field), of.get(getattr(row, field), "")))


def money_column(field: str = "amount", *, title: str = "") -> Column:
    return column(field, lambda row: str(Money(getattr(row, field), _currency(row))), title=title)


def _currency(row: Any) -> str:
    return str(row.currency if hasattr(row, "currency") else row.payment.currency)


def moment_column(field: str, *, title: str = "") -> Column:
    return column(field, lambda row: moment(getattr(row, field)), title=title or field.removesuffix("_at"))


def moment(at: datetime | None) -> str:
    """To the second, in UTC."""
    return at.strftime("%Y-%m-%d %H:%M:%S") if at else "–"


MODE = column("mode", lambda row: badge("live", "warning") if row.livemode else badge("test"))


def link(public_id: str, text: str = "") -> SafeString | str:
    """The object's page, where it has one."""
    url = page_of(public_id)
    return format_html('<a class="text-link" href="{}">{}</a>', url, text or public_id) if url else text or public_id


def link_column(field: str, *, title: str = "") -> Column:
    """A column that holds a public id; for a foreign key name its `…_id`."""
    return column(field.removesuffix("_id"), lambda row: link(getattr(row, field) or ""), title=title)


def page_of(public_id: str) -> str:
    name = _page_names().get(public_id.partition("_")[0])
    return reverse(f"admin:{name}_change", args=[quote(public_id)]) if name else ""


@lru_cache(maxsize=1)
def _page_names() -> dict[str, str]:
    """Which page shows an id, by its prefix; asked only once every page is registered."""
    keys = {model: model._meta.pk for model in site._registry}
    return {
        key.prefix: f"{model._meta.app_label}_{model._meta.model_name}"
        for model, key in keys.items()
        if isinstance(key, PublicIdField)
    }


# The timeline


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened to an object. `kind` is a word for what tells of it; `id` its row, if it has a page."""

    at: datetime
    kind: str
    title: str
    detail: str = ""
    id: str = ""
    tone: str = ""

    @property
    def url(self) -> str:
        return page_of(self.id)


def timeline(moments: Iterable[Moment]) -> SafeString:
    """All of them by time, drawn."""
    ordered = sorted(moments, key=lambda moment: (moment.at, moment.id))
    return render_to_string("admin/parts/timeline.html", {"moments": ordered})


# Pages


class CappedPaginator(Paginator[Any]):
    """Counts no further than `cap`: no page counts a whole table. What is older is found by filter or search."""

    cap = 1000
    template_name = "admin/parts/pagination.html"

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.cap].count())

    @property
    def is_capped(self) -> bool:
        return self.count >= self.cap


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


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Rows that nobody changes by form: newest first, few at a time, found by exact words through indexes."""

    ordering = ("-pk",)
    actions = None
    list_per_page = 25
    show_full_result_count = False
    paginator = CappedPaginator
    search_fields = ("pk",)
    search_help_text = "an id, exactly"
    list_filter_submit = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        term = search_term.strip()
        return (queryset.filter(pk__in=list(self.find(term))) if term else queryset), False

    def find(self, term: str) -> Iterable[str]:
        """The primary keys of the rows that a search means."""
        return [term]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only what may be done by this person to this row as it is now."""
        allowed = super().get_actions_detail(request, object_id)
        row = self.get_object(request, unquote(str(object_id))) if allowed else None
        return [action for action in allowed if row is not None and action.method.applies(row)]

    def ask(self, request: HttpRequest, form: forms.Form, *, title: str, explain: str, row: Any = None) -> HttpResponse:
        """A page with a form of ours."""
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "explain": explain,
            "form": form,
            "opts": self.opts,
            "original": row,
            "back": page_of(row.pk) if row else self.list_url(),
        }
        return TemplateResponse(request, "admin/parts/question.html", context)

    def list_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def show_once(
        self, request: HttpRequest, row: Any, *, title: str, explain: str, shown: Sequence[tuple[str, str]]
    ) -> HttpResponse:
        """The answer to a POST that carries what will not be shown again; nothing may keep it."""
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "explain": explain,
            "shown": shown,
            "opts": self.opts,
            "back": page_of(row.pk),
        }
        answer = TemplateResponse(request, "admin/parts/shown_once.html", context)
        answer["Cache-Control"] = "no-store"
        return answer
