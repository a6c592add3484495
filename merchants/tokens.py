"""The one live access token of a provider account, shared by all processes (security.md 17)."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from core import clock
from core.crypto import Secret
from core.providers import AccessToken, ProviderFault, Unreachable
from events import sealing
from merchants.models import ProviderAccount, ProviderToken

_MARGIN = timedelta(seconds=60)
_WAIT_SECONDS = 0.05

Held = tuple[Secret, datetime]


class AccountTokens:
    """A core.providers.TokenStore over one row. The row's lock is released while the token is fetched."""

    def __init__(self, account: ProviderAccount) -> None:
        self._account = account
        self._held: Held | None = None
        self._refused: Secret | None = None

    def get(self, fetch: Callable[[], AccessToken]) -> Secret:
        """Raises Unreachable when another process has been fetching for too long."""
        ends_at = time.monotonic() + settings.TOKEN_LEASE.total_seconds()
        while time.monotonic() < ends_at:
            live = self._live()
            if live is not None:
                return live
            if self._lease():
                return self._refresh(fetch)
            time.sleep(_WAIT_SECONDS)
        raise Unreachable(f"no access token for {self._account.pk}: another process holds its refresh")

    def reject(self, token: Secret) -> None:
        self._refused, self._held = token, None
        with transaction.atomic():
            row = ProviderToken.objects.select_for_update().filter(account=self._account).first()
            if row is not None and row.token and sealing.unseal_secret(row, "token") == token:
                ProviderToken.objects.filter(pk=row.pk).update(token=None, expires_at=None)

    def _live(self) -> Secret | None:
        held = self._held
        if held is None or not self._is_good(held):
            held = self._held = _stored(ProviderToken.objects.filter(account=self._account).first())
        return held[0] if held is not None and self._is_good(held) else None

    def _is_good(self, held: Held) -> bool:
        """A thread may have read the row just before it was cleared: what was refused is not taken again."""
        return held[0] != self._refused and held[1] - _MARGIN > clock.now()

    def _lease(self) -> bool:
        ProviderToken.objects.bulk_create([self._row()], ignore_conflicts=True)
        with transaction.atomic():
            row = ProviderToken.objects.select_for_update().filter(account=self._account).first()
            if row is None:  # new credentials have taken it away since
                return False
            leased = row.lease_until is not None and row.lease_until > clock.now()
            stored = _stored(row)
            # Somebody may have stored one since we looked, which another fetch would kill.
            if leased or (stored is not None and self._is_good(stored)):
                return False
            ProviderToken.objects.filter(pk=row.pk).update(lease_until=clock.now() + settings.TOKEN_LEASE)
        return True

    def _refresh(self, fetch: Callable[[], AccessToken]) -> Secret:
        try:
            return self._store(fetch())
        except ProviderFault:
            ProviderToken.objects.filter(account=self._account).update(lease_until=None)
            raise

    def _store(self, fetched: AccessToken) -> Secret:
        row = self._row()
        sealing.seal(row, "token", fetched.value.reveal())
        expires_at = clock.now() + fetched.lifetime
        ProviderToken.objects.filter(pk=row.pk).update(token=row.token, expires_at=expires_at, lease_until=None)
        self._held = fetched.value, expires_at
        return fetched.value

    def _row(self) -> ProviderToken:
        return ProviderToken(
            account=self._account, merchant_id=self._account.merchant_id, livemode=self._account.livemode
        )


def _stored(row: ProviderToken | None) -> Held | None:
    if row is None or row.token is None or row.expires_at is None:
        return None
    return sealing.unseal_secret(row, "token"), row.expires_at
