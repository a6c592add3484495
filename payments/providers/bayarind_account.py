"""What an account at Bayarind is made of, and what its two protocols share."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core import addresses, snap
from core.companies import bayarind as wire
from core.crypto import Secret
from core.http import Request
from payments.providers.base import (
    Admission,
    CallbackAnswer,
    Connection,
    Notice,
    Order,
    RawCallback,
    Step,
    Word,
)

_APIS = ("classic", "snap")
_PATH = re.compile(r"(/[A-Za-z0-9._-]*[A-Za-z0-9_-])+")

SERVICE_CODES: Mapping[str, str] = {"bca": "1021", "permata": "1011", "bayarind": "1083"}
CODE_LIFE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Those of one channel, and secrets before it whose messages are still believed. `private_key` is for SNAP, PEM."""

    channel_id: str
    secret_key: Secret
    former_secret_keys: tuple[Secret, ...] = ()
    private_key: Secret = field(default_factory=lambda: Secret(""))

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,50}", self.channel_id):
            raise ValueError("'channel_id' must be letters and digits")
        if self.private_key:
            snap.check_private_key(self.private_key)

    def secrets(self) -> tuple[Secret, ...]:
        return (self.secret_key, *self.former_secret_keys)


@dataclass(frozen=True, slots=True)
class Options:
    """`api` is "classic" or "snap", which serves virtual accounts only.

    `service_codes` are by channel ("bca", "permata", "bayarind") or "qris", beside those in code; QRIS has none there,
    as no source tells it. `company_codes` are by bank. `customer_name` stands where the payer's is not known. The
    paths are where the classic calls go. `flag_words` and `status_words` read the statuses of payment flags and of
    answered questions in other words of ours than those in code. `bayarind_key` is Bayarind's public key, PEM;
    `signed_path` the path over which it signs its payments, as it knows it. Each QRIS code names `qris_merchant`, by
    number or name, where that is given.
    """

    api: str = "classic"
    service_codes: Mapping[str, str] = field(default_factory=dict)
    company_codes: Mapping[str, str] = field(default_factory=dict)
    customer_name: str = "Customer"
    qris_merchant: str = ""
    register_path: str = "/PaymentRegister"
    status_path: str = "/PaymentQuery"
    void_path: str = "/PostAuth"
    snap_prefix: str = "/api/v1.0/transfer-va"
    flag_words: Mapping[str, str] = field(default_factory=dict)
    status_words: Mapping[str, str] = field(default_factory=dict)
    bayarind_key: str = ""
    signed_path: str = "/v1.0/transfer-va/payment"
    source_addresses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        addresses.networks(self.source_addresses)
        if self.api not in _APIS:
            raise ValueError(f"'api' must be one of {', '.join(_APIS)}")
        for name in ("register_path", "status_path", "void_path", "snap_prefix"):
            if not _PATH.fullmatch(getattr(self, name)):
                raise ValueError(f"{name!r} must be a path such as /PaymentRegister")
        self._check_codes()
        for name in ("flag_words", "status_words"):
            for word in getattr(self, name).values():
                if word not in list(Word):
                    raise ValueError(f"{name!r} maps to {word!r}, which is none of our words")
        if self.bayarind_key:
            snap.check_public_key(self.bayarind_key)

    def _check_codes(self) -> None:
        for code in self.service_codes.values():
            if not re.fullmatch(r"[0-9]{4}", code):
                raise ValueError("'service_codes' are of four digits each")
        for channel, code in self.company_codes.items():
            digits = wire.COMPANY_CODE_DIGITS.get(self.service_code(channel))
            if not re.fullmatch(r"[0-9]{1,8}", code) or digits not in (None, len(code)):
                raise ValueError(f"'company_codes' has no code for {channel!r} of {digits or '1 to 8'} digits")

    def service_code(self, channel: str) -> str:
        """Empty where there is none."""
        return self.service_codes.get(channel) or SERVICE_CODES.get(channel, "")


class Protocol(ABC):
    """One of the two ways in which Bayarind can be talked to."""

    def __init__(self, connection: Connection[Credentials, Options]) -> None:
        self.connection = connection
        self.credentials, self.options = connection.credentials, connection.options

    def service_code(self, order: Order) -> str:
        return self.options.service_code(order.channel or order.method)

    def begins(self, order: Order) -> datetime:
        return order.made_at or self.connection.now()

    def ends(self, order: Order) -> datetime:
        return order.expires_at or self.begins(order) + CODE_LIFE

    def payer_name(self, order: Order, longest: int) -> str:
        name = "".join(letter for letter in order.payer.name if letter.isprintable()).strip()
        return (name or self.options.customer_name)[:longest]

    @abstractmethod
    def authorize(self, request: Request) -> Request: ...

    @abstractmethod
    def check_credentials(self) -> None: ...

    @abstractmethod
    def create(self, order: Order) -> Step: ...

    @abstractmethod
    def fetch(self, order: Order) -> Step: ...

    @abstractmethod
    def cancel(self, order: Order) -> Step: ...

    @abstractmethod
    def verify(self, callback: RawCallback) -> None: ...

    @abstractmethod
    def read_callback(self, callback: RawCallback) -> Notice:
        """Raises KeyError, TypeError, AttributeError or ValueError for what is not Bayarind's."""

    @abstractmethod
    def admit(self, callback: RawCallback, admission: Admission) -> CallbackAnswer: ...
