"""The case `create`: how many payments a second go through the whole path, and what one costs."""

from dataclasses import dataclass, field
from typing import Any

from benchmarks.plan import Plan
from benchmarks.processes import Broken, result_of
from benchmarks.results import HIGHER, LOWER, Row
from benchmarks.stage import Stage, Wants

AIM, CPU_AIM_MILLISECONDS = 0.35, 3.0
CONNECTIONS = 16
ROUNDS = 6


@dataclass
class Tally:
    """What the slices of one party came to. `cpu` is application and PostgreSQL together, in seconds."""

    rates: list[float] = field(default_factory=list)
    answered: int = 0
    measured: int = 0
    application_cpu: float = 0.0
    postgres_cpu: float = 0.0

    @property
    def rate(self) -> float:
        return sum(self.rates) / len(self.rates)

    @property
    def milliseconds(self) -> float:
        return 1000 * (self.application_cpu + self.postgres_cpu) / self.measured


def run(plan: Plan) -> list[Row]:
    rounds = max(1, min(ROUNDS, round(plan.seconds / 4)))
    seconds = plan.seconds / rounds / 2
    yardstick_url = plan.database("create_yardstick")
    with plan.stages("create", Wants(web=True, provider=())) as stages:
        tallies = [Tally() for _ in stages]
        yardstick = Tally()
        for stage, tally in zip(stages, tallies, strict=True):
            tally.answered += _load(plan, stage, seconds)["answered"]  # imports, connections, prepared statements
        for _ in range(rounds):
            for stage, tally in zip(stages, tallies, strict=True):
                _slice(plan, stage, tally, seconds)
            _yardstick_slice(plan, yardstick, yardstick_url, seconds)
        for stage, tally in zip(stages, tallies, strict=True):
            _check(stage, tally)
            _tell(plan, stage.candidate.name, tally)
        _tell(plan, "yardstick", yardstick)
    return _rows(tallies, yardstick)


def _slice(plan: Plan, stage: Stage, tally: Tally, seconds: float) -> None:
    application, postgres = stage.cpu()["web"], plan.postgres_cpu()
    told = _load(plan, stage, seconds)
    tally.application_cpu += stage.cpu()["web"] - application
    tally.postgres_cpu += plan.postgres_cpu() - postgres
    tally.rates.append(told["rate"])
    tally.answered += told["answered"]
    tally.measured += told["answered"]


def _load(plan: Plan, stage: Stage, seconds: float) -> dict[str, Any]:
    words = ["benchmarks.load", "closed", "--url", stage.url, "--key", stage.key, "--seconds", str(seconds)]
    told = result_of([*words, "--connections", str(CONNECTIONS)], log=plan.logs / "load.log")
    if set(told["statuses"]) != {"201"} or told["unanswered"]:
        raise Broken(f"create: not every request was answered 201: {told}; see {plan.logs}")
    return told


def _yardstick_slice(plan: Plan, tally: Tally, url: str, seconds: float) -> None:
    postgres = plan.postgres_cpu()
    told = result_of(
        ["benchmarks.yardstick_create", "--seconds", str(seconds)],
        log=plan.logs / "yardstick.log",
        environment={"DATABASE_URL": url},
    )
    tally.postgres_cpu += plan.postgres_cpu() - postgres
    tally.application_cpu += told["cpu"]
    tally.rates.append(told["rate"])
    tally.answered += told["answered"]
    tally.measured += told["answered"]


def _check(stage: Stage, tally: Tally) -> None:
    counts = stage.ask("counts")
    wrong = {
        name: counts[name]
        for name in ("payments", "succeeded", "attempts", "operations", "receipts", "keys", "succeeded_events")
        if counts[name] != tally.answered
    }
    if wrong:
        raise Broken(f"create: {tally.answered} requests were answered, but the rows are {wrong}")


def _tell(plan: Plan, name: str, tally: Tally) -> None:
    application, postgres = (1000 * cpu / tally.measured for cpu in (tally.application_cpu, tally.postgres_cpu))
    elsewhere = "" if plan.postmaster else " (PostgreSQL is on another machine and not counted)"
    plan.say(
        f"{name}: {tally.rate:.0f} payments/s; CPU a payment: application {application:.2f} ms, "
        f"PostgreSQL {postgres:.2f} ms{elsewhere}; {tally.answered} in all, and as many rows"
    )


def _rows(tallies: list[Tally], yardstick: Tally) -> list[Row]:
    ours, base = tallies[0], tallies[1] if len(tallies) > 1 else None
    return [
        Row(
            name="create",
            value=ours.rate,
            unit="payments/s",
            yardstick=yardstick.rate,
            better=HIGHER,
            aim=AIM,
            base=base.rate if base else None,
        ),
        Row(
            name="create_cpu",
            value=ours.milliseconds,
            unit="ms/payment",
            better=LOWER,
            aim=CPU_AIM_MILLISECONDS,
            base=base.milliseconds if base else None,
        ),
    ]
