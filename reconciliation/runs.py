"""A run, step by step: read the provider's statement page by page, match it, repair what is certain, conclude.

Every step is kept before the next begins, so that a run whose worker died goes on where it was; two workers at one run
find that the other was faster.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Max, QuerySet

from core import clock
from core.calendar import is_zone
from core.database import insert_ignoring
from core.errors import Conflict
from core.providers import NothingCreated, OutcomeUnknown
from events import attention, audit, work
from events.models import Attention
from merchants.doors import callback_url
from merchants.models import ProviderAccount
from payments.providers import REGISTRY
from payments.providers.statements import StatementPage, Statements, Window
from payments.services import connections, statuses
from reconciliation import concluding, filing, matching, repairs, settlement_lines, settlements, staging, uploads
from reconciliation.matching import Found
from reconciliation.models import Purpose, Run, Upload
from reconciliation.progress import find, lock, store

Phase, Occasion = Run.Phase, Run.Occasion
QUEUE = "reconciliation"

_TO_SPARE = timedelta(minutes=30)
"""Kept from a provider's reach, so that the list does not end while it is read."""
_MOST_REPEATS = 3
_UNREADABLE_KEPT = 100
_TURN_SECONDS = 20.0
_WAITS = tuple(timedelta(seconds=seconds) for seconds in (30, 120, 600, 1800))


# Beginning


def begin(account: ProviderAccount, *, occasion: Run.Occasion, by: str) -> Run | None:
    """A new run of the account; None while one of the same occasion is open.

    Raises Conflict where the provider lists nothing.
    """
    declared = REGISTRY[account.provider].capabilities.statements
    if declared is None:
        raise Conflict(f"{account.provider} lists nothing that could be compared.")
    now = clock.now()
    return _insert(_made(account, occasion=occasion, by=by, since=_since(account, occasion, declared, now), until=now))


def begin_file(upload: Upload, *, by: str) -> Run | None:
    """A run over an uploaded file; None while one reads it. What it covers is known once it has been read.

    Raises Conflict without a mapping, and for a file that was forgotten.
    """
    mapping = uploads.mapping_of(upload)
    if mapping is None or upload.forgotten_at is not None:
        raise Conflict(f"{upload.pk} has no mapping yet, or its contents were forgotten: upload the file again.")
    now = clock.now()
    occasion, since = Occasion.FILE, now - timedelta(seconds=1)
    run = _made(upload.account, occasion=occasion, by=by, since=since, until=now)
    run.upload = upload
    with transaction.atomic():
        begun = _insert(run)
        if begun is not None:
            Upload.objects.filter(pk=upload.pk).update(
                run=begun.pk, reading=mapping.reading, unreadable=0, fault="", is_cut=False
            )
    return begun


def _made(account: ProviderAccount, *, occasion: Run.Occasion, by: str, since: datetime, until: datetime) -> Run:
    return Run(
        account=account,
        merchant_id=account.merchant_id,
        livemode=account.livemode,
        occasion=occasion,
        by=by,
        since=since,
        until=until,
        lane=account.pk,
        due_at=until,
    )


def _insert(run: Run) -> Run | None:
    account = run.account
    with transaction.atomic():
        if not insert_ignoring(run):
            return None
        if run.occasion in (Occasion.PERSON, Occasion.FILE):
            audit.record(
                actor=run.by,
                action="reconciliation.begun",
                merchant=account.merchant_id,
                livemode=account.livemode,
                object_id=account.pk,
                detail={"run": run.pk},
            )
        work.wake_on_commit(QUEUE)
    return run


def _since(account: ProviderAccount, occasion: str, declared: Statements, now: datetime) -> datetime:
    """As far back as is read of it every night; for the often ones, some hours. Always into what was read before."""
    furthest = now - declared.reach + _TO_SPARE
    if occasion != Occasion.OFTEN and declared.nightly is None:
        return furthest
    read = Run.objects.filter(account=account, phase=Phase.FINISHED, upload=None).aggregate(until=Max("until"))["until"]
    since = now - (settings.RECONCILED_OFTEN if occasion == Occasion.OFTEN else declared.nightly or declared.reach)
    return max(furthest, min(since, read - 2 * declared.late) if read else since)


def begin_all(*, occasion: Run.Occasion, zone: str = "") -> int:
    """Begin a run of every account whose provider lists what moved, in that zone or any; how many.

    Also of accounts that take no new payments: what was begun there may still be paid. Where each payment is asked
    about, once a night is often enough: what is open is asked about anyway.
    """
    listing = _listing(by_status=occasion != Occasion.OFTEN)
    accounts = [account for account in listing if zone in ("", zone_of(account))]
    return sum(begin(account, occasion=occasion, by="schedule") is not None for account in accounts)


def zones() -> set[str]:
    """By whose clocks the business days end, of all accounts that are reconciled."""
    told = _listing().order_by().values_list("provider", "options__business_zone").distinct()
    return {_zone(provider, chosen) for provider, chosen in told}


def zone_of(account: ProviderAccount) -> str:
    """The account's own option `business_zone`, or its provider's zone."""
    return _zone(account.provider, account.options.get("business_zone"))


def _zone(provider: str, chosen: str | None) -> str:
    """A zone that this machine does not know keeps no other account waiting."""
    declared = REGISTRY[provider].capabilities.statements
    return chosen if chosen and is_zone(chosen) else declared.zone if declared else "UTC"


def _listing(*, by_status: bool = True) -> QuerySet[ProviderAccount]:
    declared = {name: told for name in REGISTRY if (told := REGISTRY[name].capabilities.statements)}
    listing = [name for name, told in declared.items() if by_status or not told.by_status]
    return ProviderAccount.objects.filter(provider__in=listing).order_by("pk")


# Going on


def pursue(row: Run) -> None:
    """Take the run as far as its turn allows. A provider that does not answer is asked again later."""
    ends_at = time.monotonic() + _TURN_SECONDS
    run = find(row)
    try:
        while run.phase != Phase.FINISHED and run.claim == row.claim and time.monotonic() < ends_at:
            run = _STEPS[run.phase](run)
    except (NothingCreated, OutcomeUnknown) as fault:
        _put_off(row, str(fault))
        return
    if run.phase != Phase.FINISHED:
        Run.objects.filter(pk=row.pk, claim=row.claim).update(due_at=clock.now(), claim=None, tries=0)


def _put_off(row: Run, problem: str) -> None:
    wait = _WAITS[min(row.tries, len(_WAITS)) - 1]
    Run.objects.filter(pk=row.pk, claim=row.claim).update(problem=problem[:300], due_at=clock.now() + wait, claim=None)
    if row.tries >= len(_WAITS):
        _failing(row)


def _failing(row: Run) -> None:
    attention.raise_for(row, Attention.Reason.FAILING, "this run of reconciliation fails again and again")


def _declared(run: Run) -> Statements:
    if run.upload is not None:
        return filing.declared(run.upload)
    declared = REGISTRY[run.account.provider].capabilities.statements
    if declared is None:
        raise NothingCreated(f"{run.account.provider} lists nothing any more")
    return declared


def _read(run: Run) -> Run:
    """One page: asked for without a transaction, kept with the place where to go on."""
    if run.upload is not None:
        return filing.read_some(run, run.upload)
    run = _begun(run)
    if run.phase != Phase.READING:
        return run
    page = _next_page(run)
    with transaction.atomic():
        locked = lock(run)
        if (locked.phase, locked.cursor, locked.pages) == (Phase.READING, run.cursor, run.pages):
            _keep(locked, page)
    return locked


def _next_page(run: Run) -> StatementPage:
    declared, window = _declared(run), Window(run.since, run.until)
    if declared.by_status:
        return statuses.page(run.account, declared, window, run.cursor)
    provider = connections.connect(run.account)
    return connections.ask(provider, provider.statement(window, run.cursor), purpose="statement")


def _begun(run: Run) -> Run:
    """Ready to be read: registered, and from the start where it was left for too long."""
    now, declared = clock.now(), _declared(run)
    stale = run.read_at is None or now - run.read_at > declared.lasts
    if not stale:
        return run
    registered = run.registered or _is_registered(run.account) or _register(run)
    with transaction.atomic():
        locked = lock(run)
        if locked.phase != Phase.READING or locked.read_at != run.read_at:
            return locked
        if locked.until <= now - declared.reach:
            return concluding.give_up(locked, f"the provider lists no further back; {locked.problem}")
        staging.forget(locked.pk)
        locked.since = max(locked.since, now - declared.reach + _TO_SPARE)
        locked.since = min(locked.since, locked.until - timedelta(seconds=1))
        locked.cursor, locked.last_page, locked.repeats, locked.pages, locked.lines = "", "", 0, 0, 0
        locked.registered, locked.unreadable = registered, {}
        locked.started_at, locked.read_at = locked.started_at or now, now
        return store(locked)


def _is_registered(account: ProviderAccount) -> bool:
    return Run.objects.filter(account=account, registered=True).exists()


def _register(run: Run) -> bool:
    """Whether the provider has been told to list. Where it refuses, the list is asked for all the same."""
    provider = connections.connect(run.account)
    step = provider.register_statements(lambda door: callback_url(run.account, door))
    if step is None:
        return False
    try:
        connections.ask(provider, step, purpose="register_statements")
    except (NothingCreated, OutcomeUnknown):
        return False
    return True


def _keep(run: Run, page: StatementPage) -> None:
    """The page's lines, and where to go on: to the end, or until the provider only repeats itself."""
    known = staging.digest(page.lines)
    run.repeats = run.repeats + 1 if known and known == run.last_page else 0
    run.last_page, run.read_at = known, clock.now()
    run.pages += 1
    if not run.repeats:
        run.lines += staging.stage(run.pk, page.lines)
    unreadable = run.unreadable | dict(page.unreadable)
    # Each payment whose answer could not be read has to be known: of it nothing is missed.
    run.unreadable = unreadable if _declared(run).by_status else dict(list(unreadable.items())[:_UNREADABLE_KEPT])
    run.cursor = page.next_cursor
    if not run.cursor or run.repeats >= _MOST_REPEATS:
        run.phase, run.cursor = Phase.MATCHING, ""
    store(run)


def _match(run: Run) -> Run:
    staging.count_again(run)
    with transaction.atomic():
        locked = lock(run)
        if locked.phase == Phase.MATCHING:
            found = _compare(locked)
            locked.counts, locked.totals = found.counts, found.totals
            locked.phase = Phase.REPAIRING
            store(locked)
    return locked


def _compare(run: Run) -> Found:
    """A bank's statement tells of payouts, and of nothing that a receipt is about."""
    if run.upload is None:
        return matching.match(run, _declared(run))
    if run.upload.purpose == Purpose.BANK:
        return settlement_lines.take_in_bank(run)
    settlement_lines.take_in_report(run)
    return matching.match(run, _declared(run))


def _repair(run: Run) -> Run:
    """Some of the account's open cases, those of earlier runs too; after the last of them the run is concluded."""
    last = repairs.repair_some(run, after=run.cursor)
    if not last:
        _look_back(run)
    with transaction.atomic():
        locked = lock(run)
        if locked.phase != Phase.REPAIRING or locked.cursor != run.cursor:
            return locked
        if last:
            locked.cursor = last
            return store(locked)
        return concluding.conclude(locked, _declared(locked))


def _look_back(run: Run) -> None:
    """What is not about a line of this run, but may be over or agree now."""
    if run.upload is None:
        repairs.conclude_unlisted(run.account, _declared(run))
    if run.occasion != Occasion.OFTEN:
        settlements.weigh_all(run)


_STEPS: dict[str, Callable[[Run], Run]] = {
    Phase.READING: _read,
    Phase.MATCHING: _match,
    Phase.REPAIRING: _repair,
}


work.register(work.Queue(QUEUE, model=Run, do=pursue, lane_limit=1, threads=4, failing=_failing))
