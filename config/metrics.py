"""What Prometheus is told: counted where it happens, and read from the database when it asks.

With PROMETHEUS_MULTIPROC_DIR every process writes its counts to files there, and any of them answers for all.
"""

import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from psycopg_pool import PoolTimeout

from config import standing
from core import clock
from events import outbox, work
from events.models import Attention
from merchants.webhook_sending import PARTY

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_HOST = socket.gethostname().replace("_", "-")


@cache
def _identity(pid: int) -> str:
    """Processes of several machines or containers may share the folder, and process ids come again."""
    for stale in Path(settings.METRICS_FOLDER).glob(f"gauge_live*_{_HOST}-{pid}-*.db"):
        stale.unlink(missing_ok=True)
    return f"{_HOST}-{pid}-{secrets.token_hex(4)}"


if settings.METRICS_FOLDER:
    Path(settings.METRICS_FOLDER).mkdir(parents=True, exist_ok=True)
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: _identity(os.getpid()))  # type: ignore[no-untyped-call]

registry = CollectorRegistry()
REQUESTS = Histogram(
    "lango_request_seconds",
    "Requests to us, by the pattern of their route and the class of their status.",
    ["route", "method", "status"],
    buckets=_BUCKETS,
    registry=registry,
)
CALLS = Histogram(
    "lango_provider_call_seconds",
    "Calls to providers. `outcome` is a class of status, not_sent (certain) or lost (unknown).",
    ["provider", "operation", "outcome"],
    buckets=_BUCKETS,
    registry=registry,
)
DELIVERIES = Histogram(
    "lango_delivery_seconds",
    "Tries to deliver a webhook. `outcome` as for calls to providers.",
    ["outcome"],
    buckets=_BUCKETS,
    registry=registry,
)
IN_FLIGHT = Gauge(
    "lango_provider_calls_in_flight",
    "New payments and other first calls that hold one of their account's places at this moment.",
    ["provider"],
    multiprocess_mode="livesum",
    registry=registry,
)
REFUSED = Counter(
    "lango_provider_calls_refused_total",
    "Times that an account had no place left, so that another was tried or provider_busy was answered.",
    ["provider"],
    registry=registry,
)
STREAMS = Gauge(
    "lango_streams_open",
    "Screens of stores that follow live events at this moment.",
    multiprocess_mode="livesum",
    registry=registry,
)
STREAMED = Counter(
    "lango_stream_events_total",
    "Live events handed to screens; one for each screen.",
    registry=registry,
)
STREAM_LAG = Histogram(
    "lango_stream_lag_seconds",
    "From when something happened until the screens of its store were told.",
    buckets=_BUCKETS,
    registry=registry,
)
COUNTED = (REQUESTS, CALLS, DELIVERIES, IN_FLIGHT, REFUSED, STREAMS, STREAMED, STREAM_LAG)


class Counted:
    """A core.measuring.Listener that counts for Prometheus."""

    def request_done(self, *, route: str, method: str, status: int, seconds: float) -> None:
        REQUESTS.labels(route, method, f"{status // 100}xx").observe(seconds)

    def call_done(self, *, party: str, purpose: str, outcome: str, seconds: float) -> None:
        if party == PARTY:
            DELIVERIES.labels(outcome).observe(seconds)
        else:
            CALLS.labels(party, purpose, outcome).observe(seconds)

    def in_flight_changed(self, *, party: str, by: int) -> None:
        IN_FLIGHT.labels(party).inc(by)

    def refused_by_cap(self, *, party: str) -> None:
        REFUSED.labels(party).inc()

    def streams_changed(self, *, by: int) -> None:
        STREAMS.inc(by)

    def streamed(self, *, events: int, streams: int, seconds: float) -> None:
        STREAMED.inc(events * streams)
        STREAM_LAG.observe(seconds)


def _families() -> dict[str, GaugeMetricFamily]:
    """What is read from the database: empty, by a short name."""
    return {
        "up": GaugeMetricFamily(
            "lango_database_up", "1 while PostgreSQL answers; without it all of the following are absent."
        ),
        "due": GaugeMetricFamily("lango_queue_due", "Rows that are due and that nobody works on.", labels=["queue"]),
        "oldest": GaugeMetricFamily(
            "lango_queue_oldest_seconds", "For how long the oldest of those rows has been due.", labels=["queue"]
        ),
        "behind": GaugeMetricFamily(
            "lango_outbox_behind", "Events that a reader of the outbox has still to read.", labels=["reader"]
        ),
        "attention": GaugeMetricFamily(
            "lango_attention_open", "Items on the attention list, by their reason.", labels=["reason"]
        ),
        "age": GaugeMetricFamily(
            "lango_schedule_age_seconds",
            "For how long a schedule has not succeeded; from its first plan on where it never has.",
            labels=["schedule"],
        ),
        "took": GaugeMetricFamily(
            "lango_schedule_seconds", "What the last run of a schedule took.", labels=["schedule"]
        ),
        "failures": GaugeMetricFamily(
            "lango_schedule_failures", "Failures of a schedule in a row; 0 after a success.", labels=["schedule"]
        ),
        "late": GaugeMetricFamily(
            "lango_schedule_late", "1 while a schedule that is on has not run in its time.", labels=["schedule"]
        ),
    }


class FromDatabase:
    """A collector that looks when it is asked."""

    def describe(self) -> list[GaugeMetricFamily]:
        return list(_families().values())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families = _families()
        try:
            _fill(families)
        except (DatabaseError, PoolTimeout):
            up = _families()["up"]
            up.add_metric([], 0)
            yield up
            return
        yield from families.values()


def _fill(families: dict[str, GaugeMetricFamily]) -> None:
    for queue, found in work.waiting().items():
        families["due"].add_metric([queue], found.due)
        families["oldest"].add_metric([queue], found.oldest)
    families["oldest"].add_metric(["outbox"], outbox.oldest_unsequenced())
    for reader, behind in outbox.behind().items():
        families["behind"].add_metric([reader], behind)
    counted = Attention.objects.filter(closed_at=None).values_list("reason").annotate(open=Count("pk")).order_by()
    counts = dict(counted)
    for reason in Attention.Reason.values:
        families["attention"].add_metric([reason], counts.get(reason, 0))
    _add_schedules(families)
    families["up"].add_metric([], 1)


def _add_schedules(families: dict[str, GaugeMetricFamily]) -> None:
    for told in standing.everyone():
        name, job = [told.schedule.name], told.job
        families["late"].add_metric(name, int(told.is_late))
        if job is None:
            continue
        families["age"].add_metric(name, (clock.now() - (job.succeeded_at or job.created_at)).total_seconds())
        families["failures"].add_metric(name, job.failures)
        if job.milliseconds is not None:
            families["took"].add_metric(name, job.milliseconds / 1000)


def documented() -> list[tuple[str, str, Sequence[str], str]]:
    """Name, kind, labels and meaning of every metric, for docs/operations.md."""
    told = [
        (f"{family.name}{'_total' if family.type == 'counter' else ''}", family.type, labels, family.documentation)
        for family, labels in (
            *((next(iter(metric.describe())), metric._labelnames) for metric in COUNTED),
            *((family, family._labelnames) for family in _families().values()),
        )
    ]
    return told


def text() -> bytes:
    """Everything, in Prometheus' text format."""
    asked = CollectorRegistry()
    if settings.METRICS_FOLDER:
        _forget_the_dead()
        MultiProcessCollector(asked, path=settings.METRICS_FOLDER)  # type: ignore[no-untyped-call]
        counted = generate_latest(asked)
    else:
        counted = generate_latest(registry)
    looked = CollectorRegistry()
    looked.register(FromDatabase())
    return counted + generate_latest(looked)


def _forget_the_dead() -> None:
    """What a process of this machine held in flight ended with it."""
    for gauge in Path(settings.METRICS_FOLDER).glob(f"gauge_live*_{_HOST}-*.db"):
        pid = gauge.stem.rsplit("-", 2)[1]
        if not Path("/proc", pid).exists():
            gauge.unlink(missing_ok=True)
