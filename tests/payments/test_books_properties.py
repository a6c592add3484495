"""Whatever a provider tells of a payment, in whatever order and however often, the books tell what the rows tell."""

import pytest
from django.db import connection, transaction
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.money import Money
from ledger import checking
from ledger.statements import out_of_balance, trial_balance
from payments.models import Attempt, Receipt
from payments.providers.base import Failure, FailureCode, MoneyMoved, Notice, ReceiptKind, Report, Topic, Word
from payments.providers.disputes import DisputeMoved, DisputeReason, DisputeReport, DisputeWord, MovementKind
from payments.services import booking, dashboard_refunds, dispute_booking, refund_booking
from payments.services.booking import Because
from payments.services.locking import lock_attempt
from payments.states import PaymentState
from tests.factories import AttemptFactory, PaymentFactory

pytestmark = pytest.mark.django_db

BECAUSE = Because(by="tests", source="callback")
ASKED = 1000

receipts = st.tuples(
    st.just("receipt"),
    st.sampled_from([400, 600, ASKED, 1300]),
    st.sampled_from(["", "ch_1", "ch_2", "ch_3"]),
    st.sampled_from(["USD", "USD", "USD", "EUR"]),
)
refunds = st.tuples(
    st.just("refund"),
    st.sampled_from([Word.PENDING, Word.SUCCEEDED, Word.SUCCEEDED, Word.FAILED, Word.CANCELLED, Word.UNKNOWN]),
    st.sampled_from(["re_1", "re_2"]),
    st.none(),
)
disputes = st.tuples(
    st.just("dispute"),
    st.sampled_from(list(DisputeWord)),
    st.sampled_from(["dp_1", "dp_2"]),
    st.lists(
        st.sampled_from(
            [
                (MovementKind.WITHDRAWN, "USD", 300, 15),
                (MovementKind.WITHDRAWN, "EUR", 200, 0),
                (MovementKind.REINSTATED, "USD", 300, 0),
                (MovementKind.REINSTATED, "USD", 100, -15),
            ]
        ),
        max_size=3,
        unique=True,
    ),
)


def told(attempt, kind, what, name, more):
    attempt = lock_attempt(attempt)
    if kind == "receipt":
        moved = MoneyMoved(ReceiptKind.CAPTURE, Money(what, more), name)
        booking.apply_to_attempt(attempt, Report(Word.SUCCEEDED, "pi_1", moved=(moved,)), BECAUSE)
    elif kind == "refund":
        money = Money(250, "USD")
        # One that succeeded without money would be a finding, and rightly: `books.py` looks for it.
        moved = (MoneyMoved(ReceiptKind.REFUND, money, name),) if what is Word.SUCCEEDED else ()
        failure = Failure(FailureCode.DECLINED, "refused") if what is Word.FAILED else None
        report = Report(what, name, str(what), moved=moved, failure=failure)
        refund = dashboard_refunds.find_or_book(attempt, Notice(Topic.REFUND, report, money=money), report)
        refund_booking.apply_to_refund(refund, report, BECAUSE)
    else:
        moved = tuple(
            DisputeMoved(direction, Money(amount, currency), f"txn_{name}_{direction}_{amount}", fee)
            for direction, currency, amount, fee in more
        )
        said = DisputeReport(what, Money(300, "USD"), DisputeReason.GENERAL, moved=moved)
        report = Report(Word.SUCCEEDED, name, str(what), dispute=said)
        dispute_booking.apply_to_dispute(dispute_booking.find_or_open(attempt, report), report, BECAUSE)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(receipts, receipts, refunds, disputes), max_size=14))
@example([("receipt", 400, "", "EUR"), ("receipt", ASKED, "ch_2", "USD"), ("receipt", 400, "ch_1", "USD")])
def test_any_order_of_receipts_refunds_failures_and_disputes_leaves_the_books_true(happened):
    with transaction.atomic():
        payment = PaymentFactory(amount=ASKED, currency="USD", state=PaymentState.PROCESSING, captured_amount=0)
        attempt = AttemptFactory(payment=payment, asked_amount=ASKED)
        for kind, what, name, more in happened:
            with transaction.atomic():
                told(Attempt.objects.get(pk=attempt.pk), kind, what, name, more)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        assert checking.findings() == []
        assert set(out_of_balance(trial_balance(livemode=False)).values()) <= {0}
        payment.refresh_from_db()
        counted = sum(row.amount for row in Receipt.objects.filter(kind="capture", currency="USD"))
        assert payment.captured_amount <= max(counted, payment.refund_reserved)
        transaction.set_rollback(True)
