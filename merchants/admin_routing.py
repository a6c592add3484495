"""Staff's pages of routing rules: who takes which payments of a merchant."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextareaWidget

from core.admin import FormAdmin
from core.admin_actions import reasoned_action, refuse, staff
from core.admin_columns import MODE, badge, column, link, link_column, moment_column, page_of, table
from core.money import Money
from core.routing import Strategy, Target
from merchants import routing
from merchants.models import Merchant, ProviderAccount, RoutingRule
from merchants.routing_forms import RuleForm, WhoseForm

View = Callable[[HttpRequest, Any], HttpResponse]
_pages: dict[str, View] = {}


def add_page(name: str, view: View) -> None:
    """A page beside the rules, of a floor above: `view(request, model_admin)`, at `admin:merchants_routingrule_<name>`.

    Called while the admin is discovered, before its addresses are asked for. Whoever may see rules may see it.
    """
    _pages[name] = view


class ChangedRuleForm(RuleForm):
    reason = forms.CharField(max_length=300, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))


def _conditions(row: RoutingRule) -> str:
    """When the rule holds, in words."""
    told = [", ".join(row.methods), ", ".join(row.currencies)]
    told += [f"from {Money(row.least, row.currencies[0])}"] if row.least is not None else []
    told += [f"up to {Money(row.most, row.currencies[0])}"] if row.most is not None else []
    told += [f"in {row.store.name}"] if row.store else []
    return "; ".join(part for part in told if part) or "every payment"


def _named(row: RoutingRule) -> str:
    named = len(row.targets)
    accounts = "every account" if not named else f"{named} account{'s' if named > 1 else ''}"
    return f"{accounts}, no other" if row.only else accounts


ENABLED = column("enabled", lambda row: badge("on", "success") if row.is_enabled else badge("off", "danger"))
MERCHANT = column("merchant", lambda row: link(row.merchant_id, row.merchant.name))
CONDITIONS = column("conditions", _conditions, title="holds for")
STRATEGY = column("strategy", lambda row: row.get_strategy_display())


@admin.register(RoutingRule)
class RoutingRuleAdmin(FormAdmin):
    list_display = ("name", MERCHANT, MODE, "priority", CONDITIONS, STRATEGY, column("accounts", _named), ENABLED)
    list_select_related = ("merchant", "store")
    list_filter = ("is_enabled", "livemode")
    search_help_text = "the id of a rule, of a merchant or of a store, exactly"
    fields = (
        "id",
        "name",
        MERCHANT,
        MODE,
        ENABLED,
        "priority",
        CONDITIONS,
        link_column("store_id"),
        STRATEGY,
        column("accounts", _named),
        moment_column("created_at"),
    )
    actions_detail = ("edit", "switch_off", "switch_on")
    add_explain = "It holds from the next payment on. Of the rules that are on, the first that holds decides."

    def get_urls(self) -> list[URLPattern]:
        mine = [
            path(
                f"{name}/", self.admin_site.admin_view(partial(self._open, view)), name=f"merchants_routingrule_{name}"
            )
            for name, view in _pages.items()
        ]
        return [*mine, *super().get_urls()]

    def _open(self, view: View, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return view(request, self)

    def find(self, term: str) -> list[str]:
        named = {"store": term} if term.startswith("store_") else {"merchant": term}
        return [term, *RoutingRule.objects.filter(**named).values_list("pk", flat=True)[:1000]]

    def sections(self, row: RoutingRule) -> Iterable[tuple[str, Any]]:
        if row.targets:
            yield "Accounts in their order", _drawn(row)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """First whose rule, then what it says of that merchant's accounts."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        whose = WhoseForm(request.GET if "merchant" in request.GET else None)
        if not whose.is_valid():
            return self.ask(request, whose, title="Add routing rule", explain="Whose payments is it about?", reads=True)
        merchant, livemode = whose.whose()
        form = RuleForm(merchant, livemode, request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                return HttpResponseRedirect(page_of(self._written(request, merchant, livemode, form).pk))
            except ValueError as fault:
                refuse(form, fault)
        explain = f"For {merchant.name} in {'live' if livemode else 'test'} mode. {self.add_explain}"
        return self.ask(request, form, title="Add routing rule", explain=explain)

    def _written(self, request: HttpRequest, merchant: Merchant, livemode: bool, form: RuleForm) -> RoutingRule:
        return routing.write_rule(
            merchant=merchant,
            livemode=livemode,
            rule=form.rule(),
            priority=form.cleaned_data["priority"],
            by=staff(request),
        )

    @reasoned_action(
        title="Change",
        permission="merchants.change_routingrule",
        explain="It holds from the next payment on. What is under way stays where it is.",
        icon="edit",
        form=lambda row, data: ChangedRuleForm(row.merchant, row.livemode, data, rule=row),
    )
    def edit(self, request: HttpRequest, row: RoutingRule, form: Any) -> str:
        routing.change_rule(row, rule=form.rule(), priority=form.cleaned_data["priority"], by=staff(request))
        return "Changed."

    @reasoned_action(
        title="Switch off",
        permission="merchants.change_routingrule",
        explain="It is not asked any more, from the next payment on.",
        icon="toggle_off",
        applies=lambda row: row.is_enabled,
    )
    def switch_off(self, request: HttpRequest, row: RoutingRule, form: Any) -> str:
        routing.switch_rule(row, on=False, by=staff(request))
        return "Switched off."

    @reasoned_action(
        title="Switch on",
        permission="merchants.change_routingrule",
        explain="It is asked from the next payment on.",
        icon="toggle_on",
        applies=lambda row: not row.is_enabled,
    )
    def switch_on(self, request: HttpRequest, row: RoutingRule, form: Any) -> str:
        routing.switch_rule(row, on=True, by=staff(request))
        return "Switched on."


def _drawn(row: RoutingRule) -> SafeString:
    targets = routing.as_rule(row).targets
    known = ProviderAccount.objects.defer("credentials").in_bulk([target.account for target in targets])
    share = row.strategy == Strategy.SPLIT
    return table(
        ["place", "account", "new payments", *(["share"] if share else [])],
        [
            [place, link(target.account, str(known[target.account])), _taking(known[target.account])]
            + ([_percent(target)] if share else [])
            for place, target in enumerate(targets, start=1)
        ],
    )


def _taking(account: ProviderAccount) -> SafeString:
    return badge("on", "success") if account.is_enabled else badge("off", "danger")


def _percent(target: Target) -> str:
    return f"{target.share} %"
