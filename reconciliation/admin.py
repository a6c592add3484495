"""Staff's pages of what providers list: the runs, and the cases where both sides disagree."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from core.admin import ReadOnlyAdmin
from core.admin_actions import reasoned_action, staff
from core.admin_columns import MODE, column, link, link_column, moment_column, timeline
from core.money import Money
from events.timeline import moments
from reconciliation import runs
from reconciliation.models import Discrepancy, Run

_MERCHANT = column("merchant", lambda row: link(row.merchant_id, row.merchant.name))
_ACCOUNT = column("account", lambda row: link(row.account_id, str(row.account)))


def _totals(run: Run) -> str:
    """`listed KES 500.00, booked KES 250.00, repaired KES 250.00` for each currency."""
    told = [
        ", ".join(f"{side} {Money(amount, currency)}" for side, amount in sorted(sides.items()))
        for currency, sides in sorted(run.totals.items())
    ]
    return "; ".join(told) or "-"


def _counts(run: Run) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in run.counts.items() if count) or "-"


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        _ACCOUNT,
        "occasion",
        "phase",
        column("found", _counts),
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
        (column("found", _counts), "repaired", "pages", "lines"),
        (column("totals", _totals), column("lines that could not be read", lambda row: len(row.unreadable))),
        (moment_column("started_at"), moment_column("finished_at"), "by"),
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
        applies=lambda row: row.phase == Run.Phase.FINISHED,
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
        moment_column("found_at"),
    )
    list_select_related = ("account", "merchant")
    list_filter = ("outcome", "kind", "livemode")
    search_help_text = "exactly: an id, the provider's number of the money, an account, or a run"
    fields = (
        ("id", "kind", "outcome"),
        (column("listed", lambda row: str(row.listed or "-")), column("booked", lambda row: str(row.booked or "-"))),
        ("direction", "listed_fee", "booked_fee"),
        ("key", "reference", "receipt"),
        (column("payer", lambda row: row.payer_hint or "-"), "provider_status", moment_column("listed_at")),
        (_ACCOUNT, _MERCHANT, MODE),
        (link_column("run_id"), column("booked as", lambda row: link(row.booked_as) if row.booked_as else "-")),
        (moment_column("found_at"), moment_column("closed_at")),
    )

    def find(self, term: str) -> list[str]:
        by = {"acct": "account", "run": "run"}.get(term.partition("_")[0], "key")
        named = Discrepancy.objects.filter(**{by: term}).order_by("-pk").values_list("pk", flat=True)[:1000]
        return [term, *named]

    def sections(self, row: Discrepancy) -> Any:
        yield "History", timeline(moments([row.pk, *([row.booked_as] if row.booked_as else [])]))
