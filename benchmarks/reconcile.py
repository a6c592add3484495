"""The case `reconcile`: a long statement against as many receipts, what its length costs, and the memory it takes."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks import statement
from benchmarks.plan import Plan
from benchmarks.processes import HERE, Broken, result_of
from benchmarks.results import LOWER, Row
from benchmarks.stage import Candidate

AIM, GROWTH_AIM, MEMORY_AIM = 2.0, 15.0, 300.0
ROUNDS = 2
PROGRAM, YARDSTICK = "match", "yardstick_reconcile"


def run(plan: Plan) -> list[Row]:
    """Ours and the yardstick in turns, over a tenth of the statement and over all of it, each in a fresh database."""
    short, long = max(plan.history // 10, 100), max(plan.history, 1_000)
    candidates = [one for one in plan.candidates if (one.folder / "benchmarks" / f"{PROGRAM}.py").exists()]
    ours: list[dict[int, list[float]]] = [{short: [], long: []} for _ in candidates]
    plain: dict[int, list[float]] = {short: [], long: []}
    memory = [0.0 for _ in candidates]
    for turn in range(ROUNDS):
        for count in (short, long):
            for place, candidate in enumerate(candidates):
                told = _measured(plan, f"{candidate.name}_{count}_{turn}", count, candidate=candidate)
                ours[place][count].append(told["seconds"])
                memory[place] = max(memory[place], told["megabytes"])
            plain[count].append(_measured(plan, f"yardstick_{count}_{turn}", count)["seconds"])
    for count in (short, long):
        told_of = ", ".join(f"{mean(times[count]):.2f} s" for times in ours)
        plan.say(f"{count} receipts: {told_of}; yardstick {mean(plain[count]):.2f} s; at most {memory[0]:.0f} MB")
    return [
        _row("reconcile", "s", [mean(times[long]) for times in ours], AIM, mean(plain[long])),
        _row("reconcile_growth", "s", [mean(times[long]) for times in ours], GROWTH_AIM, mean(ours[0][short])),
        _row("reconcile_memory", "MB", memory, MEMORY_AIM, None),
    ]


def _measured(plan: Plan, name: str, count: int, *, candidate: Candidate | None = None) -> dict[str, Any]:
    """One run, with all that it found counted."""
    url = plan.databases.make(f"reconcile_{name}", like=(candidate or plan.candidates[0]).template)
    statement.fill(url, count=count)
    environment = {"LANGO_DEVELOPMENT": "1", "DATABASE_URL": url}
    if candidate is not None:
        environment["REDIS_URL"] = candidate.redis_url
    told = result_of(
        [f"benchmarks.{PROGRAM if candidate else YARDSTICK}", "--count", str(count)],
        log=_log(plan, name),
        environment=environment,
        folder=candidate.folder if candidate else HERE,
    )
    wanted = statement.expected(count)
    cases = sum(wanted[kind] for kind in statement.KINDS)
    if told["written"] != cases or told.get("counts", wanted) != wanted:
        raise Broken(f"reconcile: {name}: {wanted} was to be found, and {told} was")
    return told


def _log(plan: Plan, name: str) -> Path:
    return plan.logs / f"reconcile-{name}.log"


def _row(name: str, unit: str, reached: Sequence[float], aim: float, yardstick: float | None) -> Row:
    base = reached[1] if len(reached) > 1 else None
    return Row(name=name, value=reached[0], unit=unit, yardstick=yardstick, better=LOWER, aim=aim, base=base)
