"""How runs and discrepancies look from outside."""

from typing import Any

from core import clock
from reconciliation.models import Discrepancy, Run


def present_run(run: Run) -> dict[str, Any]:
    return {
        "id": run.pk,
        "object": "reconciliation_run",
        "account": run.account_id,
        "occasion": run.occasion,
        "phase": run.phase,
        "since": clock.rfc3339(run.since),
        "until": clock.rfc3339(run.until),
        "counts": {name: run.counts.get(name, 0) for name in COUNTS},
        "totals": [
            {"currency": currency, **{side: sides.get(side, 0) for side in SIDES}}
            for currency, sides in sorted(run.totals.items())
        ],
        "repaired": run.repaired,
        "unreadable": unreadable(run),
        "duration": None if run.took is None else round(run.took.total_seconds(), 3),
        "livemode": run.livemode,
        "created_at": clock.rfc3339(run.created_at),
        "finished_at": clock.rfc3339(run.finished_at) if run.finished_at else None,
    }


def told_counts(run: Run) -> str:
    """`9 lines, 8 matched, 1 missing here`, for people."""
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in run.counts.items() if count) or "-"


def unreadable(run: Run) -> int:
    """Of a file, the lines that its last reading could not read."""
    return run.upload.unreadable if run.upload is not None else len(run.unreadable)


def present_discrepancy(case: Discrepancy) -> dict[str, Any]:
    return {
        "id": case.pk,
        "object": "reconciliation_exception",
        "run": case.run_id,
        "account": case.account_id,
        "kind": case.kind,
        "outcome": case.outcome,
        "direction": case.direction,
        "provider_money_id": None if case.is_unnumbered or case.settlement else case.key,
        "settlement": case.settlement or None,
        "reference": case.reference or None,
        "listed": _side(case.listed_amount, case.listed_currency, case.listed_fee),
        "booked": _side(case.booked_amount, case.booked_currency, case.booked_fee),
        "confirmed": case.confirmed,
        "booked_as": case.booked_as or None,
        "livemode": case.livemode,
        "created_at": clock.rfc3339(case.found_at),
        "closed_at": clock.rfc3339(case.closed_at) if case.closed_at else None,
    }


def _side(amount: int | None, currency: str, fee: int | None) -> dict[str, Any] | None:
    return None if amount is None else {"amount": amount, "currency": currency, "fee": fee}


COUNTS = ("lines", "matched", *Discrepancy.Kind.values)
SIDES = ("listed", "booked", "repaired")
