"""The case `auth`: what it costs to ask who calls, to count the call and to write it down, in CPU beside the same
GET without any of it."""

import time
from dataclasses import dataclass

from benchmarks.plan import Plan
from benchmarks.processes import Broken
from benchmarks.reads import cpu_of
from benchmarks.results import LOWER, Row
from benchmarks.stage import Stage, Wants

AIM_MILLISECONDS = 1.5
ROUNDS = 6
_PATIENCE_SECONDS = 5.0
GUARDED, OPEN = "/v1/events", "/unguarded/events"


@dataclass
class Tally:
    """CPU seconds of application and PostgreSQL, and the answers that they went into."""

    cpu: float = 0.0
    answered: int = 0

    @property
    def milliseconds(self) -> float:
        return 1000 * self.cpu / self.answered


def run(plan: Plan) -> list[Row]:
    rounds = max(1, min(ROUNDS, round(plan.seconds / 4)))
    with plan.stages("auth", Wants(web=True)) as stages:
        costs = [_cost(plan, stage, rounds=rounds, seconds=plan.seconds / rounds / 2) for stage in stages]
    base = costs[1] if len(costs) > 1 else None
    return [Row(name="auth", value=costs[0], unit="ms/GET", better=LOWER, aim=AIM_MILLISECONDS, base=base)]


def _cost(plan: Plan, stage: Stage, *, rounds: int, seconds: float) -> float:
    places = {
        "web": (stage.url, GUARDED),
        "unguarded": (stage.serve("unguarded", "benchmarks.unguarded:application"), OPEN),
    }
    tallies = {server: Tally() for server in places}
    warmed = 0
    for turn in range(rounds + 1):
        for server, (url, path) in places.items():
            used, answered = cpu_of(plan, stage, server=server, url=url, paths=[path], seconds=seconds)
            if turn:  # the first brings imports, connections and prepared statements
                tallies[server].cpu += used
                tallies[server].answered += answered
            elif server == "web":
                warmed = answered
    guarded, unguarded = tallies["web"], tallies["unguarded"]
    _check(stage, warmed + guarded.answered)
    plan.say(
        f"{stage.candidate.name}: a GET with a key {guarded.milliseconds:.2f} ms of CPU, without "
        f"{unguarded.milliseconds:.2f} ms; {guarded.answered} and {unguarded.answered} answers"
    )
    return guarded.milliseconds - unguarded.milliseconds


def _check(stage: Stage, answered: int) -> None:
    """Every answer stands in the audit log, where reads may come a second late."""
    ends = time.monotonic() + _PATIENCE_SECONDS
    while (kept := stage.ask("answered")["answered"]) != answered:
        if time.monotonic() > ends:
            raise Broken(f"auth: {answered} requests were answered, but {kept} are in the audit log")
        time.sleep(0.1)
