"""The case `displays`: two thousand idle screens on one process, and what happens in one store reaching its twenty."""

import json
import random
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.plan import Plan
from benchmarks.processes import Broken, resident_megabytes, running, told
from benchmarks.results import LOWER, Row
from benchmarks.stage import STREAMS, Stage, Wants

AIM_MILLISECONDS, AIM_MEGABYTES = 100.0, 300.0
STORES, SCREENS = 100, 20
EVERY_SECONDS = 0.2
WARM_UP = 5
_PATIENCE_SECONDS = 30.0


class Screens:
    """`benchmarks.screens`, and what it is told to do."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, **command: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return told(self._process)

    def collect(self, count: int) -> list[list[Any]]:
        """That many orders, as `[screen, position, payment, moment]`."""
        answer = self.ask(collect=count, within=_PATIENCE_SECONDS)
        if len(answer["heard"]) != count or answer["lost"]:
            raise Broken(f"{len(answer['heard'])} of {count} orders were heard, {answer['lost']} screens were lost")
        heard: list[list[Any]] = answer["heard"]
        return heard


@contextmanager
def screens_of(plan: Plan, stage: Stage, wanted: list[list[str]]) -> Iterator[Screens]:
    """Screens of a candidate's stores, once all of them have begun."""
    address = stage.serve("streams", "config.asgi:application", by=STREAMS)
    with running(("benchmarks.screens",), log=plan.logs / "screens.log", environment={}, talks=True) as process:
        screens = Screens(process)
        opened = screens.ask(open=address, screens=wanted)
        plan.say(f"{opened['opened']} screens opened in {opened['seconds']:.1f} s")
        yield screens


@dataclass
class Measured:
    """Of one candidate."""

    milliseconds: list[float]
    megabytes: float

    def at(self, share: float) -> float:
        return sorted(self.milliseconds)[min(len(self.milliseconds) - 1, int(len(self.milliseconds) * share))]


def run(plan: Plan) -> list[Row]:
    _allow_many_files()
    able = [each for each in plan.candidates if (each.folder / "benchmarks" / "inside_stores.py").exists()]
    found = []
    for candidate in able:
        with plan.stage(candidate, "displays", Wants(web=True)) as stage:
            found.append(_measure(plan, stage))
    base = found[1] if len(found) > 1 else None
    return [
        Row(
            name="displays",
            value=found[0].at(0.99),
            unit="ms",
            better=LOWER,
            aim=AIM_MILLISECONDS,
            base=base.at(0.99) if base else None,
        ),
        Row(
            name="displays_memory",
            value=found[0].megabytes,
            unit="MB",
            better=LOWER,
            aim=AIM_MEGABYTES,
            base=base.megabytes if base else None,
        ),
    ]


def _allow_many_files() -> None:
    """For the processes that this one starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _measure(plan: Plan, stage: Stage) -> Measured:
    wanted = stage.ask("displays", stores=STORES, screens=SCREENS)["screens"]
    with screens_of(plan, stage, wanted) as screens:
        stores, chance = sorted({store for store, _ in wanted}), random.Random(7)
        seconds: list[float] = []
        ends = time.monotonic() + plan.seconds
        while time.monotonic() < ends or not seconds[WARM_UP:]:
            store = chance.choice(stores)
            happened = stage.ask("happen", store=store)
            heard = screens.collect(SCREENS)
            _check(store, happened["position"], heard, wanted)
            seconds.append(max(moment for *_, moment in heard) - happened["at"])
            time.sleep(EVERY_SECONDS)
        measured = Measured([1000 * each for each in seconds[WARM_UP:]], _megabytes(stage))
    plan.say(
        f"{stage.candidate.name}: {len(wanted)} screens in {measured.megabytes:.0f} MB; the last of {SCREENS} after "
        f"{measured.at(0.5):.1f} ms (median), {measured.at(0.99):.1f} ms (99th percentile) of {len(seconds) - WARM_UP}"
    )
    return measured


def _megabytes(stage: Stage) -> float:
    return resident_megabytes(stage.processes["streams"].pid)


def _check(store: str, position: int, heard: list[list[Any]], wanted: list[list[str]]) -> None:
    """Each of the store's screens has heard of it once, and no other has."""
    told_to = sorted(screen for screen, *_ in heard)
    meant = [number for number, (of, _) in enumerate(wanted) if of == store]
    if told_to != meant or {place for _, place, *_ in heard} != {position}:
        raise Broken(f"displays: position {position} of {store} was heard by {told_to}, not by {meant}")
