"""Whether an account's credentials are good: one real call that changes nothing, and what it came to."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core import clock, http
from core.providers import Misconfigured, ProviderFault, TokenRejected
from events import audit
from merchants import accounts, limits
from merchants.models import ProviderAccount

_LIMIT = "10/minute"
"""Per account: a test may fetch an access token, which ends the one in use."""


class Result(StrEnum):
    OK = "ok"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Checked:
    """`detail` says why in our words, and holds no secret."""

    account: ProviderAccount
    result: Result
    detail: str
    at: datetime


def limit(account: ProviderAccount) -> None:
    """Count a test. Raises RateLimited."""
    limits.check(_LIMIT, "account_check", account.pk)


def check_account(account: ProviderAccount, *, by: str) -> Checked:
    """Not inside a transaction: it calls the provider."""
    result, detail = _result(account)
    audit.record(
        actor=by,
        action="provider_account.tested",
        merchant=account.merchant_id,
        livemode=account.livemode,
        object_id=account.pk,
        detail={"result": result, "detail": detail},
    )
    return Checked(account, result, detail, clock.now())


def _result(account: ProviderAccount) -> tuple[Result, str]:
    try:
        accounts.kind_of(account.provider).check(account)
    except (Misconfigured, TokenRejected, ValueError) as fault:
        return Result.REFUSED, str(fault)
    except (ProviderFault, http.Busy):
        return Result.UNKNOWN, "The provider could not be reached, or its answer says nothing of the credentials."
    return Result.OK, "The provider accepts the credentials."
