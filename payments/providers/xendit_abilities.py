"""What Xendit can do, by which ways, and when it is asked about what it was sent."""

from datetime import timedelta

from core.companies import xendit as wire
from core.providers import Door, Lookup, OperationDeclaration, Proof, Replay
from payments.providers import xendit_transactions
from payments.providers.base import Capabilities, Kind, MethodCapability

QRIS, _INVOICE = "qris", "hosted_page"
_CODE_LIFE, INVOICE_LIFE = timedelta(hours=48), timedelta(hours=24)


def _seconds(*moments: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=moment) for moment in moments)


# Nothing tells that a code has ended: the last questions come after the two days that it may live.
_CREATE = OperationDeclaration(
    Replay.NONE,
    Lookup.BY_REFERENCE,
    ask_after=_seconds(15, 45, 120, 300, 600, 1020, 3600, 14_400, 87_000, 173_400, 259_200),
)
_CANCEL = OperationDeclaration(
    Replay.UNIQUE_REFERENCE, Lookup.BY_ID, ask_after=_seconds(5, 20, 60, 300, 900, 3600, 14_400, 87_000)
)
_REFUND = OperationDeclaration(
    Replay.NONE, Lookup.BY_REFERENCE, ask_after=_seconds(15, 60, 300, 900, 3600, 14_400, 86_400, 259_200, 604_800)
)


CAPABILITIES = Capabilities(
    methods={
        QRIS: MethodCapability(
            currencies=frozenset({wire.CURRENCY}),
            limits={wire.CURRENCY: (100, 1_000_000_000)},
            code_life=_CODE_LIFE,
            held_by_us=True,
            lacks=frozenset({Kind.CANCEL}),
            tells_declines=False,
            next_actions=("qr",),
            sample_codes=True,
        ),
        _INVOICE: MethodCapability(
            currencies=frozenset({wire.CURRENCY}),
            code_life=INVOICE_LIFE,
            tells_declines=False,
            next_actions=("redirect",),
        ),
    },
    operations={Kind.CREATE: _CREATE, Kind.CANCEL: _CANCEL, Kind.REFUND: _REFUND},
    doors={"notifications": Door(Proof.WEAK, signed=True)},
    refunds="partial",
    reports_cost=True,
    statements=xendit_transactions.STATEMENTS,
)
