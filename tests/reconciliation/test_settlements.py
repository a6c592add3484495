"""Settlements: our books, the provider's report and the bank's statement, side by side."""

from datetime import timedelta

import pytest
from django.db import transaction

from core import clock
from core.money import Money
from events import approvals
from events.models import Approval, Attention
from ledger import checking
from ledger.facts import Fact
from ledger.models import Account, Transfer
from payments.models import Fee, Payment, Receipt
from payments.providers.base import Cost, ReceiptKind
from payments.services import posting, settling
from reconciliation import cases as reconciliation_cases
from reconciliation import runs, settlement_lines, settlements, settling_cases, uploads
from reconciliation.mapping import Reading
from reconciliation.models import BankLine, Discrepancy, Run, Settlement, SettlementLine
from tests import factories
from tests.payments.world import attention, audit_of
from tests.reconciliation.files import given, reread
from tests.reconciliation.runs import booked, cases

pytestmark = pytest.mark.django_db(transaction=True)

REPORT = {
    "number": "Id",
    "amount": "Amount",
    "fee": "Fee",
    "settlement": "Payout",
    "time": "At",
    "type": "Type",
    "only_currency": "KES",
    "types": {"Sale": "capture", "Refund": "refund", "Payout": "payout", "Charge": "fee"},
}
BANK = {"amount": "Credit", "amount_out": "Debit", "reference": "Details", "time": "Date", "only_currency": "KES"}


@pytest.fixture
def account():
    return factories.ProviderAccountFactory(mpesa=True)


NOW = clock.now()


def day(days):
    return (NOW - timedelta(days=days)).strftime("%Y-%m-%d 12:00:00")


def read(account, reading, lines, purpose, by):
    content = "\n".join([",".join(reading[name] for name in reading if name in COLUMNS), *lines, ""])
    upload, _ = uploads.keep(account, given(content), purpose=purpose, covered=uploads.Covered(), by=by)
    uploads.save_mapping(upload, Reading.of(reading), by="staff:amina")
    return reread(upload)


COLUMNS = ("number", "amount", "amount_out", "fee", "settlement", "reference", "time", "type")


def report(account, *lines, by="staff:amina", currency="KES"):
    """`(number, amount, fee, payout, type)` of eight days ago, each, as the provider reports them."""
    written = [f"{number},{amount},{fee},{payout},{day(8)},{kind}" for number, amount, fee, payout, kind in lines]
    return read(account, REPORT | {"only_currency": currency}, written, "provider", by)


def bank(account, *lines, by="staff:ben", currency="KES"):
    """`(credit, debit, details, days ago)` of the bank's statement, uploaded by somebody else."""
    written = [f"{got},{gone},{told},{day(ago)}" for got, gone, told, ago in lines]
    return read(account, BANK | {"only_currency": currency}, written, "bank", by)


def captured(account, number, amount, fee=0):
    """A receipt in the books, with its fee."""
    receipt = booked(account, number, amount)
    with transaction.atomic():
        posting.post_capture(receipt, excess=0)
        posting.post_final_fee(receipt, Money(fee, "KES"))
    if fee:
        Fee.objects.create(receipt=receipt, amount=fee, currency="KES", lane=account.pk)
    return receipt


def refunded(account, number, amount):
    receipt = booked(account, number, amount, kind=ReceiptKind.REFUND)
    refund = factories.RefundFactory(attempt=receipt.attempt, amount=amount, currency="KES", state="succeeded")
    Receipt.objects.filter(pk=receipt.pk).update(refund=refund)
    with transaction.atomic():
        posting.post_refund(Fact.REFUND_SUCCEEDED, refund)
        posting.post_refund_receipt(receipt, refund)


def held(account, kind="provider_clearing"):
    owner = account.pk if kind == "provider_clearing" else account.merchant_id
    return sum(row.balance for row in Account.objects.filter(owner=owner, kind=kind, currency="KES").with_balance())


def settlement():
    return Settlement.objects.get()


def usual(account):
    """KES 1,000.00 and 500.00 came, 200.00 went back, and 15.00 was kept: 1,285.00 is paid out."""
    captured(account, "A1", 100_000, 1_000)
    captured(account, "A2", 50_000, 500)
    refunded(account, "R1", 20_000)
    return (
        ("A1", "1000.00", "10.00", "PO-77", "Sale"),
        ("A2", "500.00", "5.00", "PO-77", "Sale"),
        ("R1", "-200.00", "0.00", "PO-77", "Refund"),
    )


def test_a_settlement_on_which_all_three_agree_is_posted_and_the_clearing_falls_to_zero(account):
    lines = usual(account)
    assert held(account) == 128_500
    report(account, *lines, ("P1", "-1285.00", "", "PO-77", "Payout"))
    assert settlement().settled_at is None
    run = bank(account, ("1,285.00".replace(",", ""), "", "PESA LTD PO-77 OCT", 6), ("70.00", "", "rent", 6))

    told = settlement()
    assert (told.lines, told.listed_net, told.paid_out, told.booked_net, told.bank_amount) == (
        3, 128_500, 128_500, 128_500, 128_500,
    )  # fmt: skip
    assert (told.settled_amount, told.settled_by, told.left_over) == (128_500, "reconciliation", {})
    assert (held(account), held(account, "merchant_payable")) == (0, 0)
    assert run.totals == {"KES": {"listed": 135_500, "booked": 128_500, "repaired": 0}}
    assert (run.counts["lines"], run.counts["matched"], cases(), attention()) == (2, 1, [], [])
    paid = Payment.objects.filter(attempts__receipts__provider_money_id__in=["A1", "A2"])
    assert {(row.is_settled, row.settlement_reference) for row in paid} == {(True, "PO-77")}
    assert [entry.object_id for entry in audit_of("reconciliation.settled")] == [told.pk]
    assert checking.findings() == []


def test_in_whichever_order_files_come_and_however_often_it_is_posted_once(account):
    lines = usual(account)
    bank(account, ("1285.00", "", "PO-77", 6))
    assert Settlement.objects.count() == 0
    run = report(account, *lines)
    bank(account, ("1285.00", "", "PO-77", 6), ("1.00", "", "interest", 5))
    reread(run.upload)
    assert Transfer.objects.filter(fact="settlement_paid").count() == 1
    assert (held(account), BankLine.objects.count(), SettlementLine.objects.count()) == (0, 2, 3)
    assert attention() == []


def test_a_bank_that_says_another_amount_is_a_case_with_both_and_nothing_is_posted(account):
    report(account, *usual(account))
    bank(account, ("1280.00", "", "PO-77", 6))
    [case] = Discrepancy.objects.all()
    assert (case.kind, case.key, case.direction, case.reference) == ("amount", settlement().pk, "payout", "PO-77")
    assert (case.listed, case.booked) == (Money(128_000, "KES"), Money(128_500, "KES"))
    assert (held(account), settlement().settled_at) == (128_500, None)
    assert (account.pk, "discrepancy") in attention()


def test_two_people_settle_it_with_what_has_come_and_what_stays_on_the_clearing_is_named(account):
    report(account, *usual(account))
    bank(account, ("1280.00", "", "PO-77", 6))
    settling_cases.ask_to_settle(settlement(), by="staff:amina", because="a charge of the bank")
    approvals.allow(Approval.objects.get(), by="staff:bo", because="seen")
    told = settlement()
    assert (told.settled_amount, told.settled_by, told.proposed_by) == (128_000, "staff:bo", "staff:amina")
    assert (told.left_over, held(account)) == ({"KES": 500}, 500)
    item = Attention.objects.get(subject=told.pk)
    assert item.detail == f"KES 5.00 stays on the provider clearing of {account.pk} after settlement PO-77"
    assert [outcome for _, _, outcome in cases()] == ["explained"]


def test_its_maker_does_not_settle_it_alone(account):
    report(account, *usual(account))
    bank(account, ("1280.00", "", "PO-77", 6))
    settling_cases.ask_to_settle(settlement(), by="staff:amina", because="a charge")
    with pytest.raises(Exception, match="Somebody else has to allow it"):
        approvals.allow(Approval.objects.get(), by="staff:amina", because="quick")
    assert (settlement().settled_at, held(account)) == (None, 128_500)


def test_one_person_s_two_uploads_settle_nothing_until_two_people_do(account):
    report(account, *usual(account), by="staff:amina")
    bank(account, ("1285.00", "", "PO-77", 6), by="staff:amina")
    told = settlement()
    assert (told.agrees, told.is_told_by_two, told.settled_at, held(account)) == (True, False, None, 128_500)
    assert (attention(), cases()) == ([(told.pk, "discrepancy")], [])
    assert "PO-77 agrees on all sides" in Attention.objects.get().detail
    settling_cases.ask_to_settle(told, by="staff:amina", because="it came")
    approvals.allow(Approval.objects.get(), by="staff:bo", because="seen at the bank")
    assert (settlement().settled_by, held(account), attention()) == ("staff:bo", 0, [])


def test_whoever_uploaded_a_part_of_the_report_does_not_vouch_for_the_bank_either(account):
    first, *others = usual(account)
    report(account, first, by="staff:amina")
    report(account, *others, by="staff:bo")
    bank(account, ("1285.00", "", "PO-77", 6), by="staff:amina")
    assert (settlement().agrees, settlement().settled_at) == (True, None)
    report(account, first, ("P1", "-1285.00", "", "PO-77", "Payout"), by="staff:bo")
    assert (settlement().settled_by, held(account)) == ("reconciliation", 0)


def test_two_people_who_match_a_line_vouch_for_what_one_has_uploaded(account):
    report(account, *usual(account))
    bank(account, ("1285.00", "", "TRANSFER", 6), by="staff:amina")
    line = BankLine.objects.get()
    settling_cases.ask_to_match(settlement(), line.pk, by="staff:amina", because="it is")
    approvals.allow(Approval.objects.get(), by="staff:bo", because="yes")
    assert (settlement().settled_by, settlement().proposed_by, held(account)) == ("staff:bo", "staff:amina", 0)
    assert attention() == []


def test_what_the_books_lack_of_its_lines_keeps_it_open_until_it_is_booked(account):
    report(account, *usual(account), ("A3", "100.00", "", "PO-77", "Sale"))
    bank(account, ("1385.00", "", "PO-77", 6))
    told = settlement()
    assert (told.unbooked, told.listed_net, told.booked_net, told.settled_at) == (1, 138_500, 128_500, None)
    assert cases() == [("amount", told.pk, "open"), ("missing_here", "A3", "open")]
    captured(account, "A3", 10_000)
    bank(account, ("1.00", "", "interest", 5))
    assert (settlement().settled_amount, held(account)) == (138_500, 0)
    assert ("amount", told.pk, "explained") in cases()


def test_a_case_that_was_explained_opens_again_with_what_differs_then(account):
    report(account, *usual(account), ("A3", "100.00", "", "PO-77", "Sale"))
    captured(account, "A3", 10_000)
    bank(account, ("1.00", "", "interest", 5))
    assert cases() == [("amount", settlement().pk, "explained"), ("missing_here", "A3", "explained")]
    bank(account, ("1380.00", "", "PO-77", 6))
    case = Discrepancy.objects.get(kind="amount")
    assert (case.outcome, case.closed_at) == ("open", None)
    assert (case.listed, case.booked) == (Money(138_000, "KES"), Money(138_500, "KES"))
    assert (account.pk, "discrepancy") in attention()


def test_a_case_that_two_people_have_closed_stays_closed(account):
    report(account, *usual(account), ("A3", "100.00", "", "PO-77", "Sale"))
    case = Discrepancy.objects.get(kind="amount")
    reconciliation_cases.ask_to_close(case, by="staff:amina", because="known")
    approvals.allow(Approval.objects.get(), by="staff:bo", because="yes")
    bank(account, ("1380.00", "", "PO-77", 6))
    assert ("amount", settlement().pk, "closed") in cases()


def test_a_report_whose_payout_is_not_what_its_lines_add_up_to_is_a_case(account):
    report(account, *usual(account), ("P1", "1300.00", "", "PO-77", "Payout"))
    [case] = Discrepancy.objects.all()
    assert (case.listed, case.booked) == (Money(130_000, "KES"), Money(128_500, "KES"))


def test_a_payout_that_the_bank_lacks_days_later_is_missing_there(account):
    report(account, *usual(account))
    bank(account, ("5.00", "", "other", 9), ("6.00", "", "other", 6))
    assert cases() == []
    bank(account, ("5.00", "", "other", 9), ("6.00", "", "another", 4))
    assert cases() == [("missing_there", settlement().pk, "open")]
    bank(account, ("1285.00", "", "PO-77", 3))
    assert cases() == [("missing_there", settlement().pk, "explained")]
    assert held(account) == 0


def test_a_line_of_the_bank_without_the_number_is_suggested_and_two_people_match_it(account):
    report(account, *usual(account))
    bank(account, ("1285.00", "", "TRANSFER FROM PESA LTD", 6), ("1285.00", "", "PO-771", 6), ("7.00", "", "x", 6))
    told = settlement()
    assert told.bank_amount is None
    [second, first] = settling_cases.suggested(told)
    with pytest.raises(ValueError, match="'line'"):
        settling_cases.ask_to_match(told, 999, by="staff:amina", because="it is")
    settling_cases.ask_to_match(told, first.pk, by="staff:amina", because="it is")
    approvals.allow(Approval.objects.get(), by="staff:bo", because="yes")
    assert (settlement().settled_amount, held(account)) == (128_500, 0)
    second.refresh_from_db()
    assert second.settlement is None


def test_a_description_that_names_two_settlements_is_put_to_neither(account):
    captured(account, "A1", 10_000)
    captured(account, "A2", 10_000)
    report(account, ("A1", "100.00", "", "PO-77", "Sale"), ("A2", "100.00", "", "PO-78", "Sale"))
    bank(account, ("200.00", "", "PO-77 and PO-78", 6))
    assert BankLine.objects.get().settlement is None
    assert Settlement.objects.filter(settled_at=None).count() == 2


def test_a_payment_that_staff_had_settled_is_not_posted_twice(account):
    lines = usual(account)
    Payment.objects.filter(attempts__receipts__provider_money_id="A1").update(captured_amount=100_000, net_amount=None)
    payment = Receipt.objects.get(provider_money_id="A1").attempt.payment
    Payment.objects.filter(pk=payment.pk).update(
        fee_amount=1_000, fee_is_final=True, net_amount=99_000, settlement_currency="KES"
    )
    payment.refresh_from_db()
    settling.settle_payment(payment, reference="BY-HAND", on=clock.now().date())
    assert held(account) == 29_500
    report(account, *lines)
    bank(account, ("1285.00", "", "PO-77", 6))
    assert (held(account), settlement().left_over) == (0, {})
    payment.refresh_from_db()
    assert payment.settlement_reference == "BY-HAND"


def by_hand(number, net):
    """The payment of that receipt, recorded as settled by staff when it came to `net`."""
    payment = Receipt.objects.get(provider_money_id=number).attempt.payment
    Payment.objects.filter(pk=payment.pk).update(captured_amount=net, net_amount=None, fee_amount=None)
    payment.refresh_from_db()
    settling.settle_payment(payment, reference="BY-HAND", on=clock.now().date())
    return payment


def again(receipt, number, amount, excess):
    """Another receipt of the same payment's."""
    second = factories.ReceiptFactory(
        attempt=receipt.attempt, provider_money_id=number, amount=amount, currency="KES", created_at=clock.now()
    )
    with transaction.atomic():
        posting.post_capture(second, excess=excess)
    return second


def test_what_was_paid_twice_after_staff_had_settled_it_is_posted_with_its_payout(account):
    first = captured(account, "A1", 10_000)
    by_hand("A1", 10_000)
    again(first, "A2", 10_000, excess=10_000)
    assert held(account) == 10_000
    report(account, ("A2", "100.00", "", "PO-77", "Sale"))
    bank(account, ("100.00", "", "PO-77", 6))
    assert (settlement().settled_amount, settlement().left_over, held(account)) == (10_000, {}, 0)


def test_what_is_beyond_the_payment_is_posted_with_its_payout(account):
    first = captured(account, "A1", 10_000)
    again(first, "A2", 3_000, excess=1_000)
    by_hand("A1", 12_000)
    assert held(account) == 1_000
    report(account, ("A1", "100.00", "", "PO-77", "Sale"), ("A2", "30.00", "", "PO-77", "Sale"))
    bank(account, ("130.00", "", "PO-77", 6))
    assert (settlement().left_over, held(account)) == ({}, 0)


def test_a_fee_that_is_told_after_staff_had_settled_is_taken_back_from_what_they_posted(account):
    receipt = captured(account, "A1", 10_000)
    by_hand("A1", 10_000)
    with transaction.atomic():
        posting.post_final_fee(receipt, Money(300, "KES"))
    assert held(account) == -300
    report(account, ("A1", "100.00", "3.00", "PO-77", "Sale"))
    bank(account, ("97.00", "", "PO-77", 6))
    assert (settlement().settled_amount, settlement().left_over, held(account)) == (9_700, {}, 0)


def test_what_staff_had_posted_in_the_payer_s_currency_stays_named_once_it_was_exchanged(account):
    receipt = captured(account, "A1", 10_000)
    by_hand("A1", 10_000)
    with transaction.atomic():
        posting.post_exchange(receipt, Cost(Money(80, "USD"), Money(0, "USD"), "A1"))
    report(account, ("A1", "0.80", "", "PO-77", "Sale"), currency="USD")
    bank(account, ("0.80", "", "PO-77", 6), currency="USD")
    assert (settlement().settled_amount, settlement().left_over) == (80, {"KES": -10_000})
    assert held(account) == -10_000


def test_money_that_found_its_payment_with_an_excess_after_or_before_staff_settled_it(account):
    receipts = [booked(account, number, 12_000) for number in ("A1", "A2")]
    cases_of = [factories.UnallocatedReceiptFactory(receipt=row) for row in receipts]
    with transaction.atomic():
        for case in cases_of:
            posting.post_unallocated(case)
        posting.post_allocated(cases_of[0], receipts[0].attempt.payment, excess=2_000)
    by_hand("A1", 10_000)
    with transaction.atomic():
        posting.post_capture(booked(account, "B2", 5_000), excess=0)
    Receipt.objects.filter(provider_money_id="B2").update(attempt=receipts[1].attempt)
    by_hand("A2", 5_000)
    with transaction.atomic():
        posting.post_allocated(cases_of[1], receipts[1].attempt.payment, excess=0)
    assert held(account) == 14_000
    report(account, ("A1", "120.00", "", "PO-77", "Sale"), ("A2", "120.00", "", "PO-77", "Sale"))
    bank(account, ("240.00", "", "PO-77", 6))
    assert (settlement().settled_amount, settlement().left_over, held(account)) == (24_000, {}, 0)


def test_a_payment_that_staff_settle_after_its_line_was_told_too_late_stays_named_no_longer(account):
    lines = usual(account)
    report(account, *lines)
    bank(account, ("1285.00", "", "PO-77", 6))
    captured(account, "A9", 3_000)
    run = report(account, *lines, ("A9", "30.00", "", "PO-77", "Sale"))
    assert (settlement().left_over, held(account)) == ({"KES": 3_000}, 3_000)
    by_hand("A9", 3_000)
    reread(run.upload)
    assert (settlement().left_over, held(account), attention()) == ({}, 0, [])


def test_a_settlement_in_which_more_went_back_is_collected_from_the_bank(account):
    refunded(account, "R1", 20_000)
    report(account, ("R1", "200.00", "", "PO-79", "Refund"), ("P1", "200.00", "", "PO-79", "Payout"))
    bank(account, ("", "200.00", "PO-79", 6))
    assert (settlement().settled_amount, held(account)) == (-20_000, 0)
    assert Transfer.objects.filter(fact="settlement_collected").count() == 1


def test_a_payment_that_two_settlements_name_is_posted_with_one(account):
    captured(account, "A1", 10_000)
    captured(account, "A2", 5_000)
    run = report(account, ("A1", "100.00", "", "PO-77", "Sale"))
    bank(account, ("100.00", "", "PO-77", 6))
    report(account, ("A1", "100.00", "", "PO-78", "Sale"), ("A2", "50.00", "", "PO-78", "Sale"))
    bank(account, ("150.00", "", "PO-78", 5))
    first, second = Settlement.objects.order_by("number")
    assert (first.settled_amount, first.left_over) == (10_000, {})
    assert (second.settled_at, second.booked_net, second.listed_net, held(account)) == (None, 5_000, 15_000, 5_000)
    assert cases() == [("amount", second.pk, "open")]
    settling_cases.ask_to_settle(second, by="staff:amina", because="it has come")
    approvals.allow(Approval.objects.get(), by="staff:bo", because="seen")
    reread(run.upload)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.left_over, second.left_over, held(account)) == ({}, {"KES": -10_000}, -10_000)


def test_two_settlements_that_agree_at_once_and_name_one_payment_are_not_both_posted(account):
    captured(account, "A1", 10_000)
    report(account, ("A1", "100.00", "", "PO-77", "Sale"), ("A1", "100.00", "", "PO-78", "Sale"))
    bank(account, ("100.00", "", "PO-77", 6), ("100.00", "", "PO-78", 6))
    first, second = Settlement.objects.order_by("number")
    assert (first.settled_amount, second.settled_at, held(account)) == (10_000, None, 0)
    assert ("amount", second.pk, "open") in cases()


def read_otherwise(run, reading):
    uploads.save_mapping(run.upload, Reading.of(reading), by="staff:amina")
    return reread(run.upload)


def test_a_statement_of_the_bank_that_is_read_again_otherwise_counts_once(account):
    lines = usual(account)
    report(account, *lines[:2])
    run = bank(account, ("1285.00", "", "PO-77", 6), ("8.00", "", "other", 6))
    assert (settlement().bank_amount, settlement().settled_at) == (128_500, None)
    read_otherwise(run, BANK | {"zone": "Asia/Jakarta"})
    assert (settlement().bank_amount, BankLine.objects.count()) == (128_500, 2)
    report(account, *lines)
    assert (settlement().settled_amount, held(account)) == (128_500, 0)


def test_what_has_settled_something_stays_though_the_file_is_read_otherwise(account):
    report(account, *usual(account))
    run = bank(account, ("1285.00", "", "PO-77", 6))
    read_otherwise(run, BANK | {"reference": ""})
    assert (settlement().bank_amount, BankLine.objects.filter(settlement=settlement()).count()) == (128_500, 1)


def test_a_line_that_two_people_are_asked_about_stays_the_same_when_its_file_is_read_again(account):
    report(account, *usual(account)[:2])
    run = bank(account, ("1485.00", "", "TRANSFER", 6))
    line = BankLine.objects.get()
    settling_cases.ask_to_match(settlement(), line.pk, by="staff:amina", because="it is")
    reread(run.upload)
    approvals.allow(Approval.objects.get(), by="staff:bo", because="yes")
    assert BankLine.objects.get() == line
    assert settlement().bank_amount == 148_500


def test_a_payout_that_was_read_as_a_payment_is_none_once_the_report_is_read_again(account):
    lines = usual(account)
    wrong = REPORT | {"types": REPORT["types"] | {"Payout": "capture"}}
    run = report(account, *lines, ("P1", "1285.00", "", "PO-77", "Payout"))
    read_otherwise(run, wrong)
    assert (settlement().listed_net, settlement().lines) == (257_000, 4)
    read_otherwise(run, REPORT)
    told = settlement()
    assert (told.listed_net, told.lines, told.paid_out) == (128_500, 3, 128_500)


def test_a_settlement_whose_number_was_read_wrong_is_not_missed_at_the_bank(account):
    run = report(account, *usual(account))
    wrong = settlement()
    read_otherwise(run, REPORT | {"number": "Payout", "settlement": "Id"})
    assert sorted(Settlement.objects.values_list("number", flat=True)) == ["A1", "A2", "PO-77", "R1"]
    wrong.refresh_from_db()
    assert (wrong.lines, wrong.paid_at) == (0, None)
    bank(account, ("5.00", "", "other", 9), ("6.00", "", "another", 4))
    assert ("missing_there", wrong.pk, "open") not in cases()


def test_what_agreed_before_the_payments_were_locked_and_does_so_no_more_is_not_posted_alone(account):
    report(account, *usual(account), ("A3", "100.00", "", "PO-77", "Sale"))
    bank(account, ("1385.00", "", "PO-77", 6))
    with transaction.atomic():
        settlements.settle(settlements.find(settlement().pk), amount=138_500, by="reconciliation")
    assert (settlement().settled_at, held(account)) == (None, 128_500)


def test_a_line_that_is_told_after_it_was_settled_is_named(account):
    lines = usual(account)
    report(account, *lines)
    bank(account, ("1285.00", "", "PO-77", 6))
    captured(account, "A9", 3_000)
    report(account, *lines, ("A9", "30.00", "", "PO-77", "Sale"))
    assert settlement().left_over == {"KES": 3_000}
    assert attention() == [(settlement().pk, "discrepancy")]


def test_a_second_transfer_of_a_settled_payout_is_named(account):
    report(account, *usual(account))
    bank(account, ("1285.00", "", "PO-77", 6))
    bank(account, ("1285.00", "", "PO-77 again", 4))
    item = Attention.objects.get(subject=settlement().pk)
    assert item.detail == "the bank has KES 2,570.00 after settlement PO-77"
    assert Transfer.objects.filter(fact="settlement_paid").count() == 1


def test_a_line_of_another_season_is_not_a_settled_settlement_s(account):
    report(account, *usual(account))
    bank(account, ("1285.00", "", "PO-77", 6))
    bank(account, ("9.00", "", "PO-77 of last year", 70), ("8.00", "", "PO-77 correction", 30))
    linked = BankLine.objects.filter(settlement=settlement())
    assert sorted(line.amount for line in linked) == [800, 128_500]


def test_an_open_settlement_takes_its_line_whenever_it_comes(account):
    report(account, *usual(account))
    bank(account, ("1285.00", "", "PO-77", 120))
    assert settlement().settled_amount == 128_500


def test_lines_of_the_bank_that_are_no_settlements_are_forgotten(account, settings):
    report(account, *usual(account))
    bank(account, ("1285.00", "", "PO-77", 6), ("1.00", "", "rent of somebody", 6))
    assert settlement_lines.purge() == 0
    with clock.shifted(settings.BANK_LINES_KEPT + timedelta(minutes=1)):
        assert settlement_lines.purge() == 1
    assert [line.reference for line in BankLine.objects.all()] == ["PO-77"]


def test_a_settlement_that_cannot_be_posted_keeps_no_other_waiting_and_is_shown(account):
    captured(account, "A1", 10_000)
    captured(account, "A2", 20_000)
    report(account, ("A1", "100.00", "", "PO-77", "Sale"), ("A2", "200.00", "", "PO-78", "Sale"))
    first, second = Settlement.objects.order_by("number")
    with transaction.atomic():
        books = posting.Books(account.merchant_id, account.pk, livemode=False)
        posting.post(Fact.SETTLEMENT_PAID, Money(1, "KES"), books=books, source=first.pk, cause=first.pk)
    bank(account, ("100.00", "", "PO-77", 6), ("200.00", "", "PO-78", 6))
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.settled_at, second.settled_amount) == (None, 20_000)
    assert (first.pk, "failing") in attention()


def test_runs_that_only_look_often_leave_settlements_alone(account):
    report(account, *usual(account))
    begun = runs.begin(account, occasion=Run.Occasion.OFTEN, by="test")
    runs._look_back(begun)
    assert settlement().settled_at is None
