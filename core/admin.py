"""The staff's pages: rows that are only looked at, found by exact words, newest first.

A page knows no table of ours; each domain composes its pages in its own `admin.py`, from this and from
`core/admin_columns.py`. Nothing is changed by a model form: what staff may do is an action of its own
(`core/admin_actions.py`), behind a permission with a name.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from django import forms
from django.contrib.admin.checks import ModelAdminChecks
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin

from core.admin_columns import page_of


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # generic only in the stubs
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


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Rows that nobody changes by form: newest first, few at a time, found by exact words through indexes."""

    ordering = ("-pk",)
    actions = None
    list_per_page = 25
    show_full_result_count = False
    paginator = CappedPaginator
    search_fields = ("pk",)
    search_help_text = "an id, exactly"
    change_form_outer_after_template = "admin/parts/sections.html"
    # Unfold's own look for an action's permission in the database, which `migrate` is yet to make.
    checks_class = ModelAdminChecks

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields or ()

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

    def sections(self, row: Any) -> Iterable[tuple[str, Any]]:
        """What stands below a row's own fields: titles, and what is drawn under each."""
        return ()

    def render_change_form(self, request: HttpRequest, context: Any, *arguments: Any, **options: Any) -> HttpResponse:
        context["sections"] = list(self.sections(context["original"])) if context.get("original") else []
        answer: HttpResponse = super().render_change_form(request, context, *arguments, **options)
        return answer

    def ask(
        self, request: HttpRequest, form: forms.Form, *, title: str, explain: str, row: Any = None, reads: bool = False
    ) -> HttpResponse:
        """A page with a form of ours; one that only `reads` puts what it is given into the address."""
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "explain": explain,
            "form": form,
            "sent_by": "get" if reads else "post",
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


class FormAdmin(ReadOnlyAdmin):
    """Rows that a service makes from a form of ours, by those who may add them."""

    add_form: type[forms.Form]
    add_explain = ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(f"{self.opts.app_label}.add_{self.opts.model_name}"))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self.get_add_form(request)
        if request.method == "POST" and form.is_valid():
            return self.add(request, form)
        return self.ask(request, form, title=f"Add {self.opts.verbose_name}", explain=self.add_explain)

    def get_add_form(self, request: HttpRequest) -> forms.Form:
        return self.add_form(request.POST or None)

    def add(self, request: HttpRequest, form: forms.Form) -> HttpResponse:
        """Call the service, and answer."""
        raise NotImplementedError
