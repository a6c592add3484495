"""Whether the books tell of every receipt, refund and dispute what their rows tell, and posting what they miss."""

from collections.abc import Iterable
from functools import partial

from django.db import connection

from ledger.checking import Finding
from ledger.facts import Fact, Phase
from ledger.posting import is_posted, reference
from payments.models import Dispute, Receipt, Refund, UnallocatedReceipt
from payments.providers.base import ReceiptKind
from payments.services import posting
from payments.states import RefundState


def _names(source: str, *facts: Fact, phase: Phase = Phase.POSTED) -> str:
    """SQL for the references under which these facts of a row are posted."""
    pasted = f"' || {source} || '"
    return ", ".join(f"'{reference(fact, pasted, phase)}'" for fact in facts)


_OF_RECEIPT = _names(
    "receipt.id",
    Fact.PAYMENT_CAPTURED,
    Fact.PAYMENT_OVERPAID,
    Fact.RECEIPT_SUSPENDED,
    Fact.RECEIPT_REVERSED,
    Fact.RECEIPT_UNALLOCATED,
    Fact.REFUND_PAID,
)


_RECEIPTS = f"""
    SELECT receipt.id, receipt.amount, booked.amount
    FROM payments_receipt receipt CROSS JOIN LATERAL (
        SELECT coalesce(sum(entry.amount), 0)::bigint AS amount
        FROM ledger_transfer transfer
            JOIN ledger_entry entry ON entry.transfer_id = transfer.id
            JOIN ledger_account account ON account.id = entry.account_id
        WHERE account.kind = 'provider_clearing' AND account.currency = receipt.currency
            AND transfer.reference IN ({_OF_RECEIPT})
    ) booked
    WHERE booked.amount <> CASE receipt.kind WHEN 'capture' THEN receipt.amount ELSE -receipt.amount END
"""  # noqa: S608  (nothing but names of facts is pasted)

_OF_UNALLOCATED = _names(
    "receipt.id",
    Fact.RECEIPT_UNALLOCATED,
    Fact.RECEIPT_ALLOCATED,
    Fact.EXCESS_ALLOCATED,
    Fact.RECEIPT_RECOGNISED,
)

_UNALLOCATED = f"""
    SELECT receipt.id, unallocated.state, booked.amount
    FROM payments_unallocatedreceipt unallocated
        JOIN payments_receipt receipt ON receipt.id = unallocated.receipt_id CROSS JOIN LATERAL (
        SELECT coalesce(-sum(entry.amount), 0)::bigint AS amount
        FROM ledger_transfer transfer
            JOIN ledger_entry entry ON entry.transfer_id = transfer.id
            JOIN ledger_account account ON account.id = entry.account_id
        WHERE account.kind = 'unallocated_receipts' AND account.currency = receipt.currency
            AND transfer.reference IN ({_OF_UNALLOCATED})
    ) booked
    WHERE booked.amount <> CASE unallocated.state WHEN 'open' THEN receipt.amount ELSE 0 END
"""  # noqa: S608  (nothing but names of facts is pasted)

_REFUNDS = """
    SELECT refund.id, refund.state, booked.posted, booked.pending, booked.not_gone
    FROM payments_refund refund CROSS JOIN LATERAL (
        SELECT
            coalesce(sum(entry.amount) FILTER (
                WHERE account.kind = 'merchant_payable' AND transfer.phase = 'posted'
            ), 0)::bigint AS posted,
            coalesce(sum(entry.amount) FILTER (
                WHERE account.kind = 'merchant_payable' AND transfer.phase = 'pending' AND ended.id IS NULL
            ), 0)::bigint AS pending,
            coalesce(-sum(entry.amount) FILTER (
                WHERE account.kind = 'refunds' AND transfer.phase = 'posted'
            ), 0)::bigint AS not_gone
        FROM ledger_transfer transfer
            JOIN ledger_entry entry ON entry.transfer_id = transfer.id
            JOIN ledger_account account ON account.id = entry.account_id
            LEFT JOIN ledger_transfer ended ON ended.resolves_id = transfer.id
        WHERE transfer.cause = refund.id AND account.kind IN ('merchant_payable', 'refunds')
    ) booked
    WHERE booked.posted <> CASE WHEN refund.state = 'succeeded' THEN refund.amount ELSE 0 END
        OR booked.pending <>
            CASE WHEN refund.state IN ('created', 'pending') AND refund.origin = 'api' THEN refund.amount ELSE 0 END
        OR (booked.not_gone <> 0 AND NOT (
            refund.state IN ('failed', 'cancelled') AND booked.not_gone = -(
                SELECT coalesce(sum(receipt.amount), 0)
                FROM payments_receipt receipt WHERE receipt.refund_id = refund.id
            )
        ))
"""
"""What went out although its refund has failed is in the books as it is, and on the attention list."""

_AT_PROVIDER = _names(
    "movement.id",
    Fact.DISPUTE_OPENED,
    Fact.DISPUTE_REINSTATED,
    Fact.DISPUTE_FEE_CHARGED,
    Fact.DISPUTE_FEE_RETURNED,
)
_BORNE = _names("movement.id", Fact.DISPUTE_LOST, Fact.DISPUTE_RETURNED)
_RESERVED = _names("movement.id", Fact.DISPUTE_OPENED, phase=Phase.PENDING)

_DISPUTES = f"""
    SELECT movement.dispute_id, movement.id, booked.moved, booked.borne, booked.reserved
    FROM payments_disputemovement movement
        JOIN payments_dispute dispute ON dispute.id = movement.dispute_id
        CROSS JOIN LATERAL (
            SELECT CASE movement.kind WHEN 'withdrawn' THEN movement.amount ELSE -movement.amount END AS taken,
                dispute.state = 'lost' OR dispute.late AS charged_back
        ) told
        CROSS JOIN LATERAL (
            SELECT
                coalesce(sum(entry.amount) FILTER (
                    WHERE account.kind = 'provider_clearing' AND transfer.reference IN ({_AT_PROVIDER})
                ), 0)::bigint AS moved,
                coalesce(sum(entry.amount) FILTER (
                    WHERE account.kind = 'merchant_payable' AND transfer.reference IN ({_BORNE})
                ), 0)::bigint AS borne,
                coalesce(sum(entry.amount) FILTER (
                    WHERE account.kind = 'merchant_payable' AND transfer.reference = {_RESERVED} AND ended.id IS NULL
                ), 0)::bigint AS reserved
            FROM ledger_transfer transfer
                JOIN ledger_entry entry ON entry.transfer_id = transfer.id
                JOIN ledger_account account ON account.id = entry.account_id
                LEFT JOIN ledger_transfer ended ON ended.resolves_id = transfer.id
            WHERE transfer.reference IN ({_AT_PROVIDER}, {_BORNE}, {_RESERVED})
                AND account.currency = movement.currency
        ) booked
    WHERE booked.moved <> -told.taken - movement.fee_amount
        OR booked.borne <> CASE WHEN told.charged_back THEN told.taken ELSE 0 END
        OR booked.reserved <> CASE
            WHEN told.charged_back OR dispute.state = 'won' OR movement.kind = 'reinstated' THEN 0
            ELSE movement.amount END
"""  # noqa: S608  (nothing but names of facts is pasted)


def disagreements() -> Iterable[Finding]:
    """One for each receipt, unallocated receipt, refund and movement of a dispute of which the books tell otherwise."""
    with connection.cursor() as cursor:
        cursor.execute(_RECEIPTS)
        receipts = cursor.fetchall()
        cursor.execute(_UNALLOCATED)
        unallocated = cursor.fetchall()
        cursor.execute(_REFUNDS)
        refunds = cursor.fetchall()
        cursor.execute(_DISPUTES)
        movements = cursor.fetchall()
    for public_id, amount, booked in receipts:
        yield Finding(
            f"receipt {public_id} is for {amount}, the books have {booked}", partial(_post_receipt, public_id)
        )
    for public_id, state, booked in unallocated:
        told = f"unallocated receipt {public_id} is {state}, the books have {booked} unallocated"
        yield Finding(told, partial(_post_receipt, public_id))
    for public_id, state, posted, pending, not_gone in refunds:
        told = f"refund {public_id} is {state}, the books have {posted} posted, {pending} pending"
        yield Finding(f"{told} and {not_gone} that has not gone", partial(_post_refund, public_id))
    for public_id, movement, moved, borne, reserved in movements:
        told = f"movement {movement} of dispute {public_id}: the books have {moved} moved, {borne} borne"
        yield Finding(f"{told} and {reserved} reserved", partial(_post_dispute, public_id))


def _post_receipt(public_id: str) -> None:
    """A receipt of which nothing is posted; one that is posted otherwise needs a person."""
    receipt = Receipt.objects.select_related("attempt__payment", "refund").get(pk=public_id)
    unallocated = UnallocatedReceipt.objects.select_related("receipt", "payment").filter(receipt=receipt).first()
    if unallocated is not None:
        _post_unallocated(unallocated)
        return
    facts = (Fact.PAYMENT_CAPTURED, Fact.PAYMENT_OVERPAID, Fact.RECEIPT_SUSPENDED, Fact.REFUND_PAID)
    if any(is_posted(fact, public_id) for fact in facts):
        return
    if receipt.kind == ReceiptKind.REFUND and receipt.refund is not None:
        posting.post_refund_receipt(receipt, receipt.refund)
    elif receipt.currency != receipt.owner.payment.currency:
        posting.post_suspended(receipt)
    else:
        overpayment = getattr(receipt, "overpayment", None)
        posting.post_capture(receipt, excess=overpayment.amount if overpayment else 0)


def _post_unallocated(unallocated: UnallocatedReceipt) -> None:
    """Its arrival and its assignment, each if it is missing; one that took a payment's own receipt has neither."""
    source = unallocated.receipt_id
    own = (Fact.PAYMENT_CAPTURED, Fact.PAYMENT_OVERPAID, Fact.RECEIPT_SUSPENDED)
    if any(is_posted(fact, source) for fact in own):
        return
    if not is_posted(Fact.RECEIPT_UNALLOCATED, source):
        posting.post_unallocated(unallocated)
    allocated = is_posted(Fact.RECEIPT_ALLOCATED, source) or is_posted(Fact.EXCESS_ALLOCATED, source)
    if unallocated.payment is not None and not allocated:
        overpayment = getattr(unallocated.receipt, "overpayment", None)
        posting.post_allocated(unallocated, unallocated.payment, excess=overpayment.amount if overpayment else 0)


def _post_refund(public_id: str) -> None:
    """The facts by which a refund has come to its state, those that are there already excepted.

    One whose receipts come to another sum than its own needs a person.
    """
    refund = Refund.objects.select_related("attempt").get(pk=public_id)
    match refund.state:
        case RefundState.SUCCEEDED:
            posting.post_refund(Fact.REFUND_SUCCEEDED, refund)
        case RefundState.FAILED | RefundState.CANCELLED if is_posted(Fact.REFUND_SUCCEEDED, public_id):
            posting.post_refund_failure(refund)
        case RefundState.FAILED | RefundState.CANCELLED:
            posting.post_refund(Fact.REFUND_RELEASED, refund)
        case _:
            posting.post_refund(Fact.REFUND_RESERVED, refund)


def _post_dispute(public_id: str) -> None:
    """The facts of a dispute's money, those that are there already excepted."""
    posting.post_dispute(Dispute.objects.get(pk=public_id))
