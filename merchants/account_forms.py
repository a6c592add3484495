"""Forms for what a provider demands of an account, built from the dataclasses that its adapter declares."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, get_type_hints

from django import forms
from unfold.widgets import (
    UnfoldAdminExpandableTextareaWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from core.admin_actions import ReasonForm, refuse
from core.crypto import Secret
from core.errors import ProviderAppTaken
from merchants import accounts, provider_apps
from merchants.models import Merchant, ProviderAccount


class WriteOnlyTextarea(UnfoldAdminTextareaWidget):  # type: ignore[misc]  # unfold ships no types
    """Shows nothing of what it was given, not even when the form is asked again."""

    def format_value(self, value: Any) -> str:
        return ""


class Lines(forms.CharField):
    """A list of texts, one on each line."""

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str | None) else "\n".join(value)

    def clean(self, value: Any) -> Any:
        return [line.strip() for line in (super().clean(value) or "").splitlines() if line.strip()]


class Pairs(Lines):
    """An object of texts: `name = text` on each line."""

    def prepare_value(self, value: Any) -> Any:
        pairs = [f"{name} = {text}" for name, text in value.items()] if isinstance(value, Mapping) else value
        return super().prepare_value(pairs)

    def clean(self, value: Any) -> Any:
        lines = [line.partition("=") for line in super().clean(value)]
        if any(not separator for _, separator, _ in lines):
            raise forms.ValidationError("each line is `name = text`")
        return {name.strip(): text.strip() for name, _, text in lines}


_FIELDS: dict[Any, Callable[..., forms.Field]] = {
    Secret: lambda **given: forms.CharField(
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}), strip=True, **given
    ),
    tuple[Secret, ...]: lambda **given: Lines(widget=WriteOnlyTextarea(attrs={"rows": 3}), **given),
    str: lambda **given: forms.CharField(widget=UnfoldAdminExpandableTextareaWidget(), **given),
    int: lambda **given: forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget(), **given),
    bool: lambda **given: forms.BooleanField(widget=UnfoldBooleanWidget(), **given),
    tuple[str, ...]: lambda **given: Lines(widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}), **given),
    Mapping[str, str]: lambda **given: Pairs(widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}), **given),
}
_HELP = {tuple[Secret, ...]: "One on each line.", tuple[str, ...]: "One on each line."}


def fields_of(kind: type, *, held: Mapping[str, Any] | None = None) -> dict[str, forms.Field]:
    """A form field for each field of a dataclass. Texts start from what is `held` or declared; secrets empty."""
    types, made = get_type_hints(kind), {}
    for declared in dataclasses.fields(kind):
        wanted = types[declared.name]
        made[declared.name] = _FIELDS[wanted](
            label=declared.name.replace("_", " ").capitalize(),
            required=not _has_default(declared) and wanted is not bool,
            help_text=_HELP.get(wanted, ""),
            initial=None if wanted in _SECRETS else (held or {}).get(declared.name, default_of(declared)),
        )
    return made


_SECRETS = (Secret, tuple[Secret, ...])


def _has_default(declared: "dataclasses.Field[Any]") -> bool:
    return declared.default is not dataclasses.MISSING or declared.default_factory is not dataclasses.MISSING


def default_of(declared: "dataclasses.Field[Any]") -> Any:
    if declared.default_factory is not dataclasses.MISSING:
        return declared.default_factory()
    return None if declared.default is dataclasses.MISSING else declared.default


def given_to(kind: type, cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """What of a cleaned form is to be kept: what differs from the adapter's defaults, so that those stay in code."""
    kept = {}
    for declared in dataclasses.fields(kind):
        value, default = cleaned.get(declared.name), default_of(declared)
        same = value == (list(default) if isinstance(default, tuple) else default)
        if not same and value not in (None, ""):
            kept[declared.name] = value
    return kept


class CredentialsForm(ReasonForm):
    """All of an account's credentials, anew. None of them is shown."""

    def __init__(self, account: ProviderAccount, data: Any) -> None:
        super().__init__(data)
        self.account = account
        self.kind = accounts.kind_of(account.provider)
        self.fields = {**fields_of(self.kind.credentials_type), **self.fields}

    def clean(self) -> None:
        try:
            accounts.check_credentials(self.account.provider, self.credentials(), livemode=self.account.livemode)
        except ValueError as fault:
            refuse(self, fault)

    def credentials(self) -> dict[str, Any]:
        return given_to(self.kind.credentials_type, self.cleaned_data)


class SettingsForm(ReasonForm):
    """What may be seen and changed of an account. Which provider and mode it has stays."""

    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget())
    host = forms.ChoiceField(widget=UnfoldAdminSelectWidget())
    priority = forms.IntegerField(
        min_value=0,
        max_value=32767,
        initial=100,
        help_text="The lowest takes new payments first.",
        widget=UnfoldAdminIntegerFieldWidget(),
    )

    def __init__(self, account: ProviderAccount, data: Any) -> None:
        held = {"name": account.name, "host": account.host, "priority": account.priority}
        super().__init__(data, initial=held)
        self.account = account
        self.kind = accounts.kind_of(account.provider)
        self.fields["host"].choices = [(name, name) for name in self.kind.hosts(account.livemode)]  # type: ignore[attr-defined]
        self.fields = {**self.fields, **fields_of(self.kind.options_type, held=account.options)}
        self.fields["reason"] = self.fields.pop("reason")

    def clean(self) -> None:
        try:
            accounts.check_options(self.account.provider, self.options())
        except ValueError as fault:
            refuse(self, fault)

    def options(self) -> dict[str, Any]:
        return given_to(self.kind.options_type, self.cleaned_data)


class NewAccountForm(forms.Form):
    """An account at the provider that was chosen before: whose it is, its credentials and its options."""

    merchant = forms.ModelChoiceField(queryset=Merchant.objects.order_by("name"), widget=UnfoldAdminSelectWidget())
    livemode = forms.BooleanField(required=False, label="Live mode", widget=UnfoldBooleanWidget())
    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget())
    host = forms.ChoiceField(widget=UnfoldAdminSelectWidget())
    priority = forms.IntegerField(
        min_value=0,
        max_value=32767,
        initial=100,
        help_text="The lowest takes new payments first.",
        widget=UnfoldAdminIntegerFieldWidget(),
    )

    def __init__(self, provider: str, data: Any) -> None:
        self.provider, self.kind = provider, accounts.kind_of(provider)
        super().__init__(data, initial={"name": self.kind.title})
        hosts = dict.fromkeys([*self.kind.hosts(False), *self.kind.hosts(True)])
        self.fields["host"].choices = [(name, name) for name in hosts]  # type: ignore[attr-defined]
        self._add("Credentials, which are never shown again", fields_of(self.kind.credentials_type))
        self._add("Options", fields_of(self.kind.options_type))

    def _add(self, heading: str, added: dict[str, forms.Field]) -> None:
        for first in list(added.values())[:1]:
            first.heading = heading  # type: ignore[attr-defined]  # the form's template reads it
        self.fields = {**self.fields, **added}

    def clean(self) -> None:
        livemode = bool(self.cleaned_data.get("livemode"))
        host = self.cleaned_data.get("host", "")
        checks = (
            partial(accounts.check_credentials, self.provider, self.credentials(), livemode=livemode),
            partial(accounts.check_options, self.provider, self.options()),
            partial(accounts.check_host, self.provider, host, livemode=livemode),
        )
        for check in checks:
            try:
                check()
            except ValueError as fault:
                refuse(self, fault)
        if not self.errors:
            self._check_app(livemode)

    def _check_app(self, livemode: bool) -> None:
        merchant = self.cleaned_data["merchant"].pk
        try:
            provider_apps.check_free(self.provider, self.credentials(), livemode=livemode, merchant=merchant)
        except ProviderAppTaken as taken:
            self.add_error(self.kind.app, taken.errors[0].detail)

    def credentials(self) -> dict[str, Any]:
        return given_to(self.kind.credentials_type, self.cleaned_data)

    def options(self) -> dict[str, Any]:
        return given_to(self.kind.options_type, self.cleaned_data)
