"""The form of a routing rule: the merchant's accounts to put in order, amounts in major units."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from core.money import Money
from core.routing import Rule, Strategy, Target
from merchants import accounts
from merchants.models import Merchant, ProviderAccount, RoutingRule, Store
from merchants.routing import as_rule

_STRATEGIES = {
    Strategy.IN_ORDER: "in order: the first account, and the next one where it certainly has not created the payment",
    Strategy.SPLIT: "split: each account comes first for its share of the payments, by chance",
    Strategy.LOWEST_FEE: "lowest fee: the cheapest by its fee schedule comes first",
}
_MODES = {"test": False, "live": True}


class WhoseForm(forms.Form):
    """Whose rule it is to be, which says the accounts that there are to choose from."""

    merchant = forms.ModelChoiceField(
        queryset=Merchant.objects.filter(is_active=True).order_by("name"), widget=UnfoldAdminSelectWidget()
    )
    mode = forms.ChoiceField(choices=[(mode, mode) for mode in _MODES], widget=UnfoldAdminSelectWidget())

    def whose(self) -> tuple[Merchant, bool]:
        return self.cleaned_data["merchant"], _MODES[self.cleaned_data["mode"]]


class Places(forms.Widget):
    """A table of accounts with a place and a share for each. Its value is `{account: (place, share)}`, as typed."""

    def __init__(self, offered: Sequence[ProviderAccount] = ()) -> None:
        super().__init__()
        self.offered = offered

    def value_from_datadict(self, data: Any, files: Any, name: str) -> dict[str, tuple[str, str]]:
        return {
            account.pk: (data.get(f"{name}-{account.pk}-place", ""), data.get(f"{name}-{account.pk}-share", ""))
            for account in self.offered
        }

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        given: Mapping[str, tuple[str, str]] = value or {}
        rows = [{"account": account, "given": given.get(account.pk, ("", ""))} for account in self.offered]
        return render_to_string("admin/parts/places.html", {"name": name, "rows": rows})


class PlacesField(forms.Field):
    """The targets of a rule: the accounts that have a place, by place."""

    widget = Places

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return value
        return {
            target.account: (str(place), str(target.share) if target.share else "")
            for place, target in enumerate(value or (), start=1)
        }

    def clean(self, value: Mapping[str, tuple[str, str]]) -> tuple[Target, ...]:
        placed = {}
        for account, (place, share) in value.items():
            if not place.strip() and share.strip():
                raise ValidationError("An account with a share needs a place.")
            if place.strip():
                number = _whole(place, "place")
                if number in placed:
                    raise ValidationError(f"Two accounts have the place {number}.")
                placed[number] = Target(account, _whole(share, "share") if share.strip() else 0)
        return tuple(target for _, target in sorted(placed.items()))


def _whole(text: str, name: str) -> int:
    written = text.strip()
    if not (written.isascii() and written.isdecimal()) or not 1 <= int(written[:5]) <= 1000 or len(written) > 4:
        raise ValidationError(f"A {name} is a whole number from 1 on.")
    return int(written)


class Codes(forms.CharField):
    """Currencies, by commas or spaces."""

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str | None) else ", ".join(sorted(value))

    def clean(self, value: Any) -> frozenset[str]:
        return frozenset((super().clean(value) or "").upper().replace(",", " ").split())


class RuleForm(forms.Form):
    """What a rule says. With `rule` it starts from what that one says now."""

    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget())
    priority = forms.IntegerField(
        min_value=0,
        max_value=32767,
        initial=100,
        help_text="The lowest is asked first; the first rule that holds decides, and no other is asked.",
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    methods = forms.MultipleChoiceField(
        required=False, help_text="None: any.", widget=UnfoldAdminCheckboxSelectMultipleWidget()
    )
    currencies = Codes(
        required=False,
        max_length=500,
        help_text="ISO 4217 codes, as in `KES, USD`. None: any.",
        widget=UnfoldAdminTextInputWidget(),
    )
    store = forms.ChoiceField(
        required=False, help_text="None: any, and payments that are taken in none.", widget=UnfoldAdminSelectWidget()
    )
    least = forms.DecimalField(
        required=False,
        min_value=0,
        max_digits=18,
        help_text="In major units, as in 250.00, of the one currency that is named. Included.",
        widget=UnfoldAdminTextInputWidget(),
    )
    most = forms.DecimalField(
        required=False,
        min_value=0,
        max_digits=18,
        help_text="In major units. Included.",
        widget=UnfoldAdminTextInputWidget(),
    )
    strategy = forms.ChoiceField(
        choices=[(one.value, told) for one, told in _STRATEGIES.items()], widget=UnfoldAdminSelectWidget()
    )
    targets = PlacesField(
        label="Accounts",
        required=False,
        help_text="1 is tried first; an account without a place is not named. Shares are a split's, adding up to 100. "
        "The lowest fee is looked for among all accounts where none is named.",
    )
    only = forms.BooleanField(
        required=False, label="No account that is not named may take the payment", widget=UnfoldBooleanWidget()
    )

    def __init__(
        self, merchant: Merchant, livemode: bool, data: Any = None, *, rule: RoutingRule | None = None
    ) -> None:
        super().__init__(data, initial=_held(rule) if rule else None)
        offered = ProviderAccount.objects.filter(merchant=merchant, livemode=livemode).defer("credentials")
        self.fields["targets"].widget = Places(list(offered.order_by("priority", "pk")))
        known = sorted({method for kind in accounts.everyone().values() for method in kind.methods})
        self.fields["methods"].choices = [(method, method) for method in known]  # type: ignore[attr-defined]
        stores = Store.objects.filter(merchant=merchant, livemode=livemode).order_by("name", "pk")
        self.fields["store"].choices = [  # type: ignore[attr-defined]
            ("", "any"),
            *((store.pk, f"{store.name} ({store.pk})") for store in stores),
        ]

    def clean(self) -> None:
        """Amounts are of the one currency, which says how fine they may be."""
        currencies = self.cleaned_data.get("currencies", frozenset())
        for name in ("least", "most"):
            value: Decimal | None = self.cleaned_data.get(name)
            if value is None:
                continue
            if len(currencies) != 1:
                self.add_error("currencies", "An amount needs exactly one currency, of which it is.")
                return
            try:
                self.cleaned_data[name] = Money.from_major(value, *currencies).amount
            except ValueError as fault:
                self.add_error(name, f"{fault}")

    def rule(self) -> Rule:
        given = self.cleaned_data
        return Rule(
            name=given["name"],
            strategy=Strategy(given["strategy"]),
            targets=given["targets"],
            methods=frozenset(given["methods"]),
            currencies=given["currencies"],
            least=given["least"],
            most=given["most"],
            only=given["only"],
            store=given["store"],
        )


def _held(row: RoutingRule) -> dict[str, Any]:
    """What a rule says now, as its form shows it."""
    rule = as_rule(row)
    return {
        "name": rule.name,
        "priority": row.priority,
        "methods": sorted(rule.methods),
        "currencies": rule.currencies,
        "least": major(row.least, row),
        "most": major(row.most, row),
        "strategy": rule.strategy.value,
        "targets": rule.targets,
        "only": rule.only,
        "store": rule.store,
    }


def major(amount: int | None, row: RoutingRule) -> Decimal | None:
    """One of a rule's amounts in major units of its one currency."""
    return None if amount is None else Money(amount, row.currencies[0]).major()
