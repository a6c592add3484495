"""Our side of `reconcile`: a statement staged and matched by a checkout's own code, with its memory.

    DATABASE_URL=… LANGO_DEVELOPMENT=1 python -m benchmarks.match --count 1000000

Nothing is repaired: that is one transaction for each case, and no matter of the join.
"""

import argparse
import json
import os
import resource
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import django

from benchmarks import statement


def _lines(count: int) -> Iterator[Any]:
    """As a reader of a large file hands them over: plain rows."""
    from reconciliation.staging import StagedRow

    for told in statement.lines(count):
        word = "succeeded" if told.is_final else "pending"
        yield StagedRow(
            "capture", told.number, told.amount, told.currency, "", word, "", None, "", told.fee, statement.CURRENCY
        )


def measure(count: int) -> dict[str, Any]:
    """Seconds, megabytes at most, and what was found."""
    from django.db import transaction

    from core import clock
    from merchants.models import ProviderAccount
    from payments.providers.base import ReceiptKind
    from payments.providers.statements import Statements
    from reconciliation import matching, staging
    from reconciliation.models import Run

    account = ProviderAccount.objects.get(pk=statement.ACCOUNT)
    now = clock.now()
    run = Run.objects.create(
        account=account, merchant_id=account.merchant_id, livemode=account.livemode, lane=account.pk, occasion="person",
        by="bench", since=now - timedelta(hours=24), until=now,
    )  # fmt: skip
    declared = Statements(kinds=frozenset({ReceiptKind.CAPTURE}), reach=timedelta(hours=48))
    begun = time.perf_counter()
    run.lines = staging.stage(run.pk, _lines(count))
    staging.count_again(run)
    with transaction.atomic():
        found = matching.match(run, declared)
    took = time.perf_counter() - begun
    return {
        "seconds": took,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "counts": found.counts,
        "written": run.discrepancies.count(),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, required=True, help="of receipts")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    print(json.dumps(measure(options.count)))


if __name__ == "__main__":
    main()
