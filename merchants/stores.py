"""The verbs on stores: make one, change it, and find the one that a payment names."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from core import ids
from core.database import insert_all
from core.errors import InvalidRequest
from events import audit
from events.idempotency import Claim
from merchants import accounts
from merchants.models import Merchant, ProviderAccount, Store

_ACCOUNT = "/default_account"


def methods() -> list[str]:
    """Every way to pay that an account can have."""
    return sorted({method for kind in accounts.everyone().values() for method in kind.methods})


def create_store(*, merchant: Merchant, livemode: bool, by: str, claim: Claim | None = None, **facts: Any) -> Store:
    """A store of the merchant. `facts` are its name, zone, default_method, default_account (an id) and metadata.

    Raises InvalidRequest that names the account, and AlreadyClaimed for a repeated key.
    """
    store = Store(merchant=merchant, livemode=livemode)
    _take(store, facts)
    with transaction.atomic():
        if claim is not None:
            claim.bind(store.pk, store)
        else:
            insert_all(store)
        _record(store, "store.created", by, name=store.name)
    return store


def change_store(store: Store, *, by: str, **changes: Any) -> None:
    """Change what is given. A store that is switched off takes no new payments; its open ones go on.

    Raises InvalidRequest that names the account.
    """
    if not changes:
        return
    taken = _take(store, changes)
    with transaction.atomic():
        Store.objects.filter(pk=store.pk).update(**taken)
        _record(store, "store.changed", by, fields=sorted(changes))


def _take(store: Store, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Put the facts on the row, an account by its id; the columns that they are."""
    taken = {**facts}
    if "default_account" in taken:
        taken["default_account_id"] = _account_of(store, taken.pop("default_account"))
    for column, value in taken.items():
        setattr(store, column, value)
    return taken


def _account_of(store: Store, named: str) -> str | None:
    """One that takes payments now: an owner who names another has most likely mistaken it."""
    if not named or named == store.default_account_id:
        return named or None
    own = ProviderAccount.objects.filter(merchant=store.merchant_id, livemode=store.livemode)
    account = own.defer("credentials").filter(pk=named).first() if ids.is_id(named, "acct") else None
    if account is None:
        raise InvalidRequest("There is no such provider account for this store.", param=_ACCOUNT)
    if not account.is_enabled:
        raise InvalidRequest(f"{account.pk} is switched off and takes no payments.", param=_ACCOUNT)
    return str(account.pk)


def open_store(*, merchant: Merchant, livemode: bool, public_id: str, param: str) -> Store:
    """The merchant's own store of that mode, which takes payments. Raises InvalidRequest that names `param`."""
    store = None
    if ids.is_id(public_id, "store"):
        store = Store.objects.filter(merchant=merchant, livemode=livemode, pk=public_id).first()
    if store is None:
        raise InvalidRequest("There is no such store for this key.", param=param)
    if not store.is_enabled:
        raise InvalidRequest(f"{store.pk} is switched off and takes no payments.", param=param)
    return store


def _record(store: Store, action: str, by: str, **detail: object) -> None:
    audit.record(
        actor=by,
        action=action,
        merchant=store.merchant_id,
        livemode=store.livemode,
        object_id=store.pk,
        detail=detail,
    )
