"""Taking a payment: choose an account, claim, call, conclude."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError

from core import clock, http, ids
from core.database import violated
from core.errors import AmountNotRepresentable, InvalidRequest, NoRoute, PromptOpen, ProviderBusy
from core.money import Money, NotRepresentable
from events import sealing
from events.idempotency import Claim
from merchants.customer_search import living
from merchants.models import Customer, ProviderAccount
from payments.models import Attempt, Payment, SavedMethod
from payments.providers import REGISTRY
from payments.providers.base import Kind, MethodCapability
from payments.services import connections, operations, prompts, saved_charges
from payments.services.payment_request import PaymentRequest as PaymentRequest
from payments.services.preparing import prepare


def take_payment(asked: PaymentRequest, *, claim: Claim) -> Payment:
    """Make the payment and ask the provider for it; whatever the provider says, the payment exists.

    Raises before anything is written: NoRoute, InvalidRequest, SavedMethodUnusable, AmountNotRepresentable,
    PromptOpen, ProviderBusy; and AlreadyClaimed for a repeated key.
    """
    asked, saved = saved_charges.completed(asked)
    with place_in_flight(*(_accounts_of(saved, asked) if saved else candidates(asked))) as account:
        attempt = _new_attempt(asked, account, saved)
        operation, order = prepare(attempt, Kind.CREATE, by=asked.by, money=asked.money, sending=True)
        try:
            with saved_charges.kept_usable(saved):
                claim.bind(attempt.payment.pk, attempt.payment, attempt, operation)
        except IntegrityError as error:
            raise _explained(error, attempt) from error
        return operations.perform(operation, order).attempt.payment


def _accounts_of(saved: SavedMethod, asked: PaymentRequest) -> list[ProviderAccount]:
    """The one account that keeps it, and no other. Raises NoRoute or AmountNotRepresentable."""
    if not _fits(saved.account.provider, asked):
        raise NoRoute(f"{saved.account.provider} does not take {asked.method} in {asked.money.currency}.")
    check_carries(saved.account, asked.money)
    return [saved.account]


def candidates(asked: PaymentRequest) -> list[ProviderAccount]:
    """The enabled accounts that can take this, by priority. Raises what says why there is none."""
    usable = [name for name in REGISTRY if _fits(name, asked)]
    if asked.provider and asked.provider not in usable:
        raise NoRoute(f"{asked.provider} does not take {asked.method} in {asked.money.currency}.", param="/provider")
    named = [asked.provider] if asked.provider else usable
    # Written out, as this is asked for every payment and the ORM takes longer to word it than PostgreSQL to answer.
    accounts = list(ProviderAccount.objects.raw(_CANDIDATES, [asked.merchant.pk, asked.livemode, named]))
    able = [account for account in accounts if _carries(account, asked.money)]
    if not accounts:
        mode = "live" if asked.livemode else "test"
        raise NoRoute(
            f"There is no enabled {mode} account that takes {asked.method} in {asked.money.currency}. "
            "Add a provider account, or ask for another method or currency.",
            param="/method",
        )
    if not able:
        check_carries(accounts[0], asked.money)
    return able


_CANDIDATES = f"""
SELECT * FROM {ProviderAccount._meta.db_table}
WHERE merchant_id = %s AND livemode = %s AND is_enabled AND provider = ANY(%s) ORDER BY priority, id
"""  # noqa: S608  (names from models)


def _carries(account: ProviderAccount, money: Money) -> bool:
    try:
        check_carries(account, money)
    except AmountNotRepresentable:
        return False
    return True


def check_carries(account: ProviderAccount, money: Money) -> None:
    """Raises AmountNotRepresentable when the provider's own units cannot hold the amount."""
    try:
        connections.connect(account).units(money)
    except NotRepresentable as error:
        raise AmountNotRepresentable(f"{account.provider}: {error}.", param="/amount") from error


def _fits(provider: str, asked: PaymentRequest) -> bool:
    method = REGISTRY[provider].capabilities.methods.get(asked.method)
    if method is None or (asked.capture == Payment.Capture.MANUAL and not method.manual_capture):
        return False
    return method.currencies is None or asked.money.currency in method.currencies


def _new_attempt(asked: PaymentRequest, account: ProviderAccount, saved: SavedMethod | None) -> Attempt:
    capabilities = REGISTRY[account.provider].capabilities
    method = capabilities.methods[asked.method]
    instrument = "" if saved else _instrument(asked, account, method)
    payment = Payment(
        merchant=asked.merchant,
        livemode=asked.livemode,
        customer=saved.customer.survivor if saved else _customer(asked),
        saved_method=saved,
        off_session=asked.off_session,
        amount=asked.money.amount,
        currency=asked.money.currency,
        method=asked.method,
        capture=asked.capture,
        reference=asked.reference,
        description=asked.description,
        metadata=asked.metadata,
        return_url=asked.return_url,
        expires_at=_expires_at(asked, method),
        instrument_hint=_hint(instrument, method),
    )
    if instrument:
        sealing.seal(payment, "instrument", instrument)
    return Attempt(
        payment=payment,
        merchant=asked.merchant,
        livemode=asked.livemode,
        account=account,
        provider_reference=ids.random_reference(
            length=capabilities.reference_length, alphabet=capabilities.reference_alphabet
        ),
        asked_amount=asked.money.amount,
        prompt_lock=_prompt_lock(instrument, account, method),
    )


def _customer(asked: PaymentRequest) -> Customer | None:
    """Whoever answers for the id. Raises InvalidRequest that names the field."""
    if not asked.customer:
        return None
    merchant, livemode = asked.merchant.pk, asked.livemode
    return living(merchant=merchant, livemode=livemode, public_id=asked.customer, param="/customer")


def _instrument(asked: PaymentRequest, account: ProviderAccount, method: MethodCapability) -> str:
    if not method.instrument:
        return ""
    if not asked.instrument:
        raise InvalidRequest(f"A payment by {asked.method} needs `{method.instrument}`.", param=f"/{method.instrument}")
    try:
        return connections.connect(account).instrument(asked.instrument.reveal())
    except ValueError as error:
        raise InvalidRequest(f"{error}", param=f"/{method.instrument}") from error


def _expires_at(asked: PaymentRequest, method: MethodCapability) -> datetime | None:
    """A pushed prompt ends by itself; its life is the longest that the payment waits for it."""
    if method.prompt_life is None:
        return asked.expires_at
    life: timedelta = settings.PROMPT_LIFE
    return clock.now() + life


def _hint(instrument: str, method: MethodCapability) -> str:
    """What may be shown of a phone number; of a token, nothing."""
    return f"{instrument[:4]}•••{instrument[-3:]}" if method.instrument == "phone" else ""


def _prompt_lock(instrument: str, account: ProviderAccount, method: MethodCapability) -> str | None:
    if method.prompt_life is None:
        return None
    return prompts.lock_of(account, instrument)


@contextmanager
def place_in_flight(*accounts: ProviderAccount) -> Iterator[ProviderAccount]:
    """A call in flight to the first account that has a place; none is `provider_busy`, before anything is written."""
    with ExitStack() as held:
        for account in accounts:
            try:
                held.enter_context(connections.reserve(account))
            except http.Busy:
                continue
            yield account
            return
    raise ProviderBusy(
        f"{accounts[0].provider} is answering slowly and takes no more calls now. "
        "Nothing was created; send the same request again.",
        retry_after=2,
    )


def _explained(error: IntegrityError, attempt: Attempt) -> Exception:
    if violated(error) == "one_open_prompt":
        return PromptOpen(
            f"A prompt is open on {attempt.payment.instrument_hint}. Wait until it is answered or has expired.",
            param="/phone",
            retry_after=60,
        )
    return error
