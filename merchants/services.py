"""The verbs on merchants, their keys, accounts and endpoints."""

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models, transaction

from core import clock
from core.crypto import Secret
from events import attention, audit, pacing, sealing
from events.models import Attention
from merchants import accounts, caps, doors, expiry, provider_apps, webhook_health, webhook_secrets
from merchants.authentication import key_hash
from merchants.models import ApiKey, Merchant, ProviderAccount, ProviderToken, WebhookEndpoint

Insert = Callable[[models.Model], None]


def _insert(row: models.Model) -> None:
    """How a new row is written where no Idempotency-Key is bound to it in the same statement."""
    row.save(force_insert=True)


def create_merchant(*, name: str, by: str, default_region: str = "") -> Merchant:
    merchant = Merchant.objects.create(name=name, default_region=default_region)
    audit.record(actor=by, action="merchant.created", merchant=merchant.pk, object_id=merchant.pk)
    return merchant


def change_merchant(merchant: Merchant, *, name: str, is_active: bool, default_region: str, by: str) -> None:
    """Rename a merchant, place it, or stop and resume everything that its keys may do."""
    merchant.name, merchant.is_active, merchant.default_region = name, is_active, default_region
    with transaction.atomic():
        merchant.save(update_fields=["name", "is_active", "default_region"])
        audit.record(
            actor=by,
            action="merchant.changed",
            merchant=merchant.pk,
            object_id=merchant.pk,
            detail={"name": name, "is_active": is_active, "default_region": default_region},
        )


def create_api_key(
    *,
    merchant: Merchant,
    name: str,
    owner: str,
    scopes: Iterable[str],
    by: str,
    livemode: bool = False,
    expires_at: datetime | None = None,
    allowed_addresses: Iterable[str] = (),
    api_version: str = "",
    insert: Insert = _insert,
) -> tuple[ApiKey, Secret]:
    """The key's row, and the key itself: 256 random bits, given out here and never again."""
    prefix = "sk_live_" if livemode else "sk_test_"
    presented = prefix + secrets.token_urlsafe(32).replace("-", "A").replace("_", "B")
    key = ApiKey(
        merchant=merchant,
        livemode=livemode,
        name=name,
        owner=owner,
        hash=key_hash(presented),
        prefix=prefix,
        last_four=presented[-4:],
        scopes=sorted(set(scopes)),
        allowed_addresses=list(allowed_addresses),
        expires_at=expires_at,
        noticed_days=expiry.passed_mark(expires_at),
        api_version=api_version or settings.API_VERSION,
    )
    with transaction.atomic():
        insert(key)
        _record(key, "api_key.created", by, scopes=key.scopes)
    return key, Secret(presented)


def revoke_api_key(key: ApiKey, *, by: str) -> None:
    with transaction.atomic():
        ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=clock.now())
        _record(key, "api_key.revoked", by)


def set_key_addresses(key: ApiKey, *, allowed_addresses: Iterable[str], by: str) -> None:
    """From where a key may be used, from its next request on; none means anywhere."""
    key.allowed_addresses = list(allowed_addresses)
    with transaction.atomic():
        key.save(update_fields=["allowed_addresses"])
        _record(key, "api_key.addresses_set", by, allowed_addresses=key.allowed_addresses)


def create_provider_account(
    *,
    merchant: Merchant,
    provider: str,
    name: str,
    host: str,
    credentials: Mapping[str, Any],
    by: str,
    options: Mapping[str, Any] | None = None,
    livemode: bool = False,
    priority: int = 100,
    insert: Insert = _insert,
) -> ProviderAccount:
    """An account with sealed credentials and a callback token.

    Raises ValueError that names the field which its provider does not take, and ProviderAppTaken.
    """
    accounts.check_credentials(provider, credentials, livemode=livemode)
    accounts.check_options(provider, options or {})
    accounts.check_host(provider, host, livemode=livemode)
    account = ProviderAccount(
        merchant=merchant,
        livemode=livemode,
        provider=provider,
        name=name,
        host=host,
        options=dict(options or {}),
        priority=priority,
    )
    sealing.seal(account, "credentials", json.dumps(dict(credentials)))
    with provider_apps.held_by(account, credentials), transaction.atomic():
        insert(account)
        doors.issue_token(account)
        _record(account, "provider_account.created", by, provider=provider, host=host)
    return account


def set_credentials(account: ProviderAccount, credentials: Mapping[str, Any], *, by: str) -> None:
    """Replace an account's credentials; every process takes up the new revision with its next call.

    Raises ValueError that names the field which its provider does not take, and ProviderAppTaken.
    """
    accounts.check_credentials(account.provider, credentials, livemode=account.livemode)
    sealing.seal(account, "credentials", json.dumps(dict(credentials)))
    with provider_apps.held_by(account, credentials), transaction.atomic():
        _save_revision(account, "credentials", "app_fingerprint")
        # It was fetched with what is replaced, perhaps because that has leaked.
        ProviderToken.objects.filter(account=account).delete()
        _record(account, "provider_account.credentials_set", by)


def change_account(account: ProviderAccount, *, by: str, **changes: Any) -> None:
    """Change name, host, options, priority or whether it is enabled.

    Raises ValueError that names the field which its provider does not take.
    """
    if "options" in changes:
        accounts.check_options(account.provider, changes["options"])
    if "host" in changes:
        accounts.check_host(account.provider, changes["host"], livemode=account.livemode)
    for name, value in changes.items():
        setattr(account, name, value)
    with transaction.atomic():
        _save_revision(account, *changes)
        _record(account, "provider_account.changed", by, fields=sorted(changes))


def switch_account_off(account: ProviderAccount, *, by: str) -> None:
    """No new payment goes there from now on; what is open there is still asked about, captured and refunded."""
    change_account(account, by=by, is_enabled=False)


def rotate_callback_token(account: ProviderAccount, *, by: str) -> None:
    """Give the account another word for its callback paths. The earlier ones stay valid until they are retired."""
    with transaction.atomic():
        doors.issue_token(account)
        _save_revision(account)
        _record(account, "provider_account.callback_token_rotated", by)


def retire_callback_tokens(account: ProviderAccount, *, by: str) -> int:
    """Close every callback path but the newest. Gives how many."""
    with transaction.atomic():
        newest = account.callback_tokens.filter(revoked_at=None).latest("pk")
        retired = account.callback_tokens.filter(revoked_at=None).exclude(pk=newest.pk).update(revoked_at=clock.now())
        _record(account, "provider_account.callback_tokens_retired", by, retired=retired)
    return retired


def _save_revision(account: ProviderAccount, *changed: str) -> None:
    """Save what changed under a revision that no process has seen. Two changes at once get two revisions."""
    locked = ProviderAccount.objects.select_for_update(no_key=True).values_list("revision", flat=True)
    account.revision = locked.get(pk=account.pk) + 1
    account.save(update_fields=[*changed, "revision"])


def create_webhook_endpoint(
    *,
    merchant: Merchant,
    url: str,
    by: str,
    livemode: bool = False,
    event_types: Iterable[str] = (),
    description: str = "",
    metadata: Mapping[str, str] | None = None,
    max_per_second: int | None = None,
) -> tuple[WebhookEndpoint, Secret]:
    """An unsaved endpoint and its signing secret, shown once. Whoever inserts it sets its pace."""
    secret = webhook_secrets.new()
    endpoint = WebhookEndpoint(
        merchant=merchant,
        livemode=livemode,
        url=url,
        description=description,
        event_types=sorted(event_types),
        metadata=dict(metadata or {}),
        max_per_second=max_per_second,
        api_version=settings.API_VERSION,
    )
    sealing.seal(endpoint, "secret", secret.reveal())
    return endpoint, secret


def change_webhook_endpoint(endpoint: WebhookEndpoint, *, by: str, **changes: Any) -> None:
    """Change what is given. Enabling forgets that the endpoint was failing; disabling discards what waits for it.

    Raises LimitReached where one more would be enabled than may be.
    """
    on = bool(changes.get("is_enabled")) and not endpoint.is_enabled
    off = changes.get("is_enabled") is False
    if off:
        del changes["is_enabled"]
    if changes.get("is_enabled"):
        changes |= {"disabled_because": "", "failing_since": None, "warnings": 0}
    for name, value in changes.items():
        setattr(endpoint, name, value)
    with transaction.atomic():
        if on:
            caps.demand_room_for_endpoint(endpoint.merchant, livemode=endpoint.livemode)
        endpoint.save(update_fields=list(changes))
        if "max_per_second" in changes:
            pacing.set_pace("deliveries", endpoint.pk, endpoint.max_per_second)
        if changes.get("is_enabled"):
            attention.settle(endpoint, Attention.Reason.FAILING, by=by)
        if changes or not off:
            _record(endpoint, "webhook_endpoint.changed", by, fields=sorted(changes))
        if off:
            webhook_health.disable(endpoint, reason="switched off by the merchant", by=by)
    endpoint.refresh_from_db(fields=["is_enabled", "disabled_because"])


def _record(row: Any, action: str, by: str, **detail: Any) -> None:
    audit.record(
        actor=by,
        action=action,
        merchant=row.merchant_id,
        livemode=row.livemode,
        object_id=row.pk,
        detail=detail,
    )
