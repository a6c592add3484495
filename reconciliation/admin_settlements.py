"""Staff's pages of settlements: our books, the provider's report and the bank's statement, side by side."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from core.admin import ReadOnlyAdmin
from core.admin_actions import ReasonForm, reasoned_action, staff
from core.admin_columns import MODE, badge, column, link, moment, moment_column, table, timeline
from core.money import Money
from events.timeline import moments
from reconciliation import settling_cases
from reconciliation.models import BankLine, Discrepancy, Settlement, SettlementLine

_LISTED = 50


def _money(row: Settlement, amount: int | None) -> str:
    return str(row.money(amount) or "-")


def _stands(row: Settlement) -> SafeString:
    if row.settled_at is not None:
        return badge("settled, not even", "warning") if row.left_over else badge("settled", "success")
    if row.bank_amount is None:
        return badge("not at the bank", "warning" if row.bank_missed else "info")
    return badge("agrees, on one person's word", "warning") if row.agrees else badge("differs", "danger")


def _left_over(row: Settlement) -> str:
    return ", ".join(str(Money(amount, currency)) for currency, amount in sorted(row.left_over.items())) or "-"


STANDS = column("stands", _stands)
_ONE_WORD = format_html(
    "<p>{}</p>",
    "All three sides agree, but one person has uploaded files of both the provider's report and the bank's statement. "
    "Look at both at their source; then Ask to settle, and somebody else allows it.",
)


class MatchForm(ReasonForm):
    field_order = ("line", "reason")
    line = forms.IntegerField(
        min_value=1,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="The number of the bank's line, as it is listed under Lines of the bank that may be this.",
    )


@admin.register(Settlement)
class SettlementAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "number",
        column("account", lambda row: link(row.account_id, str(row.account))),
        STANDS,
        column("books", lambda row: _money(row, row.booked_net)),
        column("report", lambda row: _money(row, row.listed_net)),
        column("bank", lambda row: _money(row, row.bank_amount)),
        MODE,
        moment_column("paid_at"),
    )
    list_select_related = ("account", "merchant")
    list_filter = (("settled_at", admin.EmptyFieldListFilter), "bank_missed", "currency", "livemode")
    search_help_text = "exactly: an id, the provider's number of a settlement or of a line of one, or an account"
    fields = (
        "id",
        ("number", STANDS),
        (column("account", lambda row: link(row.account_id, str(row.account))), MODE),
        (column("merchant", lambda row: link(row.merchant_id, row.merchant.name)), moment_column("paid_at")),
        (column("settled", lambda row: _money(row, row.settled_amount)), moment_column("settled_at", title="at")),
        (
            column("settled by", lambda row: row.settled_by or "-"),
            column("asked by", lambda row: row.proposed_by or "-"),
        ),
        column("stays on the clearing account", _left_over),
    )
    actions_detail = ("ask_to_match", "ask_to_settle")

    def find(self, term: str) -> Iterable[str]:
        by = {"account": term} if term.startswith("acct_") else {"number": term}
        named = Settlement.objects.filter(**by).order_by("-pk").values_list("pk", flat=True)[:1000]
        lines = SettlementLine.objects.filter(provider_money_id=term).values_list("settlement", flat=True)[:1000]
        return [term, *named, *lines]

    def sections(self, row: Settlement) -> Iterable[tuple[str, Any]]:
        yield "Side by side", _side_by_side(row)
        if row.settled_at is None and row.agrees:
            yield "Why it waits", _ONE_WORD
        if found := list(BankLine.objects.filter(settlement=row).order_by("pk")[:_LISTED]):
            yield "At the bank", _bank(found)
        if row.settled_at is None and (found := list(settling_cases.suggested(row)[:_LISTED])):
            yield "Lines of the bank that may be this", _bank(found)
        yield "Its lines at the provider", _lines(row)
        if cases := list(Discrepancy.objects.filter(account=row.account_id, key=row.pk)):
            told = [[link(case.pk), case.get_kind_display(), badge(case.outcome)] for case in cases]
            yield "Discrepancies", table(("case", "what differs", "outcome"), told)
        yield "History", timeline(moments([row.pk]))

    @reasoned_action(
        title="Ask to match",
        permission=settling_cases.PERMISSION,
        explain="A line of the bank that does not name this settlement is called its money. Where all three sides "
        "agree then, it is settled. Somebody else has to allow it, under Approvals.",
        icon="join_inner",
        applies=lambda row: row.settled_at is None and settling_cases.suggested(row).exists(),
        form=lambda row, data: MatchForm(data),
    )
    def ask_to_match(self, request: HttpRequest, row: Settlement, form: Any) -> str:
        told = form.cleaned_data
        settling_cases.ask_to_match(row, told["line"], by=staff(request), because=told["reason"])
        return "Asked for. Somebody else has to allow it."

    @reasoned_action(
        title="Ask to settle",
        permission=settling_cases.PERMISSION,
        explain="It is settled with what has come at the bank, though the sides differ. What differs stays on the "
        "provider's clearing account and is named on the attention list. Somebody else has to allow it, under "
        "Approvals. It cannot be taken back.",
        icon="how_to_reg",
        applies=settling_cases.is_settleable,
    )
    def ask_to_settle(self, request: HttpRequest, row: Settlement, form: Any) -> str:
        settling_cases.ask_to_settle(row, by=staff(request), because=form.cleaned_data["reason"])
        return "Asked for. Somebody else has to allow it."


def _side_by_side(row: Settlement) -> SafeString:
    """What differs from our books is marked."""

    def shown(amount: int | None, ours: int | None = None) -> SafeString | str:
        told = _money(row, amount)
        return badge(told, "danger") if amount is not None and ours is not None and amount != ours else told

    return table(
        ("", "our books", "the provider's report", "the bank's statement"),
        [
            ["payments", shown(row.booked_gross), shown(row.listed_gross, row.booked_gross), ""],
            ["went back", shown(-row.booked_refunds), shown(-row.listed_refunds, -row.booked_refunds), ""],
            ["fees", shown(-row.booked_fees), shown(-row.listed_fees, -row.booked_fees), ""],
            ["net of its lines", shown(row.booked_net), shown(row.listed_net, row.booked_net), ""],
            ["paid out", "", shown(row.paid_out, row.booked_net), shown(row.bank_amount, row.booked_net)],
            ["lines", row.lines - row.unbooked, row.lines, BankLine.objects.filter(settlement=row).count()],
        ],
    )


def _bank(lines: Iterable[BankLine]) -> SafeString:
    rows = [
        [line.pk, str(Money(line.amount, line.currency)), line.reference or "-", moment(line.at), link(line.upload)]
        for line in lines
    ]
    return table(("line", "amount", "description", "at", "file"), rows)


def _lines(row: Settlement) -> SafeString:
    lines = SettlementLine.objects.filter(settlement=row).order_by("pk")
    rows = [
        [line.provider_money_id, line.kind, str(Money(line.amount, row.currency)), str(Money(line.fee, row.currency))]
        for line in lines[:_LISTED]
    ]
    count = lines.count()
    if count <= _LISTED:
        return table(("number", "kind", "amount", "fee"), rows)
    more = f"The first {_LISTED} of {count:,}."
    return format_html('{}<p class="mt-10 text-subtle">{}</p>', table(("number", "kind", "amount", "fee"), rows), more)
