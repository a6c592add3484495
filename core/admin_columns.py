"""Columns of the staff's pages, and the timeline of an object."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.contrib.admin import site
from django.contrib.admin.utils import quote
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.fields import PublicIdField
from core.money import Money
from core.states import Machine

Column = Callable[[Any], Any]
Tones = Mapping[str, str]


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
    return column(field, lambda row: _in_one_line(str(Money(getattr(row, field), _currency(row)))), title=title)


def _in_one_line(text: str) -> SafeString:
    return format_html('<span style="white-space: nowrap">{}</span>', text)


def _currency(row: Any) -> str:
    return str(row.currency if hasattr(row, "currency") else row.payment.currency)


def moment_column(field: str, *, title: str = "") -> Column:
    title = title or field.removesuffix("_at").replace("_", " ")
    return column(field, lambda row: _in_one_line(moment(getattr(row, field))), title=title)


def moment(at: datetime | None) -> str:
    """To the second, in UTC."""
    return at.strftime("%Y-%m-%d %H:%M:%S") if at else "-"


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


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> SafeString:
    """Rows that belong to an object, drawn."""
    return render_to_string(
        "admin/parts/table.html", {"table": {"headers": headers, "rows": [list(row) for row in rows]}}
    )


def timeline(moments: Iterable[Moment]) -> SafeString:
    """All of them by time, drawn."""
    ordered = sorted(moments, key=lambda moment: (moment.at, moment.id))
    return render_to_string("admin/parts/timeline.html", {"moments": ordered})
