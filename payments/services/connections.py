"""From a provider account's row to an adapter that can talk for it, and the one way to make a call."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from django.conf import settings

from core import clock, http, measuring
from core.http import Request, Response
from core.providers import OutcomeUnknown, TokenRejected, Unreachable, from_json
from events import sealing
from merchants.models import ProviderAccount
from merchants.tokens import AccountTokens
from payments.providers import REGISTRY
from payments.providers.base import Connection, PaymentProvider

Adapter = PaymentProvider[Any, Any]
Answer = TypeVar("Answer", covariant=True)


class Question(Protocol[Answer]):
    """A request, and how its answer is read: a `Step`, or the page of a statement."""

    @property
    def request(self) -> Request: ...

    @property
    def read(self) -> Callable[[Response], Answer]: ...


SIMULATOR = "simulator"
"""The host that test-mode accounts of every provider may name when SIMULATORS_URL is set."""

_adapters: dict[str, tuple[int, Adapter]] = {}


def connect(account: ProviderAccount, *, at: datetime | None = None) -> Adapter:
    """The adapter for this account; kept while the account's row has the same revision.

    With `at` it is one that stands at that moment, for what arrived then, and is not kept.
    """
    if at is not None:
        return _build(account, lambda: at)
    revision, held = _adapters.get(account.pk, (0, None))
    if held is None or revision != account.revision:
        held = _build(account, clock.now)
        _adapters[account.pk] = account.revision, held
    return held


def _build(account: ProviderAccount, now: Callable[[], datetime]) -> Adapter:
    kind = REGISTRY[account.provider]
    return kind(
        Connection(
            base_url=base_url(account),
            livemode=account.livemode,
            credentials=from_json(kind.credentials_type, json.loads(sealing.unseal(account, "credentials"))),
            options=from_json(kind.options_type, account.options),
            now=now,
            send=partial(_send, account.provider, kind.capabilities.deadline),
            tokens=AccountTokens(account),
        )
    )


def base_url(account: ProviderAccount) -> str:
    """Where this account's provider is. Raises ValueError for a host that is not on the provider's list."""
    if account.host == SIMULATOR and settings.SIMULATORS_URL and not account.livemode:
        place = list(REGISTRY).index(account.provider)
        return f"{settings.SIMULATORS_URL}:{settings.SIMULATORS_PORT + place}"
    hosts = REGISTRY[account.provider].hosts
    if account.host not in hosts:
        raise ValueError(f"{account.pk} names the host {account.host!r}; {account.provider} has {sorted(hosts)}")
    return hosts[account.host]


def ask(provider: Adapter, step: Question[Answer], *, purpose: str = measuring.ANY) -> Answer:
    """Send a step and read its answer; `purpose` is the name under which the call is measured.

    A refused access token is replaced once: the provider listed that answer as "nothing was created".
    Raises NothingCreated or OutcomeUnknown.
    """
    authorized = _authorize(provider, step)
    with measuring.purpose(purpose):
        try:
            return step.read(provider.connection.send(authorized))
        except TokenRejected:
            provider.forget_token(authorized)
            return step.read(provider.connection.send(_authorize(provider, step)))


def _authorize(provider: Adapter, step: Question[object]) -> Request:
    """It may fetch an access token, which is a call of its own."""
    with measuring.purpose("authorize"):
        return provider.authorize(step.request)


def _send(party: str, deadline: float, request: Request) -> Response:
    try:
        return http.send(request, deadline=deadline, party=party)
    except http.NotSent as error:
        raise Unreachable(f"The provider could not be reached: {error}") from error
    except http.AnswerLost as error:
        raise OutcomeUnknown(f"The provider's answer was lost: {error}") from error


def reserve(account: ProviderAccount) -> AbstractContextManager[None]:
    """A context that holds one of the account's calls in flight; raises core.http.Busy at the cap."""
    return http.slot(account.pk, limit=REGISTRY[account.provider].capabilities.in_flight, party=account.provider)
