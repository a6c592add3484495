"""Staff's pages of the books: accounts with their statements, transfers with their entries, the trial balance."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from core.admin import ReadOnlyAdmin
from core.admin_columns import MODE, badge, column, link, link_column, moment_column, money_column, table
from core.money import Money
from ledger import admin_statement, admin_trial_balance
from ledger.chart import CHART, Kind
from ledger.facts import POSTINGS, Fact, Phase
from ledger.history import TONES
from ledger.models import Account, Entry, Transfer

FOUND_AT_MOST = 1000


class CurrencyFilter(admin.SimpleListFilter):
    """The currencies that there are accounts in; their number is that of the chart's owners, not of entries."""

    title = parameter_name = "currency"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        used = Account.objects.order_by("currency").values_list("currency", flat=True).distinct()
        return [(currency, currency) for currency in used]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(currency=self.value()) if self.value() else queryset


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = (
        "kind",
        link_column("owner"),
        "currency",
        MODE,
        money_column("balance"),
        money_column("reserved_now", title="reserved"),
        money_column("available"),
    )
    list_filter = ("kind", CurrencyFilter, "livemode")
    search_help_text = "the id of an account or of its owner, exactly"
    fields = (
        ("id", link_column("owner")),
        ("kind", "currency", MODE),
        column("meaning", lambda account: CHART[Kind(account.kind)].meaning),
        (money_column("balance"), money_column("reserved_now", title="reserved"), money_column("available")),
        moment_column("created_at"),
    )
    change_form_outer_after_template = "admin/ledger/statement.html"
    custom_urls = (
        ("trial-balance/", admin_trial_balance.PAGE, admin_trial_balance.show),
        ("<str:object_id>/statement.<str:form>", admin_statement.EXPORT_PAGE, admin_statement.export),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).with_balance()

    def find(self, term: str) -> list[str]:
        return [term, *Account.objects.filter(owner=term).values_list("pk", flat=True)[:FOUND_AT_MOST]]

    def render_change_form(self, request: HttpRequest, context: Any, *arguments: Any, **options: Any) -> HttpResponse:
        if account := context.get("original"):
            context["statement"] = admin_statement.page(account, before=request.GET.get("before", ""))
        return super().render_change_form(request, context, *arguments, **options)


class FactFilter(admin.SimpleListFilter):
    title = parameter_name = "fact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(fact.value, fact.value.replace("_", " ")) for fact in Fact]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(fact=self.value()) if self.value() else queryset


def _resolved_by(transfer: Transfer) -> SafeString | str:
    end = transfer.resolved_by.first()
    if end is None:
        return badge("still open", "warning") if transfer.phase == Phase.PENDING else "-"
    return link(end.pk, f"{end.pk}, {end.phase}")


FACT = column("fact", lambda transfer: transfer.fact.replace("_", " "))
PHASE = column("phase", lambda transfer: badge(transfer.phase, TONES[Phase(transfer.phase)]))


@admin.register(Transfer)
class TransferAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        FACT,
        PHASE,
        moment_column("at"),
        link_column("cause"),
        link_column("merchant"),
        MODE,
    )
    list_filter = (FactFilter, "phase", "livemode")
    search_help_text = "exactly: the id of a transfer, of one of its entries or of what caused it, or a reference"
    fields = (
        ("id", moment_column("at")),
        (FACT, PHASE, MODE),
        column("meaning", lambda transfer: POSTINGS[Fact(transfer.fact)].meaning),
        (link_column("cause"), link_column("merchant")),
        "reference",
        (column("resolves", lambda transfer: link(transfer.resolves_id or "-")), column("resolved_by", _resolved_by)),
    )

    def find(self, term: str) -> list[str]:
        if term.startswith("ent_"):
            return list(Entry.objects.filter(pk=term).values_list("transfer_id", flat=True))
        referred = Transfer.objects.filter(reference=term).values_list("pk", flat=True)
        caused = Transfer.objects.filter(cause=term).order_by("-pk").values_list("pk", flat=True)
        return [term, *referred, *caused[:FOUND_AT_MOST]]

    def sections(self, row: Transfer) -> Iterable[tuple[str, Any]]:
        yield "Entries", _entries(row)


def _entries(transfer: Transfer) -> SafeString:
    rows = transfer.entries.select_related("account").order_by("pk")
    return table(("entry", "account", "debit", "credit"), [_entry(entry) for entry in rows])


def _entry(entry: Entry) -> tuple[Any, ...]:
    account = entry.account
    money = str(Money(abs(entry.amount), account.currency))
    debit, credit = (money, "") if entry.amount > 0 else ("", money)
    return entry.pk, link(account.pk, str(account)), debit, credit
