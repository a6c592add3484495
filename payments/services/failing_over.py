"""Another account for a payment whose account has failed: only where nobody can have been charged (money.md 14)."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum

from core.providers import Misconfigured, NothingCreated, OutcomeUnknown, ProviderFault, Unreachable, Unsupported
from merchants import breakers
from merchants.models import ProviderAccount
from payments.models import Operation, Payment
from payments.providers import REGISTRY
from payments.providers.base import FailureCode, Kind, Order, Report
from payments.services import booking
from payments.services.making import new_attempt
from payments.services.places import busy, reserve
from payments.services.preparing import prepare


class Decision(StrEnum):
    NEXT = "next"
    STOP = "stop"


_BY_FAULT: Mapping[type[ProviderFault], Decision] = {
    Unsupported: Decision.NEXT,
    Unreachable: Decision.NEXT,
    Misconfigured: Decision.NEXT,
}
"""A refused access token has been replaced and the same request sent again before anybody asks here."""

_BY_CODE: Mapping[str, Decision] = {
    FailureCode.PROVIDER_UNAVAILABLE: Decision.NEXT,
    FailureCode.PROVIDER_CONFIGURATION: Decision.NEXT,
    FailureCode.PROVIDER_ERROR: Decision.NEXT,
    FailureCode.INVALID_REQUEST: Decision.NEXT,
    FailureCode.LIMIT_EXCEEDED: Decision.NEXT,
}
"""Certain refusals that another company may not share. What is the payer's own, such as a busy phone, ends it."""


def decide(outcome: Report | ProviderFault, *, held_by_us: bool) -> Decision:
    """What follows on the first answer. A decline is an answer, and is final.

    After an unknown outcome, or a code that we withhold, nobody may be asked anew, unless what was asked for cannot be
    paid without passing us.
    """
    match outcome:
        case OutcomeUnknown():
            return Decision.NEXT if held_by_us else Decision.STOP
        case Report() if outcome.withheld:
            return Decision.NEXT if held_by_us else Decision.STOP
        case NothingCreated() | Unsupported():
            return _BY_FAULT.get(type(outcome)) or _BY_CODE.get(getattr(outcome, "code", ""), Decision.STOP)
        case _:
            return Decision.STOP


def feed_breaker(account: str, outcome: Report | ProviderFault) -> None:
    """Whether anybody was there counts, and not what they said."""
    silent = isinstance(outcome, OutcomeUnknown | Unreachable)
    if silent or getattr(outcome, "code", "") == FailureCode.PROVIDER_UNAVAILABLE:
        breakers.note_silence(account)
    else:
        breakers.note_answer(account)


@dataclass
class Turns:
    """The accounts that are still to be tried, in order; each has its place in flight until the whole is over.

    `following` is what is to be performed next, once it has been committed in the place of what failed.
    """

    accounts: list[ProviderAccount]
    held: ExitStack = field(repr=False)
    following: tuple[Operation, Order] | None = None

    def first(self) -> ProviderAccount:
        """Raises ProviderBusy where no account has a place, before anything is written."""
        named = self.accounts[0].provider
        account = self._next()
        if account is None:
            raise busy(named)
        return account

    def take(self) -> tuple[Operation, Order] | None:
        """What is to be performed next, and nothing after it until something else has failed."""
        following, self.following = self.following, None
        return following

    def instead_of(self, operation: Operation, outcome: Report | ProviderFault) -> Operation | None:
        """Prepare the same payment at the next account; None where the outcome stands, or nobody is left."""
        payment, failed = operation.attempt.payment, operation.attempt.account
        if decide(outcome, held_by_us=booking.held_by_us(operation.attempt)) is Decision.STOP:
            return None
        self.accounts = [account for account in self.accounts if _takes_the_same(account, failed, payment)]
        account = self._next()
        if account is None:
            return None
        attempt = new_attempt(payment, account)
        self.following = prepare(attempt, Kind.CREATE, by=operation.by, money=payment.money, sending=True)
        return self.following[0]

    def drop(self) -> None:
        """Nobody is asked next: the operation is somebody else's by now."""
        self.following = None

    def _next(self) -> ProviderAccount | None:
        while self.accounts:
            account = self.accounts.pop(0)
            if breakers.admit(account.pk) and reserve(account, self.held):
                return account
        return None


def _takes_the_same(account: ProviderAccount, failed: ProviderAccount, payment: Payment) -> bool:
    """A browser's token is good at its own account alone; a phone is written as its provider wants it."""
    wanted = REGISTRY[failed.provider].capabilities.methods[payment.method].instrument
    other = REGISTRY[account.provider].capabilities.methods[payment.method].instrument
    return other == wanted and (not wanted or (wanted == "phone" and account.provider == failed.provider))
