"""This domain's facts, as the books are told them: which amount, of which row, in whose books.

Each is told in the transaction that writes the fact down, and may be told again (`ledger.posting`).
"""

from core.money import Money
from ledger.facts import Fact
from ledger.posting import Books, post
from payments.models import Attempt, Dispute, DisputeMovement, Payment, Receipt, Refund, UnallocatedReceipt
from payments.providers.base import Cost, ReceiptKind
from payments.providers.disputes import MovementKind
from payments.states import DisputeState


def post_capture(receipt: Receipt, *, excess: int) -> None:
    """A receipt: what was asked for is the merchant's, what is beyond it waits for a person."""
    _post(Fact.PAYMENT_CAPTURED, receipt, Money(receipt.amount - excess, receipt.currency))
    _post(Fact.PAYMENT_OVERPAID, receipt, Money(excess, receipt.currency))


def post_unallocated(unallocated: UnallocatedReceipt) -> None:
    """Money that no payment explains."""
    _post_case(Fact.RECEIPT_UNALLOCATED, unallocated, unallocated.money, cause=unallocated.pk)


def post_allocated(unallocated: UnallocatedReceipt, payment: Payment, *, excess: int) -> None:
    """Such money has found its payment: the same split as a receipt's, out of what was unallocated."""
    money = unallocated.money
    asked = Money(money.amount - excess, money.currency)
    _post_case(Fact.RECEIPT_ALLOCATED, unallocated, asked, cause=payment.pk)
    _post_case(Fact.EXCESS_ALLOCATED, unallocated, Money(excess, money.currency), cause=payment.pk)


def post_recognised(unallocated: UnallocatedReceipt, payment: Payment) -> None:
    """Such money was booked for its payment already, under a receipt without a number."""
    _post_case(Fact.RECEIPT_RECOGNISED, unallocated, unallocated.money, cause=payment.pk)


def _post_case(fact: Fact, unallocated: UnallocatedReceipt, money: Money, *, cause: str) -> None:
    books = Books(merchant=unallocated.merchant_id, account=unallocated.account_id, livemode=unallocated.livemode)
    post(fact, money, books=books, source=unallocated.receipt_id, cause=cause)


def post_suspended(receipt: Receipt) -> None:
    """A receipt in another currency than its payment's."""
    _post(Fact.RECEIPT_SUSPENDED, receipt, receipt.money)


def post_correction(receipt: Receipt, told: Money) -> None:
    """A receipt that was confirmed as `receipt` still says, and turns out to be `told`."""
    if told.currency != receipt.currency:
        _post(Fact.RECEIPT_REVERSED, receipt, receipt.money)
        _post(Fact.RECEIPT_SUSPENDED, receipt, told)
    elif told < receipt.money:
        _post(Fact.RECEIPT_REVERSED, receipt, receipt.money - told)
    else:
        _post(Fact.PAYMENT_OVERPAID, receipt, told - receipt.money)


def post_expected_fee(receipt: Receipt, fee: Money) -> None:
    _post(Fact.FEE_EXPECTED, receipt, fee)


def post_final_fee(receipt: Receipt, fee: Money) -> None:
    """In place of the one that was expected, if one was."""
    _post(Fact.FEE_CHARGED, receipt, fee)


def post_exchange(receipt: Receipt, cost: Cost) -> None:
    """The provider holds the capture in another currency than it was paid in."""
    _post(Fact.CURRENCY_EXCHANGED, receipt, receipt.money, into=cost.settled)


def post_settlement(payment: Payment, attempt: Attempt, net: Money) -> None:
    post(Fact.PAYMENT_SETTLED, net, books=_books(attempt), source=payment.pk, cause=payment.pk)


def post_refund(fact: Fact, refund: Refund) -> None:
    """What became of a refund: one of the REFUND_ facts that its states tell."""
    post(fact, refund.money, books=_books(refund.attempt), source=refund.pk, cause=refund.pk)


def post_refund_receipt(receipt: Receipt, refund: Refund) -> None:
    """The provider shows the refund's money as gone."""
    _post(Fact.REFUND_PAID, receipt, receipt.money, cause=refund.pk)


def post_refund_return(receipt: Receipt, refund: Refund) -> None:
    """The money of a failed refund's receipt is back."""
    _post(Fact.REFUND_RETURNED, receipt, receipt.money, cause=refund.pk)


def post_refund_failure(refund: Refund) -> None:
    """A refund that had succeeded has failed: the merchant has its money again, and so has the provider."""
    post_refund(Fact.REFUND_FAILED, refund)
    for receipt in refund.receipts.filter(kind=ReceiptKind.REFUND).select_related("attempt"):
        post_refund_return(receipt, refund)


def post_dispute(dispute: Dispute) -> None:
    """Everything that the dispute's money and its state come to, as far as it is not in the books yet.

    Once it was charged back, whatever comes back of it is the merchant's again, also when it is then won late.
    """
    for movement in dispute.movements.order_by("pk"):
        for fact in _facts_of(movement, dispute):
            _post_movement(fact, movement, dispute, movement.money)
        if movement.fee_amount:
            fee_fact = Fact.DISPUTE_FEE_CHARGED if movement.fee_amount > 0 else Fact.DISPUTE_FEE_RETURNED
            _post_movement(fee_fact, movement, dispute, movement.fee)


def _facts_of(movement: DisputeMovement, dispute: Dispute) -> list[Fact]:
    if movement.kind == MovementKind.REINSTATED:
        returned = [Fact.DISPUTE_RETURNED] if dispute.is_charged_back else []
        return [Fact.DISPUTE_REINSTATED, *returned]
    if dispute.is_charged_back:
        return [Fact.DISPUTE_OPENED, Fact.DISPUTE_LOST]
    won = [Fact.DISPUTE_WON] if dispute.state == DisputeState.WON else []
    return [Fact.DISPUTE_OPENED, *won]


def _post_movement(fact: Fact, movement: DisputeMovement, dispute: Dispute, money: Money) -> None:
    books = Books(merchant=dispute.merchant_id, account=dispute.account_id, livemode=dispute.livemode)
    post(fact, money, books=books, source=movement.pk, cause=dispute.pk)


def _post(fact: Fact, receipt: Receipt, money: Money, *, into: Money | None = None, cause: str = "") -> None:
    attempt = receipt.owner
    post(fact, money, into=into, books=_books(attempt), source=receipt.pk, cause=cause or attempt.payment_id)


def _books(attempt: Attempt) -> Books:
    return Books(merchant=attempt.merchant_id, account=attempt.account_id, livemode=attempt.livemode)
