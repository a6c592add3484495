"""What a report does to our rows: money facts first, then states (money.md 1 to 4).

Everything here runs in the caller's transaction, with the payment locked before its attempt or refund.
"""

from datetime import timedelta

from django.db.models import Sum

from core import clock
from core.money import Money
from core.states import Verdict
from events import attention, outbox
from events.models import Attention
from events.transitions import move, record
from payments.models import Attempt, Payment, Receipt, Refund
from payments.providers import REGISTRY
from payments.providers.base import Failure, FailureCode, Kind, MoneyMoved, ReceiptKind, Report, Word
from payments.services import confirming, fees, payer_links, receipts, shown_codes
from payments.services.preparing import begin_close
from payments.services.receipts import Because as Because
from payments.states import AttemptState, OperationState, PaymentState


def apply_to_attempt(attempt: Attempt, report: Report, because: Because) -> None:
    """Book what the report says has moved, then take attempt and payment where its word leads."""
    report = shown_codes.checked(attempt, report)
    learned = _learned(attempt, report)
    for moved in report.moved:
        if moved.kind is ReceiptKind.CAPTURE:
            receipts.book_capture(attempt, moved, because, cost=report.cost)
    if report.moved or report.word is Word.SUCCEEDED:
        _settle(attempt, because, learned)
    else:
        if learned:
            record(attempt, **learned)
        _follow(attempt, report, because)


def _learned(attempt: Attempt, report: Report) -> dict[str, str]:
    """The provider's id, if it was not known, and its latest word: columns that are written with the next step."""
    learned = {}
    if report.provider_id and not attempt.provider_id:
        learned["provider_id"] = report.provider_id
    if report.provider_status and report.provider_status != attempt.provider_status:
        learned["provider_status"] = report.provider_status[:100]
    return learned


def book_found(attempt: Attempt, moved: MoneyMoved, because: Because) -> None:
    """Money that was found at the account and names the attempt, whatever the provider says of the attempt itself."""
    receipts.book_found(attempt, moved, because)
    _settle(attempt, because, {})


def settle_found(attempt: Attempt, because: Because) -> None:
    """After `receipts.allocate`: the attempt and its payment go where their money takes them."""
    _settle(attempt, because, {})


def leads(attempt: Attempt) -> bool:
    """Whether what is said of the attempt without money is said of its payment: no newer attempt has taken over.

    The attempt was locked with its payment, which holds its attempts.
    """
    return all(other.pk <= attempt.pk for other in attempt.payment.attempts.all())


def _settle(attempt: Attempt, because: Because, learned: dict[str, str]) -> None:
    """Succeed when what was asked is there; otherwise flag the payment and leave it to a person."""
    payment = attempt.payment
    if payment.kept_amount >= attempt.asked_amount:
        if payment.underpaid:
            record(payment, underpaid=False)
            attention.settle(payment, Attention.Reason.UNDERPAID, by=because.by)
        if payment.unconfirmed:
            record(payment, unconfirmed=False)
        if payment.state != PaymentState.CREATED:
            attention.settle(payment, Attention.Reason.UNKNOWN, by=because.by)
        no_failure = {"failure_code": "", "failure_message": "", "failure_provider_code": ""}
        move(
            attempt,
            AttemptState.SUCCEEDED,
            by=because.by,
            because=str(because),
            prompt_lock=None,
            **no_failure,
            **learned,
        )
        move(
            payment,
            PaymentState.SUCCEEDED,
            by=because.by,
            because=str(because),
            next_action=None,
            failure_code="",
            failure_message="",
            **_counts(payment),
        )
        _close_others(attempt, because)
        return
    record(attempt, **learned)
    record(payment, **_counts(payment))
    if payment.state != PaymentState.SUCCEEDED:
        _hold_underpaid(attempt, because)


def _close_others(paid: Attempt, because: Because) -> None:
    """What else could be paid for the same payment is closed, so that nobody pays twice."""
    for other in paid.payment.attempts.all():
        if other.pk != paid.pk and other.state == AttemptState.OPEN and other.provider_id:
            close_past(other, because)


def _counts(payment: Payment) -> dict[str, object]:
    """The columns that booking has set on the row."""
    return {name: getattr(payment, name) for name in ("captured_amount", *fees.COLUMNS)}


def _hold_underpaid(attempt: Attempt, because: Because) -> None:
    payment = attempt.payment
    move(
        payment,
        PaymentState.PROCESSING,
        by=because.by,
        because=f"{because}: less than was asked",
        next_action=None,
    )
    if not payment.underpaid:
        record(payment, underpaid=True)
        detail = f"{Money(payment.captured_amount, payment.currency)} of {attempt.asked}"
        attention.raise_for(payment, Attention.Reason.UNDERPAID, detail)
        outbox.publish(payment, "underpaid")


def _follow(attempt: Attempt, report: Report, because: Because) -> None:
    """A word without money."""
    payment = attempt.payment
    paid_by_another = attempt.state == AttemptState.OPEN and payment.state == PaymentState.SUCCEEDED
    if attempt.state in _ENDED or paid_by_another or not leads(attempt):
        _follow_past(attempt, report, because)
        return
    match report.word:
        case Word.PENDING | Word.REQUIRES_ACTION if payment.underpaid:
            return  # it waits for a person, whatever the payer could still do
        case Word.PENDING | Word.REQUIRES_ACTION if report.withheld:
            _end_unshown(attempt, report, because)
        case Word.PENDING:
            move(payment, PaymentState.PROCESSING, by=because.by, because=str(because), **_action(payment, report))
        case Word.REQUIRES_ACTION if _code_is_lost(attempt, report, because):
            give_up_unseen(attempt, because)
        case Word.REQUIRES_ACTION:
            action = _action(payment, report)
            move(payment, PaymentState.REQUIRES_ACTION, by=because.by, because=str(because), **action)
        case Word.APPROVED:
            confirming.approved(attempt, because)
        case Word.AUTHORIZED:
            _authorize(attempt, report, because)
        case Word.FAILED:
            _fail(attempt, report, because)
        case Word.CANCELLED | Word.EXPIRED:
            end(attempt, attempt.closing_as or str(report.word), because)
        case _:
            move(payment, PaymentState.PROCESSING, by=because.by, because=_park(attempt, report, because))


def _park(attempt: Attempt, report: Report, because: Because) -> str:
    detail = f"{because}: the provider says {report.provider_status!r}, which is not on its adapter's list"
    attention.raise_for(attempt.payment, Attention.Reason.PARKED, detail)
    return detail


def withhold(attempt: Attempt, report: Report) -> None:
    """Nobody is shown the provider's code, and a person is told why. The caller says what follows for the payment."""
    if learned := _learned(attempt, report):
        record(attempt, **learned)
    detail = f"{attempt.account.provider} gave a code that is shown to nobody: {report.withheld}"
    attention.raise_for(attempt.payment, Attention.Reason.PARKED, detail)


def _end_unshown(attempt: Attempt, report: Report, because: Because) -> None:
    """It is closed there where that can be. Elsewhere it is over at once where nobody can pay without us."""
    withhold(attempt, report)
    note_failure(attempt, shown_codes.WITHHELD)
    if held_by_us(attempt) and not can_close(attempt):
        end(attempt, PaymentState.FAILED, because)
        return
    move(attempt.payment, PaymentState.PROCESSING, by=because.by, because=f"{because}: its code is withheld")
    close(attempt, PaymentState.FAILED, because)


_CODE_IS_LOST = "The provider's answer with the code to pay by was lost. Nobody has been shown it."


def _code_is_lost(attempt: Attempt, report: Report, because: Because) -> bool:
    """It waits for somebody to pay by what only its first answer showed, and that has never reached us."""
    payment = attempt.payment
    shown = payment.next_action or report.next_action
    return held_by_us(attempt) and because.source == "query" and not shown


def give_up_unseen(attempt: Attempt, because: Because) -> None:
    """End what nobody was shown, and so nobody can pay: closed at its provider first, where that can be done."""
    record(attempt, failure_code=FailureCode.PROVIDER_UNAVAILABLE, failure_message=_CODE_IS_LOST)
    if attempt.provider_id and can_close(attempt):
        close(attempt, PaymentState.FAILED, because)
    else:
        end(attempt, PaymentState.FAILED, because)


def _action(payment: Payment, report: Report) -> dict[str, object]:
    if not (report.next_action and payment.is_open):
        return {}
    ends = {} if payment.expires_at else {"expires_at": report.expires_at}
    return {"next_action": dict(report.next_action), **ends}


_ENDED = (AttemptState.FAILED, AttemptState.ABANDONED)


def _follow_past(attempt: Attempt, report: Report, because: Because) -> None:
    """A word without money about an attempt that has ended, or that a newer one has taken over from.

    The payment is no longer its matter. What turns out to be payable or held there is closed there.
    """
    match report.word:
        case Word.CANCELLED | Word.EXPIRED:
            end(attempt, attempt.closing_as or str(report.word), because)
        case Word.FAILED if not report.still_payable:
            if attempt.state == AttemptState.OPEN:
                note_failure(attempt, report.failure)
            end(attempt, PaymentState.FAILED, because)
        case Word.UNKNOWN:
            _park(attempt, report, because)
        case _:
            close_past(attempt, because)


def close_past(attempt: Attempt, because: Because) -> None:
    """Close what should be closed, once: a word from before the provider confirmed that is behind."""
    if can_close(attempt) and not attempt.operations.filter(kind=Kind.CANCEL, state=OperationState.SUCCEEDED).exists():
        close(attempt, PaymentState.CANCELLED, because)


def _authorize(attempt: Attempt, report: Report, because: Because) -> None:
    """A late authorization is voided, never turned into a sale (money.md 2). Of one for less a person is told."""
    payment = attempt.payment
    if attempt.closing_as or (attempt.state == AttemptState.OPEN and not payment.is_open):
        paid = payment.state == PaymentState.SUCCEEDED
        close(attempt, attempt.closing_as or (PaymentState.CANCELLED if paid else payment.state), because)
        return
    move(payment, PaymentState.AUTHORIZED, by=because.by, because=str(because), next_action=None)
    if report.authorized is not None and report.authorized.amount < payment.amount:
        detail = f"{report.authorized} of {payment.money} is held: no more can be captured"
        attention.raise_for(payment, Attention.Reason.PARKED, detail)


def _fail(attempt: Attempt, report: Report, because: Because) -> None:
    if payer_links.wants_payer(attempt, report):
        payer_links.bring_back(attempt, by=because.by, because=f"{because}: the bank wants to see the payer")
        return
    note_failure(attempt, report.failure)
    if not report.still_payable:
        end(attempt, attempt.closing_as or PaymentState.FAILED, because)
    elif attempt.state == AttemptState.OPEN:
        close(attempt, attempt.closing_as or PaymentState.FAILED, because)


def note_failure(attempt: Attempt, failure: Failure | None) -> None:
    if failure is None:
        return
    record(
        attempt,
        failure_code=str(failure.code),
        failure_message=failure.message[:300],
        failure_provider_code=failure.provider_code[:100],
        failure_is_final=failure.is_final,
    )


def held_by_us(attempt: Attempt) -> bool:
    """Whether nobody can pay but by what we show. A saved method is charged without anybody being shown anything."""
    if attempt.payment.saved_method_id is not None:
        return False
    return REGISTRY[attempt.account.provider].capabilities.methods[attempt.payment.method].held_by_us


def can_close(attempt: Attempt) -> bool:
    """Whether its provider lets us withdraw what can be paid there."""
    return REGISTRY[attempt.account.provider].capabilities.offers(Kind.CANCEL, attempt.payment.method)


def close(attempt: Attempt, closing_as: str, because: Because) -> None:
    """Have the provider confirm that nothing more can be paid there, before the payment ends.

    Where it cannot be withdrawn there, it ends by itself, and the payment with it.
    """
    if not can_close(attempt):
        return
    if not attempt.closing_as:
        record(attempt, closing_as=str(closing_as))
    begin_close(attempt, by=because.by)


def end(attempt: Attempt, payment_state: str, because: Because) -> None:
    """The attempt ends without money, and its payment with it.

    A payment that a newer attempt has taken over, or another has paid, goes on; so does one that holds money, of
    which a person decides.
    """
    failed = payment_state == PaymentState.FAILED
    to = AttemptState.FAILED if failed else AttemptState.ABANDONED
    verdict = move(attempt, to, by=because.by, because=str(because), prompt_lock=None)
    paid_by_another = attempt.payment.state == PaymentState.SUCCEEDED
    if verdict is Verdict.CONTRADICTS or paid_by_another or not leads(attempt):
        return
    attention.settle(attempt.payment, Attention.Reason.UNKNOWN, by=because.by)
    changes: dict[str, object] = {"next_action": None}
    if attempt.payment.underpaid:
        record(attempt.payment, **changes)
        return
    if failed:
        changes |= {
            "failure_code": attempt.failure_code,
            "failure_message": attempt.failure_message,
            "failure_is_final": attempt.failure_is_final,
        }
    move(attempt.payment, payment_state, by=because.by, because=str(because), **changes)


def release(payment: Payment, attempt: Attempt, because: Because) -> None:
    """All that an open payment held has been given back: it is one that is not paid, and ends as its attempt has.

    Refunds end no payment (money.md 4): its own attempt has, or its own time.
    """
    suspended = Receipt.objects.filter(attempt__payment=payment).exclude(currency=payment.currency)
    if not payment.underpaid or payment.kept_amount > 0 or suspended.exists():
        return
    record(payment, underpaid=False)
    attention.settle(payment, Attention.Reason.UNDERPAID, by=because.by)
    if attempt.state == AttemptState.FAILED:
        end(attempt, PaymentState.FAILED, because)
    elif attempt.state == AttemptState.ABANDONED:
        end(attempt, attempt.closing_as or PaymentState.CANCELLED, because)
    elif attempt.prompt_lock is None and has_expired(payment):
        expire(attempt, because)


def has_expired(payment: Payment, *, grace: timedelta = timedelta(0)) -> bool:
    return payment.expires_at is not None and payment.expires_at + grace <= clock.now()


def expire(attempt: Attempt, because: Because) -> None:
    """A prompt's life is over. It ends by itself: the payer's phone is free, and money may still be told of."""
    record(attempt, prompt_lock=None)
    if leads(attempt) and attempt.payment.is_open and not attempt.payment.underpaid:
        move(attempt.payment, PaymentState.EXPIRED, by=because.by, because=str(because), next_action=None)


def totals(payment: Payment) -> dict[str, int]:
    """What the payment's counters must be, from its rows alone."""
    captures = Receipt.objects.filter(
        attempt__payment=payment, kind=ReceiptKind.CAPTURE, currency=payment.currency
    ).aggregate(total=Sum("amount"))["total"]
    excess = payment.overpayments.filter(currency=payment.currency).aggregate(total=Sum("amount"))["total"]
    reserved = payment.refunds.filter(
        state__in=["created", "pending", "succeeded"], origin=Refund.Origin.API
    ).aggregate(total=Sum("amount"))["total"]
    refunded = payment.refunds.filter(state="succeeded").aggregate(total=Sum("amount"))["total"]
    return {
        "captured_amount": (captures or 0) - (excess or 0),
        "refund_reserved": reserved or 0,
        "refunded_amount": refunded or 0,
    }
