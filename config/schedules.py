"""Every schedule of the house, in one table: what it does, how often, and how late it may be.

Beat keeps a row of django-celery-beat for each (`config/beat.py`), where staff may change when it runs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django_celery_beat.tzcrontab import TzAwareCrontab

from events import work

_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """`task` is the Celery task that it calls with `args`, in the worker that claims it.

    `when` is how long from one time to the next, or at which moments of a zone's clock. Once it has not succeeded for
    `late` longer than that, it is named at `/readyz`.
    """

    name: str
    does: str
    task: str
    when: timedelta | TzAwareCrontab
    late: timedelta
    args: tuple[str, ...] = ()

    @property
    def expires(self) -> int:
        """Seconds after which nobody needs to begin what was asked of a worker: it is asked again by then."""
        return max(10, round(self.when.total_seconds() if isinstance(self.when, timedelta) else 12 * 3600))


def everything(zones: Iterable[str]) -> dict[str, Schedule]:
    """The table, by name. `zones` are those whose nights are reconciled."""
    listed = [*_sweeps(), *_table(), *(_night(zone) for zone in sorted(zones))]
    return {schedule.name: schedule for schedule in listed}


def current() -> dict[str, Schedule]:
    """With the nights of the accounts that there are."""
    # Staff's pages are imported before the domains are ready, who register what they have in an order of their own.
    from reconciliation import runs

    return everything(runs.zones())


def declared_zones() -> set[str]:
    """Of the providers, whatever accounts there are."""
    from payments.providers import REGISTRY

    return {told.zone for name in REGISTRY if (told := REGISTRY[name].capabilities.statements)}


def find(name: str) -> Schedule | None:
    return everything(()).get(name) or current().get(name)


def _sweeps() -> list[Schedule]:
    every = timedelta(seconds=settings.SWEEP_SECONDS)
    return [
        Schedule(
            name=f"sweep {queue}",
            does=f"works on what is due in the queue {queue} and was told to no worker{_ALSO.get(queue, '')}",
            task="events.tasks.drain",
            args=(queue,),
            when=every,
            late=max(_MINUTE, 12 * every),
        )
        for queue in work.names()
    ]


_ALSO = {
    "operations": ": asks providers about unknown outcomes, and ends payments whose time is over",
    "schedules": ": announces and charges the periods of recurring payments",
    "reconciliation": ": goes on with the runs",
    "fees": ": asks providers what captures have cost",
    "deliveries": ": sends webhooks",
    "callbacks": ": understands what providers have sent",
}


def _table() -> list[Schedule]:
    return [
        Schedule(
            name="often reconciliation",
            does="begins to read the last hours of every account whose provider lists what moved",
            task="reconciliation.tasks.begin_often",
            when=15 * _MINUTE,
            late=15 * _MINUTE,
        ),
        Schedule(
            name="purge",
            does="forgets stored answers, quarantined callbacks and counts of refused keys that are past their time",
            task="events.tasks.purge",
            when=_HOUR,
            late=_HOUR,
        ),
        Schedule(
            name="forget statement lines",
            does="forgets the lines of reconciliation runs that finished a while ago",
            task="reconciliation.tasks.purge",
            when=_HOUR,
            late=_HOUR,
        ),
        Schedule(
            name="notice expiring keys",
            does="tells merchants of API keys that are about to end",
            task="merchants.tasks.notice_expiring_keys",
            when=10 * _MINUTE,
            late=20 * _MINUTE,
        ),
        Schedule(
            name="ending cards",
            does="tells merchants of saved cards that are about to end",
            task="payments.tasks.tell_of_ending_cards",
            when=_HOUR,
            late=_HOUR,
        ),
        Schedule(
            name="due evidence",
            does="tells merchants of disputes whose evidence is due soon",
            task="payments.tasks.tell_of_due_evidence",
            when=15 * _MINUTE,
            late=30 * _MINUTE,
        ),
    ]


def _night(zone: str) -> Schedule:
    return Schedule(
        name=f"nightly reconciliation in {zone}",
        does="begins to read all that the provider lists, of every account whose business day ends by that clock",
        task="reconciliation.tasks.begin_nightly",
        args=(zone,),
        when=TzAwareCrontab(minute="0", hour="2", tz=ZoneInfo(zone)),
        late=2 * _HOUR,
    )
