"""The part of the seam that says why something failed, and whether it is worth another try."""

from dataclasses import dataclass
from enum import StrEnum


class FailureCode(StrEnum):
    """The closed list of `failure.code`. The provider's own word is kept beside it as evidence."""

    DECLINED = "declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    LIMIT_EXCEEDED = "limit_exceeded"
    AUTHENTICATION_REQUIRED = "authentication_required"
    AUTHENTICATION_FAILED = "authentication_failed"
    EXPIRED_INSTRUMENT = "expired_instrument"
    INVALID_INSTRUMENT = "invalid_instrument"
    CANCELLED_BY_PAYER = "cancelled_by_payer"
    PAYER_UNREACHABLE = "payer_unreachable"
    PAYER_BUSY = "payer_busy"
    TIMED_OUT = "timed_out"
    DUPLICATE = "duplicate"
    INVALID_REQUEST = "invalid_request"
    PROVIDER_CONFIGURATION = "provider_configuration"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    PROVIDER_ERROR = "provider_error"

    @property
    def is_retryable(self) -> bool:
        """Whether the same charge to the same instrument may succeed another day: a soft decline.

        Source: docs.stripe.com/declines/codes ("next steps") and /billing/revenue-recovery/smart-retries.
        """
        return self in _SOFT


_SOFT = frozenset(
    (
        FailureCode.DECLINED,
        FailureCode.INSUFFICIENT_FUNDS,
        FailureCode.LIMIT_EXCEEDED,
        FailureCode.PAYER_UNREACHABLE,
        FailureCode.PAYER_BUSY,
        FailureCode.TIMED_OUT,
        FailureCode.PROVIDER_CONFIGURATION,
        FailureCode.PROVIDER_UNAVAILABLE,
        FailureCode.PROVIDER_ERROR,
    )
)


@dataclass(frozen=True, slots=True)
class Failure:
    """`message` may be shown to the merchant; `provider_code` is the provider's own word.

    `is_final` says that the payer's bank will not change its mind, whatever the code: a card that is lost, say.
    """

    code: FailureCode
    message: str
    provider_code: str = ""
    is_final: bool = False
