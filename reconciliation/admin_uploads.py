"""Staff's pages of uploaded statements: a file, how its columns are read, how far that is, and what was unreadable."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin import FormAdmin
from core.admin_actions import reasoned_action, record, refuse, staff
from core.admin_columns import MODE, badge, column, link, moment, moment_column, page_of, table, timeline
from core.errors import Conflict
from core.exports import csv_response
from events.timeline import moments
from reconciliation import runs, uploads
from reconciliation.files import Broken, Row
from reconciliation.filing import find_header
from reconciliation.mapping import Reading, Unreadable, as_text
from reconciliation.models import Run, UnreadableLine, Upload
from reconciliation.presentation import told_counts
from reconciliation.upload_forms import CALLED, MappingForm, UploadForm, initial

_LISTED = 50
_REFRESH_SECONDS = "5"
_MAP = "reconciliation.map_upload"
_ROWS_LOOKED_AT = 60


def _run(upload: Upload) -> Run | None:
    return Run.objects.filter(pk=upload.run).first() if upload.run else None


def _came_to(upload: Upload) -> SafeString:
    """One word for how far it is."""
    run = _run(upload)
    if run is None:
        return badge("needs a mapping", "warning")
    if run.phase != Run.Phase.FINISHED:
        return badge(run.phase, "info")
    if run.problem and not run.counts:
        return badge("refused", "danger")
    return badge("cut", "danger") if upload.is_cut else badge("read", "success")


def _share(upload: Upload, run: Run) -> int:
    """In percent, as far as it can be told."""
    if run.phase != Run.Phase.READING:
        return 100
    done = int(run.cursor or 0)
    return min(99, 100 * done // upload.about_lines) if upload.about_lines else 0


@admin.register(Upload)
class UploadAdmin(FormAdmin):
    list_display = (
        "id",
        "name",
        column("account", lambda row: link(row.account_id, str(row.account))),
        "purpose",
        column("came_to", _came_to, title="came to"),
        "unreadable",
        MODE,
        "by",
        moment_column("created_at", title="uploaded"),
    )
    list_select_related = ("account", "merchant")
    list_filter = ("purpose", "is_cut", "livemode")
    search_help_text = "exactly: an id, an account, or a run"
    fields = (
        "id",
        ("name", "purpose"),
        (column("account", lambda row: link(row.account_id, str(row.account))), MODE),
        (column("merchant", lambda row: link(row.merchant_id, row.merchant.name)), "by"),
        (column("came_to", _came_to, title="came to"), column("run", lambda row: link(row.run) if row.run else "-")),
        (column("size", lambda row: f"{row.size:,} bytes"), "format", "encoding"),
        ("covers_from", "covers_until"),
        column("fault", lambda row: row.fault or "-"),
        (moment_column("created_at", title="uploaded"), moment_column("forgotten_at", title="contents forgotten")),
        "digest",
    )
    actions_detail = ("read_again",)
    add_form = UploadForm
    add_explain = (
        "The file is read in the background and compared with the books. Nothing is booked by a file alone: what is "
        "missing here becomes a case that the provider's own list, or two people, confirm. The same file twice changes "
        "nothing. The provider's report and the bank's statement are for two people to upload: a settlement that one "
        "person's files alone tell of waits until two have allowed it."
    )

    def find(self, term: str) -> Iterable[str]:
        by = "run" if term.startswith("run_") else "account"
        return [term, *Upload.objects.filter(**{by: term}).order_by("-pk").values_list("pk", flat=True)[:1000]]

    def get_urls(self) -> list[URLPattern]:
        pages = {"mapping": self._mapping, "unreadable": self._unreadable}
        mine = [
            path(
                f"<path:object_id>/{name}/",
                self.admin_site.admin_view(partial(self._open, view)),
                name=f"reconciliation_upload_{name}",
            )
            for name, view in pages.items()
        ]
        return [*mine, *super().get_urls()]

    def _open(self, view: Any, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        upload = Upload.objects.select_related("account", "merchant").filter(pk=object_id).first()
        if upload is None:
            raise Http404(object_id)
        answer: HttpResponse = view(request, upload)
        return answer

    # Uploading

    def get_add_form(self, request: HttpRequest) -> UploadForm:
        return UploadForm(request.POST or None, request.FILES or None, refused=getattr(request, "refused_file", ""))

    def add(self, request: HttpRequest, form: Any) -> HttpResponse:
        told = form.cleaned_data
        try:
            upload, is_new = uploads.keep(
                told["account"], told["file"], purpose=told["purpose"], covered=form.covered, by=staff(request)
            )
        except ValueError as fault:
            refuse(form, fault)
            return self.ask(request, form, title=f"Add {self.opts.verbose_name}", explain=self.add_explain)
        if not is_new:
            messages.warning(request, f"It was uploaded before, at {moment(upload.created_at)}. Nothing changed.")
            return HttpResponseRedirect(page_of(upload.pk))
        if uploads.mapping_of(upload) is None:
            return HttpResponseRedirect(_page(upload, "mapping"))
        runs.begin_file(upload, by=staff(request))
        messages.success(request, "It is being read as the account's mapping says.")
        return HttpResponseRedirect(page_of(upload.pk))

    # One upload

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Shown anew every few seconds while the file is being read."""
        answer: HttpResponse = super().change_view(request, object_id, form_url, extra_context)
        if request.method == "GET" and Run.objects.filter(upload=unquote(object_id), finished_at=None).exists():
            answer["Refresh"] = _REFRESH_SECONDS
        return answer

    def sections(self, row: Upload) -> Iterable[tuple[str, Any]]:
        run = _run(row)
        yield "How it is read", self._progress(row, run)
        if row.unreadable:
            yield f"Lines that could not be read: {row.unreadable:,}", self._told_unreadable(row)
        yield "History", timeline(moments([row.pk]))

    def _progress(self, row: Upload, run: Run | None) -> SafeString:
        return render_to_string(
            "admin/reconciliation/progress.html",
            {
                "upload": row,
                "run": run,
                "run_url": page_of(run.pk) if run else "",
                "share": _share(row, run) if run else 0,
                "found": told_counts(run) if run and run.counts else "",
                "is_open": bool(run and run.phase != Run.Phase.FINISHED),
                "mapping_url": "" if row.forgotten_at else _page(row, "mapping"),
            },
        )

    def _told_unreadable(self, row: Upload) -> SafeString:
        lines = row.unreadable_lines.order_by("number").values_list("number", "reason")[:_LISTED]
        return format_html(
            '{}<p class="mt-10"><a class="text-link" href="{}">All of them as CSV</a></p>',
            table(("line", "why"), lines),
            _page(row, "unreadable"),
        )

    @reasoned_action(
        title="Read again",
        permission=_MAP,
        explain="The file is read once more, as the account's mapping says now. Nothing is counted twice.",
        icon="refresh",
        applies=lambda row: row.forgotten_at is None and bool(row.run),
    )
    def read_again(self, request: HttpRequest, upload: Upload, form: Any) -> str:
        begun = runs.begin_file(upload, by=staff(request))
        return f"Begun: {begun.pk}." if begun else "It is being read."

    def _unreadable(self, request: HttpRequest, upload: Upload) -> HttpResponse:
        lines = UnreadableLine.objects.filter(upload=upload).order_by("number").values_list("number", "reason")
        download: Any = csv_response(f"{upload.pk}-unreadable.csv", headers=("line", "why"), rows=lines.iterator())
        return download  # type: ignore[no-any-return]

    # How its columns are read

    def _mapping(self, request: HttpRequest, upload: Upload) -> HttpResponse:
        """The form beside the first rows: `show` reads them without keeping anything, `save` begins to read it all."""
        if not request.user.has_perm(_MAP):
            record(request, upload, action="mapping", refused="permission")
            raise PermissionDenied
        if upload.forgotten_at is not None:
            messages.error(request, "The contents of this file were forgotten. Upload it again.")
            return HttpResponseRedirect(page_of(upload.pk))
        form, reading = _asked(request, upload)
        if reading is not None and "save" in request.POST and self._saved(request, upload, form, reading):
            return HttpResponseRedirect(page_of(upload.pk))
        rows = _looked_at(upload, reading) if upload.by == staff(request) else []
        context = {
            **self.admin_site.each_context(request),
            "title": "How its columns are read",
            "form": form,
            "upload": upload,
            "back": page_of(upload.pk),
            "opts": self.opts,
            "columns": _columns(rows),
            "first": _drawn(rows[:11]) if rows else "",
            "told": _preview(rows, reading) if reading and rows else None,
        }
        return TemplateResponse(request, "admin/reconciliation/mapping.html", context)

    def _saved(self, request: HttpRequest, upload: Upload, form: MappingForm, reading: Reading) -> bool:
        try:
            uploads.save_mapping(upload, reading, by=staff(request))
            runs.begin_file(upload, by=staff(request))
        except ValueError as fault:
            refuse(form, fault)
            return False
        except Conflict as refusal:
            form.add_error(None, refusal.detail)
            return False
        messages.success(request, "Kept for all files of this account and purpose. It is being read.")
        return True


def _asked(request: HttpRequest, upload: Upload) -> tuple[MappingForm, Reading | None]:
    """The form as it was sent, or with what is kept, and the mapping that it makes, if it makes one."""
    kept = uploads.mapping_of(upload)
    known = Reading.of(kept.reading) if kept else None
    if request.method != "POST":
        return MappingForm(initial=initial(known or Reading())), known
    form = MappingForm(request.POST)
    if not form.is_valid():
        return form, None
    try:
        return form, form.reading()
    except ValueError as fault:
        refuse(form, fault)
        return form, None


def _looked_at(upload: Upload, reading: Reading | None) -> list[Row]:
    """The first rows, for whoever has uploaded them alone: they may name payers."""
    return uploads.first_rows(upload, delimiter=reading.delimiter if reading else "", most=_ROWS_LOOKED_AT)


def _page(upload: Upload, name: str) -> str:
    return reverse(f"admin:reconciliation_upload_{name}", args=[upload.pk])


def _columns(rows: Sequence[Row]) -> list[str]:
    """What may be names of columns: the cells of the row that has most of them."""
    widest = max((cells for _, cells in rows), key=lambda cells: sum(bool(as_text(cell)) for cell in cells), default=())
    return sorted({as_text(cell) for cell in widest} - {""})


def _drawn(rows: Sequence[Row]) -> SafeString:
    width = max((len(cells) for _, cells in rows), default=0)
    texts = [[number, *(as_text(cell)[:60] for cell in cells)] for number, cells in rows]
    return table(("line", *(str(place) for place in range(1, width + 1))), texts)


def _preview(rows: Sequence[Row], reading: Reading) -> SafeString | str:
    """How the first ten lines below the header would be read."""
    waiting = iter(rows)
    try:
        places = find_header(waiting, reading)
    except Broken as fault:
        return str(fault)
    drawn = [[number, *_read(reading, cells, places, number)] for number, cells in list(waiting)[:10]]
    return table(("line", "kind", "number", "amount", "fee", "reference", "settlement", "state", "time"), drawn)


def _read(reading: Reading, cells: Any, places: Any, number: int) -> list[Any]:
    try:
        told = reading.line(cells, places, number)
    except Unreadable as fault:
        return [badge("unreadable", "danger"), str(fault), *[""] * 6]
    if told is None:
        return [badge("ignored"), *[""] * 7]
    line = told.line
    return [
        badge(CALLED.get(told.kind, told.kind)), line.provider_money_id or "-", str(line.money), str(line.fee or "-"),
        line.reference or "-", told.settlement or "-", badge(line.word), moment(line.at),
    ]  # fmt: skip
