"""The case `list`: a page of `/v1/transactions` from the older half of a million beside the first page, in CPU."""

from dataclasses import dataclass, field

from benchmarks.plan import Plan
from benchmarks.reads import cpu_of
from benchmarks.results import LOWER, Row
from benchmarks.stage import Stage, Wants

AIM = 1.2
ROUNDS = 6
PATH = "/v1/transactions?limit=20"
ROWS = 1_000_000
_ROWS_A_SECOND = 50_000
"""A shorter run, whose numbers mean nothing, stands on fewer rows."""


@dataclass
class Tally:
    """CPU seconds of application and PostgreSQL, by kind of page."""

    cpu: dict[str, float] = field(default_factory=lambda: {"first": 0.0, "deep": 0.0})
    answered: dict[str, int] = field(default_factory=lambda: {"first": 0, "deep": 0})

    def milliseconds(self, kind: str) -> float:
        return 1000 * self.cpu[kind] / self.answered[kind]


def run(plan: Plan) -> list[Row]:
    with plan.stages("list", Wants(web=True)) as stages:
        tallies = [_tally(plan, stage) for stage in stages]
    ours, base = tallies[0], tallies[1] if len(tallies) > 1 else None
    return [
        Row(
            name="list",
            value=ours.milliseconds("deep"),
            unit="ms/page",
            yardstick=ours.milliseconds("first"),
            better=LOWER,
            aim=AIM,
            base=base.milliseconds("deep") if base else None,
        )
    ]


def _tally(plan: Plan, stage: Stage) -> Tally:
    rows = min(ROWS, round(plan.seconds * _ROWS_A_SECOND))
    cursors = stage.ask("history", rows=rows)["cursors"]
    paths = {"first": [PATH], "deep": [f"{PATH}&cursor={cursor}" for cursor in cursors]}
    rounds = max(1, min(ROUNDS, round(plan.seconds / 4)))
    seconds, tally = plan.seconds / rounds / 2, Tally()
    for turn in range(rounds + 1):
        for kind, asked in paths.items():
            used, answered = cpu_of(plan, stage, server="web", url=stage.url, paths=asked, seconds=seconds)
            if turn:  # the first brings imports, connections, prepared statements and warm pages
                tally.cpu[kind] += used
                tally.answered[kind] += answered
    plan.say(
        f"{stage.candidate.name}: of {rows:,} transactions the first page {tally.milliseconds('first'):.2f} ms of CPU, "
        f"one from the older half {tally.milliseconds('deep'):.2f} ms"
    )
    return tally
