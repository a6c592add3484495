"""Whether the books are true: in balance, summed rightly, and telling what each domain's rows tell."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from core.money import Money
from ledger import balances
from ledger.statements import out_of_balance, trial_balance


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, for people, and how to mend it; None where only a person can."""

    told: str
    mend: Callable[[], None] | None = None


Check = Callable[[], Iterable[Finding]]
_checks: list[Check] = []


def register(check: Check) -> None:
    """Called once for each check by its domain's AppConfig.ready()."""
    _checks.append(check)


def findings() -> list[Finding]:
    """All that is wrong; empty for books that are true."""
    return [finding for check in _checks for finding in check()]


def _in_balance() -> Iterable[Finding]:
    for livemode in (False, True):
        for currency, amount in out_of_balance(trial_balance(livemode=livemode)).items():
            if amount:
                mode = "live" if livemode else "test"
                yield Finding(f"the {mode} trial balance is off by {Money(amount, currency)}")


def _summed() -> Iterable[Finding]:
    for difference in balances.differences():
        told = f"{difference.account} lacks {difference.posted} posted and {difference.reserved} reserved"
        yield Finding(f"{told} of the sum of its entries", partial(balances.correct, [difference]))


register(_in_balance)
register(_summed)
