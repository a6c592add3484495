"""What every provider seam shares: the registry, declarations of behaviour, and the tree of faults.

ProviderFault
├── Unsupported          the adapter does not declare this; nothing was sent
├── NothingCreated       certain: no byte was written, or the provider's answer is listed as such
│   ├── Unreachable      no byte was written
│   ├── TokenRejected    the access token was refused; a fresh one may be tried once
│   └── Misconfigured    credentials or account options are wrong; a person must act
├── OutcomeUnknown       it may or may not have happened: ask, never guess
│   └── NotShown         the provider was asked, and shows nothing of it; it may be on its way
└── CallbackRefused      a callback that must move nothing
    ├── Forged           the signature or the address does not fit
    └── Unreadable       the body is not what the provider's documentation describes
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, NoReturn, Protocol, TypeVar, get_type_hints

from core.crypto import Secret

Adapter = TypeVar("Adapter")
Kind = TypeVar("Kind")


class ProviderFault(Exception):
    """The root of everything that can go wrong between us and a provider."""


class Unsupported(ProviderFault):
    pass


class NothingCreated(ProviderFault):
    """`code` is our word for the failure, `provider_code` the provider's own."""

    def __init__(self, message: str, *, code: str = "provider_error", provider_code: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.provider_code = provider_code


class Unreachable(NothingCreated):
    def __init__(self, message: str) -> None:
        super().__init__(message, code="provider_unavailable")


class TokenRejected(NothingCreated):
    pass


class Misconfigured(NothingCreated):
    def __init__(self, message: str, *, provider_code: str = "") -> None:
        super().__init__(message, code="provider_configuration", provider_code=provider_code)


class OutcomeUnknown(ProviderFault):
    pass


class NotShown(OutcomeUnknown):
    pass


class CallbackRefused(ProviderFault):
    pass


class Forged(CallbackRefused):
    pass


class Unreadable(CallbackRefused):
    pass


class Replay(StrEnum):
    """Whether the same write may be sent again: under its key, under its unique reference, or never."""

    KEY = "key"
    UNIQUE_REFERENCE = "unique_reference"
    NONE = "none"


class Lookup(StrEnum):
    """How the outcome of a write can be found out."""

    BY_REFERENCE = "by_reference"
    BY_ID = "by_id"
    LISTING = "listing"
    ASYNCHRONOUS = "asynchronous"
    NONE = "none"


class Proof(StrEnum):
    """FULL: a secret covers every field that we act on. WEAK: a callback only triggers a query."""

    FULL = "full"
    WEAK = "weak"


@dataclass(frozen=True, slots=True)
class OperationDeclaration:
    """What a provider promises about one kind of write.

    `key_lifetime` is how long the provider remembers the key; `ask_after` is the schedule, counted
    from the send, at which an open or unknown outcome is asked about before it is handed to a person.
    """

    replay: Replay
    lookup: Lookup
    ask_after: tuple[timedelta, ...]
    key_length: int = 255
    key_lifetime: timedelta = timedelta(0)
    margin: timedelta = timedelta(minutes=30)

    def may_resend(self, age: timedelta) -> bool:
        """Whether the same key and bytes may be sent again `age` after the first send."""
        if self.replay is Replay.UNIQUE_REFERENCE:
            return True
        return self.replay is Replay.KEY and age < self.key_lifetime - self.margin

    def next_ask(self, age: timedelta) -> timedelta | None:
        """When, after the send, the next question is due for a write that is `age` old; None at the end."""
        return next((time for time in self.ask_after if time > age), None)


@dataclass(frozen=True, slots=True)
class Door:
    """A kind of callback that a provider sends, under a short neutral word of the adapter's.

    `wants_answer` marks doors whose answer decides something for the payer: they are processed
    before they are answered and never deduplicated. `signed` says that `verify` checks a signature or a secret
    there, so that an account without listed addresses can use it although its proof is weak.
    """

    proof: Proof
    wants_answer: bool = False
    per_operation: bool = False
    signed: bool = False


@dataclass(frozen=True, slots=True)
class AccessToken:
    value: Secret
    lifetime: timedelta


class TokenStore(Protocol):
    """Holds the one live access token of a provider account (M-Pesa: a new one kills the old)."""

    def get(self, fetch: Callable[[], AccessToken]) -> Secret:
        """The live token, fetched by whoever finds it missing or near its end."""

    def reject(self, token: Secret) -> None:
        """The provider refused this token; the next `get` fetches another, if it is still that one."""


class Registry(Generic[Adapter]):
    """Adapters by name, in the order in which they are listed."""

    def __init__(self, adapters: Mapping[str, type[Adapter]]) -> None:
        self._adapters = dict(adapters)

    def __getitem__(self, name: str) -> type[Adapter]:
        try:
            return self._adapters[name]
        except KeyError:
            known = ", ".join(self._adapters) or "none"
            raise Unsupported(f"no provider {name!r} is registered here; registered: {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._adapters)

    def __contains__(self, name: object) -> bool:
        return name in self._adapters


def from_json(kind: type[Kind], data: Mapping[str, Any]) -> Kind:
    """Credentials or options, a dataclass, from decoded JSON.

    Raises ValueError that names the field which is unknown, missing or of the wrong type, never its value.
    """
    declared: dict[str, Field[Any]] = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    types = get_type_hints(kind)
    for name in data:
        if name not in declared:
            raise ValueError(f"{name!r} is not a field; the fields are {', '.join(declared)}")
    for name, field in declared.items():
        if name not in data and field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{name!r} is missing")
    return kind(**{name: _field(name, value, types[name]) for name, value in data.items()})


def _field(name: str, value: object, wanted: Any) -> object:
    expected, read = _FIELD_READERS[wanted]
    try:
        return read(value)
    except (TypeError, AttributeError):
        raise ValueError(f"{name!r} must be {expected}") from None


def _exactly(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError
    return value


def _secret(value: object) -> Secret:
    # An empty secret signs as easily for a forger as for the provider.
    if not _exactly(value, str).strip():
        raise TypeError
    return Secret(_exactly(value, str))


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_exactly(item, str) for item in _exactly(value, list))


_FIELD_READERS: dict[Any, tuple[str, Callable[[object], object]]] = {
    str: ("a text", lambda value: _exactly(value, str)),
    int: ("a whole number", lambda value: _exactly(value, int)),
    bool: ("true or false", lambda value: _exactly(value, bool)),
    Secret: ("a text that is not empty", _secret),
    tuple[str, ...]: ("a list of texts", _texts),
    tuple[Secret, ...]: (
        "a list of texts that are not empty",
        lambda value: tuple(_secret(item) for item in _exactly(value, list)),
    ),
    Mapping[str, str]: (
        "an object of texts",
        lambda value: {name: _exactly(text, str) for name, text in _exactly(value, dict).items()},
    ),
}


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a provider sent, its fractions as Decimal. Raises ValueError for anything else."""
    try:
        decoded = json.loads(body, parse_float=Decimal, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    if not isinstance(decoded, dict):
        raise ValueError("the body is no JSON object")
    return decoded


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
