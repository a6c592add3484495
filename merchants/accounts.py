"""What each provider demands of an account: registered by the domain that talks to it, checked here."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import FieldError, InvalidRequest
from core.providers import from_json


@dataclass(frozen=True, slots=True)
class Kind:
    """The accounts of one provider.

    The two types are dataclasses, read by core.providers.from_json. `hosts` gives the names from which an
    account of that mode picks; `check_mode` raises ValueError for credentials of the other mode. `methods` are
    the ways to pay there, which a fee schedule may name. `app` names the credential that says whose access token it
    is, where a new token ends the life of the one before. `check` makes a call that changes nothing with an
    account's credentials; it raises core.providers.ProviderFault, core.http.Busy, or ValueError for an account that
    its adapter no longer takes. `register_doors(account, by=…)` has the provider told where the account's callbacks
    go, where that is done by a call.
    """

    title: str
    credentials_type: type
    options_type: type
    hosts: Callable[[bool], Sequence[str]]
    check_mode: Callable[..., None]
    check: Callable[[Any], None]
    methods: Sequence[str] = ()
    app: str = ""
    register_doors: Callable[..., object] | None = None


_kinds: dict[str, Kind] = {}


def register(provider: str, kind: Kind) -> None:
    """Called once for each provider by its domain's AppConfig.ready()."""
    _kinds[provider] = kind


def everyone() -> dict[str, Kind]:
    return dict(_kinds)


def kind_of(provider: str) -> Kind:
    """Raises ValueError for a provider that nobody has registered."""
    if provider not in _kinds:
        raise ValueError(f"'provider' is {provider!r}; registered are {', '.join(_kinds) or 'none'}")
    return _kinds[provider]


def check_credentials(provider: str, credentials: Mapping[str, Any], *, livemode: bool) -> None:
    """Raises ValueError that names the field, never its value."""
    kind = kind_of(provider)
    kind.check_mode(from_json(kind.credentials_type, credentials), livemode=livemode)


def check_options(provider: str, options: Mapping[str, Any]) -> None:
    """Raises ValueError that names the field."""
    from_json(kind_of(provider).options_type, options)


def check_account(
    provider: str,
    *,
    livemode: bool,
    host: str | None = None,
    credentials: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Raises InvalidRequest with every field that the provider does not take, of what is given."""
    if provider not in _kinds:
        raise InvalidRequest.naming([FieldError("/provider", f"must be one of {', '.join(_kinds) or 'none'}")])
    checks = (
        ("/host", host, lambda: check_host(provider, host or "", livemode=livemode)),
        ("/credentials", credentials, lambda: check_credentials(provider, credentials or {}, livemode=livemode)),
        ("/options", options, lambda: check_options(provider, options or {})),
    )
    found = [fault for pointer, given, check in checks if given is not None for fault in _faults(pointer, check)]
    if found:
        raise InvalidRequest.naming(found)


def _faults(pointer: str, check: Callable[[], None]) -> list[FieldError]:
    try:
        check()
    except ValueError as fault:
        named = re.match(r"'(\w+)'", str(fault))
        return [FieldError(f"{pointer}/{named[1]}" if named and pointer != "/host" else pointer, str(fault))]
    return []


def only_host(provider: str, *, livemode: bool) -> str:
    """The host of that mode where there is no choice, and an empty text elsewhere."""
    offered = _kinds[provider].hosts(livemode) if provider in _kinds else ()
    return offered[0] if len(offered) == 1 else ""


def check_host(provider: str, host: str, *, livemode: bool) -> None:
    """Raises ValueError for a host that is not on the provider's list for that mode."""
    offered = kind_of(provider).hosts(livemode)
    if host not in offered:
        mode = "live" if livemode else "test"
        raise ValueError(f"'host' is {host!r}; in {mode} mode {provider} has {', '.join(sorted(offered))}")


def check_method(provider: str, method: str) -> None:
    """Raises ValueError for a method that the provider does not have."""
    offered = kind_of(provider).methods
    if method not in offered:
        raise ValueError(f"'method' is {method!r}; {provider} has {', '.join(offered) or 'none'}")
