"""Counters on payments, checked against the rows that they count: `manage.py recompute_payments [--fix]`."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from events import audit
from events.transitions import lock, record
from payments.models import Payment
from payments.services.booking import totals

Counters = dict[str, int]


class Command(BaseCommand):
    """Exits 1 when it finds a difference, repaired or not."""

    help = "Recompute captured_amount, refund_reserved and refunded_amount of every payment from its rows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fix", action="store_true", help="write what the rows say")
        parser.add_argument("payments", nargs="*", help="ids of payments; without any, all are checked")

    def handle(self, *arguments: Any, **options: Any) -> None:
        found = sum(self._settle(payment_id, fix=options["fix"]) for payment_id in _ids(options["payments"]))
        if found:
            word = "repaired" if options["fix"] else "found; --fix repairs them"
            raise CommandError(f"{found} payments differ from their rows: {word}", returncode=1)
        self.stdout.write("Every counter agrees with its rows.")

    def _settle(self, payment_id: str, *, fix: bool) -> bool:
        """Whether the payment differed; read under its lock, so that nothing is half done meanwhile."""
        with transaction.atomic():
            payment = lock(Payment(pk=payment_id))
            wanted = totals(payment)
            held = {name: getattr(payment, name) for name in wanted}
            if held == wanted:
                return False
            self._tell(payment_id, held, wanted)
            if fix:
                _repair(payment, held, wanted)
        return True

    def _tell(self, payment_id: str, held: Counters, wanted: Counters) -> None:
        for name, amount in wanted.items():
            if held[name] != amount:
                self.stdout.write(f"{payment_id} {name}: {held[name]} stands, the rows say {amount}")


def _ids(named: list[str]) -> Iterator[str]:
    payments = Payment.objects.filter(pk__in=named) if named else Payment.objects.all()
    return payments.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=1000)


def _repair(payment: Payment, held: Counters, wanted: Counters) -> None:
    record(payment, **wanted)
    audit.record(
        actor="recompute_payments",
        action="payment.recomputed",
        merchant=payment.merchant_id,
        livemode=payment.livemode,
        object_id=payment.pk,
        detail={"before": held, "after": wanted},
    )
