"""Codes to be scanned, whoever's they are: read and compared here before anybody is shown one (money.md 14)."""

from dataclasses import replace

from core import qris
from core.money import Money
from core.qris import Qris
from merchants.models import ProviderAccount
from payments.models import Attempt
from payments.providers import REGISTRY
from payments.providers.base import Failure, FailureCode, Report
from payments.services import connections

CODE = "qr"
WITHHELD = Failure(
    FailureCode.PROVIDER_ERROR, "The provider's code does not fit the payment. Nobody has been shown it."
)
_LONGEST, _LONGEST_NAME = 512, 25
"""Characters of an EMVCo code, and of the name in it."""


def checked(attempt: Attempt, report: Report) -> Report:
    """The report as it came, or without its code and with the reason in `withheld`.

    What is shown already has been checked, and stays: nothing that is told later takes its place unless it fits.
    """
    action = report.next_action
    if not action or action["type"] != CODE:
        return report
    fault = _fault(attempt, str(action["qr_string"]))
    if not fault:
        return report
    return replace(report, next_action=None, withheld="" if attempt.payment.next_action else fault)


def _fault(attempt: Attempt, text: str) -> str:
    """Why nobody may scan it; empty where it asks for the payment and nothing else."""
    if len(text) > _LONGEST:
        return "it is longer than any code"
    try:
        read = qris.parse(text)
    except qris.NotQris as error:
        return "" if _may_be_a_sample(attempt, text) else str(error)
    return _other_money(read, attempt.payment.money) or other_merchant(read, attempt.account)


def static_fault(account: ProviderAccount, text: str) -> str:
    """Why a code may not stand on a counter; empty where it may. That it is static, its adapter has read."""
    if not text or len(text) > _LONGEST:
        return "it has no text that could be drawn"
    try:
        return other_merchant(qris.parse(text), account)
    except qris.NotQris:
        return ""


def _may_be_a_sample(attempt: Attempt, text: str) -> bool:
    """Only what is plainly no code: nobody can pay by it. One that is broken is withheld in test mode, too."""
    method = REGISTRY[attempt.account.provider].capabilities.methods[attempt.payment.method]
    return method.sample_codes and not attempt.livemode and not text.startswith(qris.BEGINNING)


def _other_money(read: Qris, asked: Money) -> str:
    if read.amount != asked:
        return f"it asks for {read.amount or 'no amount'}, and the payment for {asked}"
    return "it asks for a tip on top" if read.tip else ""


def other_merchant(read: Qris, account: ProviderAccount) -> str:
    """Why a code of this account pays somebody else; empty where it does not, or its options do not say whom.

    Numbers are compared as they are, names as people read them; acquirers cut off long ones.
    """
    expected = str(getattr(connections.connect(account).options, "qris_merchant", ""))
    names = {_plain(expected), _plain(expected[:_LONGEST_NAME])}
    if not expected or expected == read.national_id or _plain(read.merchant) in names:
        return ""
    return f"it pays {read.merchant!r} ({read.national_id or 'without a number'}), and the account expects {expected!r}"


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
