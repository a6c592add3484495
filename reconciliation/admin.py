"""Staff's pages of what providers list: the runs, and the cases where both sides disagree."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget

from core import clock
from core.admin import ReadOnlyAdmin
from core.admin_actions import ReasonForm, reasoned_action, staff
from core.admin_columns import MODE, column, link, link_column, moment, moment_column, table, timeline
from core.money import Money
from events.timeline import moments
from reconciliation import cases, runs
from reconciliation.admin_settlements import SettlementAdmin as SettlementAdmin
from reconciliation.admin_uploads import UploadAdmin as UploadAdmin
from reconciliation.models import Discrepancy, Run
from reconciliation.presentation import told_counts, unreadable

_MERCHANT = column("merchant", lambda row: link(row.merchant_id, row.merchant.name))
_ACCOUNT = column("account", lambda row: link(row.account_id, str(row.account)))


def _totals(run: Run) -> str:
    """`listed KES 500.00, booked KES 250.00, repaired KES 250.00` for each currency."""
    told = [
        ", ".join(f"{side} {Money(amount, currency)}" for side, amount in sorted(sides.items()))
        for currency, sides in sorted(run.totals.items())
    ]
    return "; ".join(told) or "-"


def _age(case: Discrepancy) -> str:
    """In whole hours, until it was closed."""
    hours = int(((case.closed_at or clock.now()) - case.found_at).total_seconds() // 3600)
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h"


class MatchForm(ReasonForm):
    field_order = ("unallocated", "reason")
    unallocated = forms.CharField(
        max_length=32,
        widget=UnfoldAdminTextInputWidget(),
        help_text="The id of the unallocated receipt that is this money.",
    )


def _is_open(case: Discrepancy) -> bool:
    return case.closed_at is None


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        _ACCOUNT,
        "occasion",
        "phase",
        column("found", told_counts),
        "repaired",
        column("took", lambda row: str(row.took or "-").partition(".")[0]),
        MODE,
        moment_column("created_at"),
    )
    list_select_related = ("account", "merchant")
    list_filter = ("phase", "occasion", "livemode")
    search_help_text = "exactly: an id, or an account"
    fields = (
        ("id", "occasion", "phase"),
        (_ACCOUNT, _MERCHANT, MODE),
        (moment_column("since"), moment_column("until")),
        (column("found", told_counts), "repaired", "pages", "lines"),
        (column("totals", _totals), column("lines that could not be read", unreadable)),
        (moment_column("started_at"), moment_column("finished_at"), "by"),
        column("file", lambda row: link(row.upload_id) if row.upload_id else "-"),
        "problem",
    )
    actions_detail = ("begin_another",)

    def find(self, term: str) -> list[str]:
        named = Run.objects.filter(account=term).order_by("-pk").values_list("pk", flat=True)[:1000]
        return [term, *named]

    @reasoned_action(
        title="Run now",
        permission="reconciliation.begin_run",
        explain="The account's statement is read as far back as its provider lists, and compared with our books. What "
        "is certain is repaired. Nothing is booked twice.",
        icon="published_with_changes",
        applies=lambda row: row.phase == Run.Phase.FINISHED and row.upload_id is None,
    )
    def begin_another(self, request: HttpRequest, run: Run, form: Any) -> str:
        begun = runs.begin(run.account, occasion=Run.Occasion.PERSON, by=staff(request))
        return f"Begun: {begun.pk}." if begun else "A run that a person has asked for is under way."


@admin.register(Discrepancy)
class DiscrepancyAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "kind",
        "outcome",
        column("listed", lambda row: str(row.listed or "-")),
        column("booked", lambda row: str(row.booked or "-")),
        "key",
        _ACCOUNT,
        MODE,
        column("age", _age),
        column("owner", lambda row: row.owner or "-"),
    )
    list_select_related = ("account", "merchant")
    list_filter = ("outcome", "kind", "livemode")
    search_help_text = "exactly: an id, the provider's number of the money, an account, or a run"
    fields = (
        "id",
        ("kind", "outcome"),
        (column("listed", lambda row: str(row.listed or "-")), column("booked", lambda row: str(row.booked or "-"))),
        ("direction", "listed_fee", "booked_fee"),
        column("told by", lambda row: "the provider's own list" if row.confirmed else "an uploaded file alone"),
        (column("key", lambda row: link(row.key)), "reference", "receipt"),
        ("gives_back", "payment_id"),
        (column("payer", lambda row: row.payer_hint or "-"), "provider_status", moment_column("listed_at")),
        (_ACCOUNT, _MERCHANT, MODE),
        (link_column("run_id"), column("booked as", lambda row: link(row.booked_as) if row.booked_as else "-")),
        (moment_column("found_at"), column("age", _age), column("owner", lambda row: row.owner or "-")),
        (moment_column("closed_at"), column("proposed by", lambda row: row.proposed_by or "-")),
        (column("closed by", lambda row: row.closed_by or "-"), link_column("proposed_match")),
    )

    def find(self, term: str) -> list[str]:
        by = {"acct": "account", "run": "run"}.get(term.partition("_")[0], "key")
        named = Discrepancy.objects.filter(**{by: term}).order_by("-pk").values_list("pk", flat=True)[:1000]
        return [term, *named]

    actions_detail = ("take", "note", "ask_to_book", "ask_to_match", "ask_to_close")

    def sections(self, row: Discrepancy) -> Any:
        if found := cases.suggested(row):
            rows = [
                [link(one.pk), one.reference or "-", one.payer_hint or "-", moment(one.created_at)] for one in found
            ]
            yield "Money that may be this", table(("unallocated receipt", "reference", "payer", "came at"), rows)
        yield "History", timeline(moments([row.pk, *([row.booked_as] if row.booked_as else [])]))

    @reasoned_action(
        title="Take",
        permission=cases.PERMISSION,
        explain="You look after it from now on.",
        icon="person_add",
        applies=_is_open,
    )
    def take(self, request: HttpRequest, case: Discrepancy, form: Any) -> str:
        cases.take(case, by=staff(request))
        return "Yours."

    @reasoned_action(
        title="Note",
        permission=cases.PERMISSION,
        explain="What you have found out. It stays in the case's history, and changes nothing.",
        icon="sticky_note_2",
    )
    def note(self, request: HttpRequest, case: Discrepancy, form: Any) -> str:
        return "Noted."

    @reasoned_action(
        title="Ask to match",
        permission=cases.PERMISSION,
        explain="The unallocated money becomes the payment's whose receipt has no number: they are one. Somebody else "
        "has to allow it, under Approvals. It cannot be taken back.",
        icon="join_inner",
        applies=lambda case: _is_open(case) and case.is_unnumbered,
        form=lambda row, data: MatchForm(data),
    )
    def ask_to_match(self, request: HttpRequest, case: Discrepancy, form: Any) -> str:
        told = form.cleaned_data
        cases.ask_to_match(case, told["unallocated"], by=staff(request), because=told["reason"])
        return "Asked for. Somebody else has to allow it."

    @reasoned_action(
        title="Ask to book",
        permission=cases.PERMISSION,
        explain="Only an uploaded file tells of this money. It is booked as the payment's that has its reference, "
        "where that was asked just this sum, or as unallocated. Look it up at the provider first. Somebody else "
        "has to allow it, under Approvals.",
        icon="library_add_check",
        applies=cases.is_bookable,
    )
    def ask_to_book(self, request: HttpRequest, case: Discrepancy, form: Any) -> str:
        cases.ask_to_book(case, by=staff(request), because=form.cleaned_data["reason"])
        return "Asked for. Somebody else has to allow it."

    @reasoned_action(
        title="Ask to close",
        permission=cases.PERMISSION,
        explain="It is closed as it is, and never opens again. Nothing is booked. Somebody else has to allow it, under "
        "Approvals.",
        icon="how_to_reg",
        applies=_is_open,
    )
    def ask_to_close(self, request: HttpRequest, case: Discrepancy, form: Any) -> str:
        cases.ask_to_close(case, by=staff(request), because=form.cleaned_data["reason"])
        return "Asked for. Somebody else has to allow it."
