"""Staff's pages of fee schedules: what a provider takes, written once and replaced by what is written later."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from core import clock
from core.admin import FormAdmin
from core.admin_actions import refuse, staff
from core.admin_columns import MODE, badge, column, link, moment, moment_column, page_of, table
from core.admin_fields import ById
from core.money import EXPONENTS, Money
from merchants import accounts, fees
from merchants.account_forms import Lines
from merchants.models import FeeSchedule, ProviderAccount

_AMOUNT = r"([0-9]{1,14}(?:\.[0-9]{1,4})?)"
_LINE = re.compile(rf"{_AMOUNT}\s*,\s*{_AMOUNT}\s*,\s*{_AMOUNT}\s*%?")
_EXAMPLES = (Decimal(10), Decimal(100), Decimal(1_000), Decimal(10_000), Decimal(100_000))
"""Amounts in major units for which a schedule's page tells the fee."""


class FeeScheduleForm(forms.Form):
    account = ById(ProviderAccount.objects.select_related("merchant").defer("credentials"))
    method = forms.ChoiceField(
        required=False,
        help_text="A schedule for one method goes before one for any.",
        widget=UnfoldAdminSelectWidget(),
    )
    currency = forms.ChoiceField(
        choices=[("", "---------"), *((code, code) for code in sorted(EXPONENTS))], widget=UnfoldAdminSelectWidget()
    )
    effective_from = forms.SplitDateTimeField(
        required=False,
        help_text="In UTC. Empty: from now on. What has been booked keeps the fee of its day.",
        widget=UnfoldAdminSplitDateTimeWidget(),
    )
    tax_percent = forms.DecimalField(
        min_value=0,
        max_value=100,
        max_digits=7,
        decimal_places=4,
        initial=Decimal(0),
        help_text="The tax on the fee.",
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    tiers = Lines(
        help_text="On each line `from amount, fixed, percent`: `0, 0.30, 2.9` takes 0.30 and 2.9 percent of every "
        "amount. Amounts are in major units; the first line is from 0, and each line holds up to the next.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8}),
    )
    note = forms.CharField(
        required=False, max_length=300, help_text="Where the fees are written.", widget=UnfoldAdminTextInputWidget()
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        methods = sorted({method for kind in accounts.everyone().values() for method in kind.methods})
        self.fields["method"].choices = [("", "any"), *((method, method) for method in methods)]  # type: ignore[attr-defined]

    def clean_tiers(self) -> list[fees.Tier]:
        """Asked after the currency, which says how fine an amount may be."""
        if "currency" not in self.cleaned_data:
            return []
        read, faults = [], []
        for number, line in enumerate(self.cleaned_data["tiers"], start=1):
            try:
                read.append(_tier(line, self.cleaned_data["currency"]))
            except ValueError as fault:
                faults.append(f"Line {number}, `{line}`: {fault}")
        if faults:
            raise forms.ValidationError(faults)
        return read


def _tier(line: str, currency: str) -> fees.Tier:
    """Raises ValueError that says what is wrong with the line."""
    written = _LINE.fullmatch(line)
    if written is None:
        raise ValueError("is not three numbers, `from amount, fixed, percent`")
    from_amount, fixed, percent = map(Decimal, written.groups())
    return fees.Tier(
        from_amount=Money.from_major(from_amount, currency).amount,
        fixed=Money.from_major(fixed, currency).amount,
        percent=percent,
    )


def _state(row: Any) -> SafeString:
    if row.is_replaced:
        return badge("replaced")
    return badge("later", "info") if row.effective_from > clock.now() else badge("in force", "success")


def _with_state(rows: "QuerySet[FeeSchedule]") -> Any:
    """Each with `is_replaced`: whether a later schedule has come into force."""
    later = FeeSchedule.objects.filter(
        account=OuterRef("account"),
        method=OuterRef("method"),
        currency=OuterRef("currency"),
        effective_from__gt=OuterRef("effective_from"),
        effective_from__lte=clock.now(),
    )
    return rows.annotate(is_replaced=Exists(later))


METHOD = column("method", lambda row: row.method or "any", ordering="method")
STATE = column("state", _state)
TAX = column("tax", lambda row: f"{_percent(row.tax_percent)} of the fee")
MERCHANT = column("merchant", lambda row: link(row.account.merchant_id, row.account.merchant.name))


@admin.register(FeeSchedule)
class FeeScheduleAdmin(FormAdmin):
    list_display = (
        column("account", lambda row: str(row.account)),
        MERCHANT,
        column("mode", lambda row: MODE(row.account)),
        METHOD,
        "currency",
        moment_column("effective_from"),
        STATE,
        TAX,
    )
    list_select_related = ("account__merchant",)
    list_filter = ("account__livemode", "currency")
    search_help_text = "the id of a schedule, of an account or of a merchant, exactly"
    fields = (
        "id",
        column("account", lambda row: link(row.account_id, str(row.account))),
        MERCHANT,
        column("mode", lambda row: MODE(row.account)),
        METHOD,
        "currency",
        moment_column("effective_from"),
        STATE,
        TAX,
        "note",
        "created_by",
        moment_column("created_at"),
    )
    add_form = FeeScheduleForm
    add_explain = "A schedule cannot be changed or taken back: another one, from a later moment on, replaces it."

    def get_queryset(self, request: HttpRequest) -> Any:
        return _with_state(super().get_queryset(request)).defer("account__credentials")

    def find(self, term: str) -> list[str]:
        named = {"account__merchant": term} if term.startswith("mer_") else {"account": term}
        return [term, *FeeSchedule.objects.filter(**named).values_list("pk", flat=True)[:1000]]

    def add(self, request: HttpRequest, form: forms.Form) -> HttpResponse:
        given = form.cleaned_data
        from_when = given.pop("effective_from") or clock.now()
        try:
            schedule = fees.write_schedule(**given, effective_from=from_when, by=staff(request))
        except ValueError as fault:
            refuse(form, fault)
            return self.ask(request, form, title=f"Add {self.opts.verbose_name}", explain=self.add_explain)
        return HttpResponseRedirect(page_of(schedule.pk))

    def sections(self, row: FeeSchedule) -> Iterable[tuple[str, Any]]:
        tiers = fees.tiers_of(row)
        yield "Tiers", _tiers(tiers, row.currency)
        yield "For example", _examples(tiers, row)


def schedules_of(account: ProviderAccount) -> SafeString:
    """Those of an account, the latest first, drawn."""
    rows = _with_state(account.fee_schedules.order_by("method", "currency", "-effective_from"))
    return table(
        ["schedule", "in force from", "state", "tax"],
        [[link(row.pk, str(row)), moment(row.effective_from), _state(row), TAX(row)] for row in rows],
    )


def _tiers(tiers: Iterable[fees.Tier], currency: str) -> SafeString:
    rows = [
        [str(Money(tier.from_amount, currency)), str(Money(tier.fixed, currency)), _percent(tier.percent)]
        for tier in tiers
    ]
    return table(["from", "fixed", "of the amount"], rows)


def _examples(tiers: list[fees.Tier], schedule: FeeSchedule) -> SafeString:
    amounts = [Money.from_major(amount, schedule.currency) for amount in _EXAMPLES]
    taken = [(amount, fees.fee_of(amount, tiers=tiers, tax_percent=schedule.tax_percent)) for amount in amounts]
    return table(["amount", "fee with its tax", "left"], [[str(of), str(fee), str(of - fee)] for of, fee in taken])


def _percent(value: Decimal) -> str:
    return f"{value.normalize():f} %"
