"""Telling a provider by a call where the callbacks of an account go, and keeping what came of it."""

from django.conf import settings
from django.db import IntegrityError, transaction

from core import clock
from core.database import violated
from core.errors import Conflict
from core.providers import NothingCreated, OutcomeUnknown
from events import audit, work
from events.idempotency import Claim
from merchants.doors import callback_url
from merchants.models import ProviderAccount
from payments.models import Registration
from payments.providers import REGISTRY
from payments.providers.base import Report, Word
from payments.services import connections

Outcome = Registration.Outcome


def register_doors(account: ProviderAccount, *, by: str, claim: Claim | None = None) -> Registration:
    """Write down that the account's addresses are to be registered; a worker sends it at once, and once.

    Raises Conflict where the provider takes no addresses by a call, or while an earlier try is under way.
    """
    if not REGISTRY[account.provider].capabilities.registers_doors:
        raise Conflict(f"{account.provider} is not told its callback addresses by a call.")
    row = Registration(
        account=account,
        merchant_id=account.merchant_id,
        livemode=account.livemode,
        by=by,
        lane=account.pk,
        due_at=clock.now(),
    )
    try:
        with transaction.atomic():
            _insert(row, claim)
            audit.record(
                actor=by,
                action="provider_account.doors_registered",
                merchant=account.merchant_id,
                livemode=account.livemode,
                object_id=account.pk,
                detail={"registration": row.pk},
            )
    except IntegrityError as error:
        if violated(error) != "one_open_registration":
            raise
        raise Conflict(f"A registration of {account.pk} is under way. Look at it in a moment.") from error
    work.wake_on_commit("registrations")
    return row


def _insert(row: Registration, claim: Claim | None) -> None:
    if claim is not None:
        claim.bind(row.pk, row)
    else:
        row.save(force_insert=True)


def send(row: Registration) -> None:
    """Make the call of a registration that waits. One whose caller died is unknown, and never sent again."""
    begun = Registration.objects.filter(pk=row.pk, outcome=Outcome.WAITING).update(
        outcome=Outcome.SENDING, sent_at=clock.now(), due_at=clock.now() + settings.WORK_LEASE
    )
    if not begun:
        _conclude(row, Outcome.UNKNOWN, message="its caller did not come back")
        return
    account = ProviderAccount.objects.get(pk=row.account_id)
    try:
        provider = connections.connect(account)
        step = provider.register_doors(lambda door: callback_url(account, door))
        _conclude_report(row, connections.ask(provider, step))
    except NothingCreated as fault:
        _conclude(row, Outcome.REFUSED, provider_code=fault.provider_code, message=str(fault))
    except OutcomeUnknown as fault:
        _conclude(row, Outcome.UNKNOWN, message=str(fault))


def _conclude_report(row: Registration, report: Report) -> None:
    if report.word is Word.SUCCEEDED:
        _conclude(row, Outcome.REGISTERED, provider_code=report.provider_status)
    elif report.failure is not None:
        _conclude(row, Outcome.REFUSED, provider_code=report.failure.provider_code, message=report.failure.message)
    else:
        _conclude(row, Outcome.UNKNOWN, provider_code=report.provider_status)


def _conclude(row: Registration, outcome: Outcome, *, provider_code: str = "", message: str = "") -> None:
    Registration.objects.filter(pk=row.pk, outcome__in=[Outcome.WAITING, Outcome.SENDING]).update(
        outcome=outcome, provider_code=provider_code[:100], message=message[:300], due_at=None, claim=None
    )


work.register(work.Queue("registrations", model=Registration, do=send, lane_limit=1, threads=2))
