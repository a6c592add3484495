"""One account for one app at a provider, where a new access token of an app ends the life of the one before.

The token of an account is shared by all processes (security.md 17); two accounts with the same app would kill each
other's with every refresh. This holds across merchants: the provider knows the app, not whose account it is.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError

from core.database import violated
from core.errors import FieldError, ProviderAppTaken
from events import sealing
from merchants import accounts
from merchants.models import ProviderAccount

_ONE_ACCOUNT = "one_account_per_provider_app"


@contextmanager
def held_by(account: ProviderAccount, credentials: Mapping[str, Any]) -> Iterator[None]:
    """Note on the account which app it has, to be saved inside. Raises ProviderAppTaken, also when two come at once."""
    prints = _fingerprints(account.provider, credentials, livemode=account.livemode)
    check_free(account.provider, credentials, livemode=account.livemode, merchant=account.merchant_id, but=account.pk)
    account.app_fingerprint = prints[0] if prints else ""
    try:
        yield
    except IntegrityError as error:
        if violated(error) != _ONE_ACCOUNT:
            raise
        raise _taken(account.provider, None) from error


def check_free(provider: str, credentials: Mapping[str, Any], *, livemode: bool, merchant: str, but: str = "") -> None:
    """Raises ProviderAppTaken; it names the account that has the app only where that is the merchant's own."""
    prints = _fingerprints(provider, credentials, livemode=livemode)
    held = ProviderAccount.objects.filter(provider=provider, livemode=livemode, app_fingerprint__in=prints)
    holder = held.exclude(pk=but).first() if prints else None
    if holder is not None:
        raise _taken(provider, holder if holder.merchant_id == merchant else None)


def renew_fingerprints() -> int:
    """Make anew what was made under a master key no longer the first; how many accounts changed."""
    changed = 0
    for account in ProviderAccount.objects.exclude(app_fingerprint=""):
        credentials = json.loads(sealing.unseal(account, "credentials"))
        current = _fingerprints(account.provider, credentials, livemode=account.livemode)[0]
        held = ProviderAccount.objects.filter(pk=account.pk, app_fingerprint=account.app_fingerprint)
        changed += held.exclude(app_fingerprint=current).update(app_fingerprint=current)
    return changed


def _fingerprints(provider: str, credentials: Mapping[str, Any], *, livemode: bool) -> list[str]:
    """Under every master key, the first to be stored; none for a provider without such apps."""
    named = accounts.kind_of(provider).app
    if not named:
        return []
    return sealing.fingerprints("provider_app", provider, str(credentials[named]).strip(), livemode=livemode)


def _taken(provider: str, holder: ProviderAccount | None) -> ProviderAppTaken:
    pointer = f"/credentials/{accounts.kind_of(provider).app}"
    told = f"the app of {holder.pk if holder else 'another account'}, whose access tokens this account's would end"
    return ProviderAppTaken.naming([FieldError(pointer, told, ProviderAppTaken.code)])
