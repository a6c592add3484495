"""Bayarind (PT Sprint Asia): virtual accounts, QRIS and its own wallet, by the classic protocol or by SNAP BI.

It tells of a payment by a flag whose answer decides: what we do not accept, the payer's bank gives back. One account is
one channel of Bayarind's. Nothing is refunded there; what is unpaid can be voided. Sources stand with
core.companies.bayarind; no manual is public, so limits are provisional and codes are options of the account.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta

from core.companies import bayarind as wire
from core.http import Request
from core.money import Money, NotRepresentable
from core.providers import Door, Lookup, OperationDeclaration, Proof, Replay, Unreadable
from payments.providers.base import (
    Admission,
    CallbackAnswer,
    Capabilities,
    Connection,
    Kind,
    MethodCapability,
    Notice,
    Order,
    PaymentProvider,
    RawCallback,
    Step,
)
from payments.providers.bayarind_account import CODE_LIFE, Credentials, Options, Protocol
from payments.providers.bayarind_classic import Classic
from payments.providers.bayarind_snap import Snap

_LARGEST = 9_999_999_999
_RUPIAH = frozenset({wire.CURRENCY})


def _seconds(*moments: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=moment) for moment in moments)


_PROTOCOLS: Mapping[str, Callable[[Connection[Credentials, Options]], Protocol]] = {
    "classic": Classic,
    "snap": Snap,
}
_DOORS: Mapping[str, str] = {"flag": "classic", "transfer": "snap"}


class Bayarind(PaymentProvider[Credentials, Options]):
    name = "bayarind"
    title = "Bayarind"
    credentials_type = Credentials
    options_type = Options
    hosts = wire.HOSTS
    live_hosts = frozenset({"production"})
    capabilities = Capabilities(
        methods={
            "virtual_account": MethodCapability(
                currencies=_RUPIAH,
                channels=("bca", "permata"),
                limits={wire.CURRENCY: (100, _LARGEST * 100)},
                code_life=CODE_LIFE,
                tells_declines=False,
            ),
            "qris": MethodCapability(
                currencies=_RUPIAH,
                limits={wire.CURRENCY: (100, 1_000_000_000)},
                code_life=CODE_LIFE,
                tells_declines=False,
                held_by_us=True,
            ),
            "ewallet": MethodCapability(
                currencies=_RUPIAH,
                channels=("bayarind",),
                limits={wire.CURRENCY: (100, _LARGEST * 100)},
                code_life=CODE_LIFE,
                tells_declines=False,
            ),
        },
        operations={
            Kind.CREATE: OperationDeclaration(
                Replay.UNIQUE_REFERENCE,
                Lookup.BY_REFERENCE,
                ask_after=_seconds(15, 60, 300, 900, 3600, 14_400, 43_200, 86_400, 172_800, 608_400),
            ),
            # What becomes of a void no question tells; the same void again does.
            Kind.CANCEL: OperationDeclaration(
                Replay.UNIQUE_REFERENCE, Lookup.NONE, ask_after=_seconds(5, 20, 60, 300, 900, 3600, 14_400, 86_400)
            ),
        },
        doors={door: Door(Proof.FULL, wants_answer=True) for door in _DOORS},
        refunds="none",
        reference_length=18,
    )

    def units(self, money: Money) -> int:
        """Whole rupiah, of ten digits at most; SNAP takes no fewer than two."""
        if money.currency != wire.CURRENCY:
            raise NotRepresentable(f"Bayarind takes {wire.CURRENCY} only")
        units = money.in_units(0)
        smallest = 10 if self.options.api == "snap" else 1
        if not smallest <= units <= _LARGEST:
            raise NotRepresentable(f"Bayarind takes from {smallest} to {_LARGEST} rupiah at a time")
        return units

    def _protocol(self, name: str = "") -> Protocol:
        return _PROTOCOLS[name or self.options.api](self.connection)

    def authorize(self, request: Request) -> Request:
        return self._protocol().authorize(request)

    def check_credentials(self) -> None:
        self._protocol().check_credentials()

    def create(self, order: Order) -> Step:
        self.units(order.money)
        return self._protocol().create(order)

    def cancel(self, order: Order) -> Step:
        """Void what is unpaid."""
        return self._protocol().cancel(order)

    def fetch(self, order: Order) -> Step:
        return self._protocol().fetch(order) if order.kind is Kind.CREATE else super().fetch(order)

    def source_addresses(self) -> tuple[str, ...]:
        return self.options.source_addresses

    def verify(self, callback: RawCallback) -> None:
        self._protocol(_DOORS[callback.door]).verify(callback)

    def read_callback(self, callback: RawCallback) -> Notice:
        try:
            return self._protocol(_DOORS[callback.door]).read_callback(callback)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Unreadable("not what Bayarind's sources show for a payment") from error

    def admit(self, callback: RawCallback, admission: Admission) -> CallbackAnswer:
        return self._protocol(_DOORS[callback.door]).admit(callback, admission)
