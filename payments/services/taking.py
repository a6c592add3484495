"""Taking a payment: choose an account, claim, call, conclude; and the next account where that is safe."""

from contextlib import ExitStack

from django.db import IntegrityError

from core.database import violated
from core.errors import PromptOpen
from events.idempotency import Claim
from payments.models import Attempt, Payment
from payments.providers.base import Kind
from payments.services import at_counter, choosing, operations, saved_charges
from payments.services.failing_over import Turns
from payments.services.making import new_attempt, new_payment
from payments.services.payment_request import PaymentRequest as PaymentRequest
from payments.services.preparing import prepare


def take_payment(asked: PaymentRequest, *, claim: Claim) -> Payment:
    """Make the payment and ask the provider for it; whatever the provider says, the payment exists.

    Raises before anything is written: NoRoute, InvalidRequest, SavedMethodUnusable, AmountNotRepresentable,
    PromptOpen, ProviderBusy; and AlreadyClaimed for a repeated key.
    """
    asked, saved = saved_charges.completed(at_counter.completed(asked))
    with ExitStack() as held:
        turns = Turns(choosing.accounts_for(asked, saved), held)
        account = turns.first()
        attempt = new_attempt(new_payment(asked, account, saved), account)
        operation, order = prepare(attempt, Kind.CREATE, by=asked.by, money=asked.money, sending=True)
        try:
            with at_counter.kept_free(asked), saved_charges.kept_usable(saved):
                claim.bind(attempt.payment.pk, attempt.payment, attempt, operation)
        except IntegrityError as error:
            raise _explained(error, attempt) from error
        operation = operations.perform(operation, order, turns=turns)
        while (following := turns.take()) is not None:
            operation = operations.perform(*following, turns=turns)
        return operation.attempt.payment


def _explained(error: IntegrityError, attempt: Attempt) -> Exception:
    if violated(error) == "one_open_prompt":
        return PromptOpen(
            f"A prompt is open on {attempt.payment.instrument_hint}. Wait until it is answered or has expired.",
            param="/phone",
            retry_after=60,
        )
    return error
