"""The books after the story, as staff see them: the trial balance, which must be zero.

Import it only after `django.setup()`.
"""

from config.demonstration.telling import CannotGoOn, Teller
from core.money import Money
from ledger import checking
from ledger.statements import out_of_balance, trial_balance


def show_trial_balance(teller: Teller) -> None:
    """Print debits and credits of each kind of account. Raises CannotGoOn when the books are not true."""
    totals = trial_balance(livemode=False)
    teller.say("\n  The trial balance: whose money it is, and where\n")
    for currency, difference in out_of_balance(totals).items():
        teller.say(f"      {currency:<24}{'debit':>18}{'credit':>18}")
        for total in totals:
            if total.currency == currency and (total.debits or total.credits):
                teller.say(_line(total.kind.replace("_", " "), Money(total.debits, currency), total.credits))
        teller.say(f"      {'difference':<24}{Money(difference, currency)!s:>18}")
    found = checking.findings()
    if found:
        raise CannotGoOn("The books are not true: " + "; ".join(finding.told for finding in found))


def _line(kind: str, debits: Money, credits: int) -> str:
    sides = [str(side) if side.amount else "" for side in (debits, Money(credits, debits.currency))]
    return f"      {kind:<24}{sides[0]:>18}{sides[1]:>18}"
