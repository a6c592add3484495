"""The lifecycles of money coming in, on one screen."""

from django.db.models import TextChoices

from core.states import Machine


class PaymentState(TextChoices):
    CREATED = "created"
    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    AUTHORIZED = "authorized"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class AttemptState(TextChoices):
    OPEN = "open"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABANDONED = "abandoned"


class OperationState(TextChoices):
    CREATED = "created"
    SENDING = "sending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class RefundState(TextChoices):
    CREATED = "created"
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DisputeState(TextChoices):
    """An inquiry is a bank's question before a dispute: no money is taken back for it."""

    OPENED = "opened"
    INQUIRY = "inquiry"
    INQUIRY_UNDER_REVIEW = "inquiry_under_review"
    INQUIRY_CLOSED = "inquiry_closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"


class UnallocatedState(TextChoices):
    OPEN = "open"
    ASSIGNED = "assigned"


class SavedMethodState(TextChoices):
    CREATED = "created"
    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    ACTIVE = "active"
    EXPIRED = "expired"
    FAILED = "failed"
    DETACHED = "detached"


class ScheduleState(TextChoices):
    ACTIVE = "active"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    COMPLETED = "completed"


class PeriodState(TextChoices):
    """`charging` is a try whose outcome is not known yet, `retrying` waits for the next one."""

    UPCOMING = "upcoming"
    AWAITING_AMOUNT = "awaiting_amount"
    CHARGING = "charging"
    REQUIRES_ACTION = "requires_action"
    RETRYING = "retrying"
    PAID = "paid"
    FAILED = "failed"
    SKIPPED = "skipped"


_P, _A, _O, _R, _D = PaymentState, AttemptState, OperationState, RefundState, DisputeState
_PAYMENT_ENDS = (_P.SUCCEEDED, _P.FAILED, _P.CANCELLED, _P.EXPIRED)

PAYMENT = Machine(
    start=_P.CREATED,
    edges={
        _P.CREATED: (_P.PROCESSING, _P.REQUIRES_ACTION, _P.AUTHORIZED, *_PAYMENT_ENDS),
        _P.PROCESSING: (_P.REQUIRES_ACTION, _P.AUTHORIZED, *_PAYMENT_ENDS),
        _P.REQUIRES_ACTION: (_P.PROCESSING, _P.AUTHORIZED, *_PAYMENT_ENDS),
        _P.AUTHORIZED: _PAYMENT_ENDS,
        _P.SUCCEEDED: (),
        _P.FAILED: (),
        _P.CANCELLED: (),
        _P.EXPIRED: (),
    },
    late={_P.FAILED: (_P.SUCCEEDED,), _P.CANCELLED: (_P.SUCCEEDED,), _P.EXPIRED: (_P.SUCCEEDED,)},
    success=(_P.SUCCEEDED,),
)

ATTEMPT = Machine(
    start=_A.OPEN,
    edges={
        _A.OPEN: (_A.SUCCEEDED, _A.FAILED, _A.ABANDONED),
        _A.SUCCEEDED: (),
        _A.FAILED: (),
        _A.ABANDONED: (),
    },
    late={_A.FAILED: (_A.SUCCEEDED,), _A.ABANDONED: (_A.SUCCEEDED,)},
    success=(_A.SUCCEEDED,),
)

OPERATION = Machine(
    start=_O.CREATED,
    edges={
        _O.CREATED: (_O.SENDING, _O.FAILED),
        _O.SENDING: (_O.SUCCEEDED, _O.FAILED, _O.UNKNOWN),
        _O.UNKNOWN: (_O.SUCCEEDED, _O.FAILED),
        _O.SUCCEEDED: (),
        _O.FAILED: (),
    },
    success=(_O.SUCCEEDED,),
)

REFUND = Machine(
    start=_R.CREATED,
    edges={
        _R.CREATED: (_R.PENDING, _R.SUCCEEDED, _R.FAILED, _R.CANCELLED),
        _R.PENDING: (_R.SUCCEEDED, _R.FAILED, _R.CANCELLED),
        _R.SUCCEEDED: (_R.FAILED,),
        _R.FAILED: (),
        _R.CANCELLED: (),
    },
    success=(_R.SUCCEEDED,),
)

_DISPUTED = (_D.NEEDS_RESPONSE, _D.UNDER_REVIEW, _D.WON, _D.LOST)

DISPUTE = Machine(
    start=_D.OPENED,
    edges={
        _D.OPENED: (_D.INQUIRY, _D.INQUIRY_UNDER_REVIEW, _D.INQUIRY_CLOSED, *_DISPUTED),
        _D.INQUIRY: (_D.INQUIRY_UNDER_REVIEW, _D.INQUIRY_CLOSED, *_DISPUTED),
        _D.INQUIRY_UNDER_REVIEW: (_D.INQUIRY_CLOSED, *_DISPUTED),
        _D.INQUIRY_CLOSED: _DISPUTED,
        _D.NEEDS_RESPONSE: (_D.UNDER_REVIEW, _D.WON, _D.LOST),
        _D.UNDER_REVIEW: (_D.WON, _D.LOST),
        _D.WON: (),
        _D.LOST: (),
    },
    late={_D.LOST: (_D.WON,)},
    success=(_D.WON,),
)
"""A dispute that was lost is won late when its bank gives the money back after all."""

UNALLOCATED = Machine(
    start=UnallocatedState.OPEN,
    edges={UnallocatedState.OPEN: (UnallocatedState.ASSIGNED,), UnallocatedState.ASSIGNED: ()},
    success=(UnallocatedState.ASSIGNED,),
)

_S = SavedMethodState
_SET_UP = (_S.ACTIVE, _S.FAILED, _S.DETACHED)

SAVED_METHOD = Machine(
    start=_S.CREATED,
    edges={
        _S.CREATED: (_S.PROCESSING, _S.REQUIRES_ACTION, *_SET_UP),
        _S.PROCESSING: (_S.REQUIRES_ACTION, *_SET_UP),
        _S.REQUIRES_ACTION: (_S.PROCESSING, *_SET_UP),
        _S.ACTIVE: (_S.EXPIRED, _S.DETACHED),
        _S.EXPIRED: (_S.ACTIVE, _S.DETACHED),
        _S.FAILED: (),
        _S.DETACHED: (),
    },
    success=(_S.ACTIVE,),
)
"""An expired card that its bank has renewed is active again."""

_C, _T = ScheduleState, PeriodState

SCHEDULE = Machine(
    start=_C.ACTIVE,
    edges={
        _C.ACTIVE: (_C.PAUSED, _C.CANCELLED, _C.COMPLETED),
        _C.PAUSED: (_C.ACTIVE, _C.CANCELLED, _C.COMPLETED),
        _C.CANCELLED: (),
        _C.COMPLETED: (),
    },
)

PERIOD = Machine(
    start=_T.UPCOMING,
    edges={
        _T.UPCOMING: (_T.AWAITING_AMOUNT, _T.CHARGING, _T.SKIPPED),
        _T.AWAITING_AMOUNT: (_T.CHARGING, _T.SKIPPED),
        _T.CHARGING: (_T.REQUIRES_ACTION, _T.RETRYING, _T.PAID, _T.FAILED, _T.SKIPPED),
        _T.REQUIRES_ACTION: (_T.CHARGING, _T.RETRYING, _T.PAID, _T.FAILED),
        _T.RETRYING: (_T.CHARGING, _T.PAID, _T.FAILED),
        _T.PAID: (),
        _T.FAILED: (),
        _T.SKIPPED: (),
    },
    late={_T.FAILED: (_T.PAID,)},
    success=(_T.PAID,),
)
"""A period that failed is paid late when the payment of one of its tries succeeds after all."""
