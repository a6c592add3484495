"""The cases `deliver` and `deliver_healthy`: webhooks a second, and what a hanging receiver does to the others."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import urllib3

from benchmarks.plan import Plan
from benchmarks.processes import Broken, result_of, running, told
from benchmarks.results import HIGHER, Row
from benchmarks.stage import Stage, Wants

AIM, HEALTHY_AIM = 5.0, 0.75
HANG_SECONDS = 10
RECEIVER = ("--delay", "0.02", "--hang", str(HANG_SECONDS))
HEALTHY = tuple(f"/ok/{place}" for place in range(9))
TENTH, HANGING = "/ok/9", "/hang/9"
ROUNDS = 3
PROBE_EVENTS, YARDSTICK_PROBE = 20, 100
PATIENCE_SECONDS = 120.0
YARDSTICK_WORKER = ("celery", "-A", "benchmarks.yardstick_deliver", "worker", "--pool", "threads", "-c", "32")


def run(plan: Plan) -> list[Row]:
    """Ten endpoints at 20 ms, against the yardstick's one task per delivery."""
    rounds, seconds = _slices(plan)
    wants = Wants(worker=True, receiver=RECEIVER, endpoints=(*HEALTHY, TENTH))
    with plan.stages("deliver", wants) as stages, _yardstick_worker(plan) as environment:
        paces = [_warm_up(stage) for stage in stages]
        yardstick_pace = _yardstick(plan, environment, YARDSTICK_PROBE)
        rates: list[list[float]] = [[] for _ in stages]
        staged, yardstick = [2 * PROBE_EVENTS for _ in stages], list[float]()
        for _ in range(rounds):
            for place, stage in enumerate(stages):
                events = _events(paces[place], seconds)
                paces[place] = _deliver(stage, events, (*HEALTHY, TENTH))
                rates[place].append(paces[place])
                staged[place] += events
            yardstick_pace = _yardstick(plan, environment, max(YARDSTICK_PROBE, round(yardstick_pace * seconds)))
            yardstick.append(yardstick_pace)
        for stage, events, reached in zip(stages, staged, rates, strict=True):
            _check(stage, events * (len(HEALTHY) + 1))
            plan.say(
                f"{stage.candidate.name}: {_mean(reached):.0f} deliveries/s; {events * 10} staged, as many received"
            )
    plan.say(f"yardstick: {_mean(yardstick):.0f} deliveries/s")
    return [_row("deliver", [_mean(reached) for reached in rates], _mean(yardstick), AIM)]


def run_healthy(plan: Plan) -> list[Row]:
    """Nine endpoints at 20 ms while the tenth hangs, against the same ten when none does."""
    rounds, seconds = _slices(plan)
    wants = Wants(worker=True, receiver=RECEIVER, endpoints=(*HEALTHY, TENTH, HANGING))
    with plan.stages("healthy", wants) as stages:
        for stage in stages:
            _switch(stage, hanging=False)
        paces = [_warm_up(stage) for stage in stages]
        clean: list[list[float]] = [[] for _ in stages]
        healthy: list[list[float]] = [[] for _ in stages]
        for turn in range(rounds):
            for place, stage in enumerate(stages):
                if turn or place:
                    time.sleep(HANG_SECONDS + 1)  # what hung before held threads until now
                events = _events(paces[place], seconds)
                paces[place] = _deliver(stage, events, (*HEALTHY, TENTH))
                clean[place].append(paces[place])
                _switch(stage, hanging=True)
                healthy[place].append(_deliver(stage, events, HEALTHY))
                _switch(stage, hanging=False)
        for stage, without, with_it in zip(stages, clean, healthy, strict=True):
            plan.say(f"{stage.candidate.name}: {_mean(without):.0f} deliveries/s, {_mean(with_it):.0f} while one hangs")
    return [_row("deliver_healthy", [_mean(reached) for reached in healthy], _mean(clean[0]), HEALTHY_AIM)]


def _slices(plan: Plan) -> tuple[int, float]:
    rounds = max(1, min(ROUNDS, round(plan.seconds / 5)))
    return rounds, plan.seconds / rounds / 2


def _events(pace: float, seconds: float) -> int:
    return max(PROBE_EVENTS, round(pace * seconds / (len(HEALTHY) + 1)))


def _deliver(stage: Stage, events: int, paths: Sequence[str]) -> float:
    """Stage so many events and return how many deliveries a second reached the endpoints at these paths."""
    urls = [stage.receiver_url + path for path in paths]
    before = stage.ask("deliveries")
    committed = float(stage.ask("stage", events=events)["committed_at"])
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        now = stage.ask("deliveries")
        # More by one: that an endpoint was switched off is itself an event for the others.
        if all(now[url]["delivered"] >= before[url]["delivered"] + events for url in urls):
            return events * len(urls) / float(max(now[url]["last"] for url in urls) - committed)
        if time.monotonic() > ends:
            raise Broken(f"deliver: not delivered within {PATIENCE_SECONDS:.0f} s: {now}; see {stage.logs}")
        time.sleep(0.2)


def _warm_up(stage: Stage) -> float:
    """A first slice, in which the worker starts and connects, and a second one, which tells the pace."""
    return [_deliver(stage, PROBE_EVENTS, (*HEALTHY, TENTH)) for _ in range(2)][-1]


def _switch(stage: Stage, *, hanging: bool) -> None:
    """Let the tenth endpoint be the hanging one, or the good one."""
    stage.ask("switch", url=stage.receiver_url + HANGING, on=hanging)
    stage.ask("switch", url=stage.receiver_url + TENTH, on=not hanging)


def _check(stage: Stage, staged: int) -> None:
    received = urllib3.request("GET", f"{stage.receiver_url}/_received", timeout=30.0).json()
    arrived = sum(len(moments) for moments in received["received"].values())
    counts = stage.ask("counts")
    if (
        not staged == arrived == counts["deliveries"] == counts["tries"]
        or received["unsigned"]
        or counts["undelivered"]
    ):
        raise Broken(f"deliver: {staged} staged, {arrived} received, {received['unsigned']} unsigned; rows: {counts}")


@contextmanager
def _yardstick_worker(plan: Plan) -> Iterator[dict[str, str]]:
    """The yardstick's Celery worker and receiver, on a database and a Redis of its own; gives their environment."""
    log = plan.logs / "yardstick.log"
    stub = running(["benchmarks.receiver", *RECEIVER], log=log, environment={}, talks=True)
    with stub as receiver:
        environment = {
            "DATABASE_URL": plan.database("deliver_yardstick"),
            "REDIS_URL": plan.yardstick_redis_url,
            "RECEIVER_URL": f"http://127.0.0.1:{told(receiver)['port']}",
        }
        with running(YARDSTICK_WORKER, log=log, environment=environment):
            yield environment


def _yardstick(plan: Plan, environment: dict[str, str], count: int) -> float:
    words = ["benchmarks.yardstick_deliver", "--count", str(count)]
    return float(result_of(words, log=plan.logs / "yardstick.log", environment=environment)["rate"])


def _mean(rates: Sequence[float]) -> float:
    return sum(rates) / len(rates)


def _row(name: str, reached: Sequence[float], yardstick: float, aim: float) -> Row:
    return Row(
        name=name,
        value=reached[0],
        unit="deliveries/s",
        yardstick=yardstick,
        better=HIGHER,
        aim=aim,
        base=reached[1] if len(reached) > 1 else None,
    )
