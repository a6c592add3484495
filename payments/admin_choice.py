"""Staff's page that tells which provider a payment would go to now, and why: the real choice, with nothing written."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from core import contacts
from core.admin_columns import link, table
from core.errors import InvalidRequest
from core.money import EXPONENTS, Money
from merchants import admin_routing
from merchants.models import Merchant, ProviderAccount, RoutingRule
from payments.models import Payment
from payments.providers import REGISTRY
from payments.serializers import MAX_AMOUNT, METHODS
from payments.services import at_counter, explaining, offering
from payments.services.explaining import Explanation, LeftOut, Place
from payments.services.payment_request import PaymentRequest

PAGE = "choice"
_MODES = {"test": False, "live": True}


class ChoiceForm(forms.Form):
    """A payment that nobody makes. The amount is in major units."""

    merchant = forms.ModelChoiceField(queryset=Merchant.objects.order_by("name"), widget=UnfoldAdminSelectWidget())
    mode = forms.ChoiceField(choices=[(mode, mode) for mode in _MODES], widget=UnfoldAdminSelectWidget())
    method = forms.ChoiceField(choices=[(one, one) for one in METHODS], widget=UnfoldAdminSelectWidget())
    channel = forms.RegexField(
        r"^[a-z0-9_]{2,32}$", required=False, help_text="Where it matters.", widget=UnfoldAdminTextInputWidget()
    )
    currency = forms.CharField(max_length=3, help_text="Such as KES.", widget=UnfoldAdminTextInputWidget())
    amount = forms.DecimalField(
        max_digits=18, help_text="In major units, as in 250.00.", widget=UnfoldAdminTextInputWidget()
    )
    country = forms.CharField(
        required=False,
        max_length=2,
        help_text="The payer's, such as KE. It decides what is offered, not who takes a payment.",
        widget=UnfoldAdminTextInputWidget(),
    )
    store = forms.CharField(
        required=False,
        max_length=32,
        help_text="The id of the store where it is taken, if it is.",
        widget=UnfoldAdminTextInputWidget(),
    )
    provider = forms.ChoiceField(
        choices=[("", "any"), *((name, name) for name in REGISTRY)], required=False, widget=UnfoldAdminSelectWidget()
    )
    manual = forms.BooleanField(required=False, label="Held first, and captured later", widget=UnfoldBooleanWidget())

    def clean_currency(self) -> str:
        currency: str = self.cleaned_data["currency"].upper()
        if currency not in EXPONENTS:
            raise forms.ValidationError("This is no ISO 4217 code.")
        return currency

    def clean_country(self) -> str:
        country: str = self.cleaned_data["country"].upper()
        if country and not contacts.is_region(country):
            raise forms.ValidationError("No country has that code.")
        return country

    def clean_amount(self) -> Money | None:
        """Asked after the currency, which says how fine an amount may be."""
        if "currency" not in self.cleaned_data:
            return None
        try:
            money = Money.from_major(self.cleaned_data["amount"], self.cleaned_data["currency"])
        except ValueError as fault:
            raise forms.ValidationError(f"{fault}") from fault
        if not 1 <= money.amount <= MAX_AMOUNT:
            raise forms.ValidationError("A payment takes more than nothing, and not as much as that.")
        return money

    def asked(self) -> PaymentRequest:
        given = self.cleaned_data
        return PaymentRequest(
            merchant=given["merchant"],
            livemode=_MODES[given["mode"]],
            money=given["amount"],
            method=given["method"],
            channel=given["channel"],
            store=given["store"],
            provider=given["provider"],
            capture=Payment.Capture.MANUAL if given["manual"] else Payment.Capture.AUTOMATIC,
        )


def show(request: HttpRequest, model_admin: Any) -> HttpResponse:
    form = ChoiceForm(request.GET if "merchant" in request.GET else None)
    found = form.is_bound and form.is_valid() and _is_placed(form)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Which provider would take this, and why?",
        "form": form,
        "told": _told(form) if found else None,
        "opts": model_admin.opts,
    }
    return TemplateResponse(request, "admin/routing/choice.html", context)


def _is_placed(form: ChoiceForm) -> bool:
    """Whether the store, where one is named, is one that such a payment may name; else the form says why not."""
    try:
        at_counter.in_store(form.asked())
    except InvalidRequest as refusal:
        form.add_error("store", f"The API would say: {refusal.detail}")
    return form.is_valid()


def _told(form: ChoiceForm) -> dict[str, Any]:
    asked = at_counter.in_store(form.asked())
    explanation = explaining.explain(asked)
    return {
        "asked": f"{asked.money} by {asked.method}{f' in {asked.store}' if asked.store else ''}",
        "orders": [(_share(times, explanation), _places(asked, places)) for times, places in explanation.orders],
        "left_out": _left_out(asked, explanation.left_out) if explanation.left_out else "",
        "rules": _rules(asked, explanation) if explanation.rules else "",
        "refusal": explanation.refusal,
        "country": _about_country(form.cleaned_data["country"], asked, explanation),
    }


def _share(times: int, explanation: Explanation) -> str:
    return "Tried in this order" if len(explanation.orders) == 1 else f"{times} of 100 payments, tried in this order"


def _places(asked: PaymentRequest, places: Iterable[Place]) -> SafeString:
    return table(
        ["", "account", "why", "expected fee"],
        [
            [number, _account(place.account), place.why, _fee(asked, place.fee)]
            for number, place in enumerate(places, start=1)
        ],
    )


def _account(account: ProviderAccount) -> SafeString:
    """Several of one merchant may have the same name."""
    return format_html('{} <span class="block text-subtle">{}</span>', link(account.pk, str(account)), account.pk)


def _left_out(asked: PaymentRequest, left_out: Iterable[LeftOut]) -> SafeString:
    return table(
        ["account", "why not", "expected fee"],
        [[_account(out.account), out.why, _fee(asked, out.fee)] for out in left_out],
    )


def _rules(asked: PaymentRequest, explanation: Explanation) -> SafeString:
    """Each with its page: they come in the order of the rows."""
    rows = RoutingRule.objects.filter(merchant=asked.merchant, livemode=asked.livemode, is_enabled=True)
    ordered = rows.order_by("priority", "pk")
    return table(
        ["priority", "rule", "what it came to"],
        [
            [row.priority, link(row.pk, row.name), came]
            for row, (_, came) in zip(ordered, explanation.rules, strict=False)
        ],
    )


def _fee(asked: PaymentRequest, fee: int | None) -> str:
    return "not known" if fee is None else str(Money(fee, asked.money.currency))


def _about_country(country: str, asked: PaymentRequest, explanation: Explanation) -> str:
    """Whether the method is offered to payers of that country at all; empty where there is nothing to say."""
    tried = {place.account.provider for _, places in explanation.orders for place in places}
    declared = [REGISTRY[provider].capabilities.methods[asked.method] for provider in tried]
    if not country or not declared or any(offering.is_for(one, country) for one in declared):
        return ""
    return f"Payers of {country} are not offered {asked.method}. A payment that is asked for is taken all the same."


admin_routing.add_page(PAGE, show)
