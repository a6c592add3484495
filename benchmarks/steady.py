"""The case `steady`: payments arriving at their own pace, a provider as slow and faulty as real ones are."""

import time
from dataclasses import dataclass, field
from typing import Any

import urllib3

from benchmarks.plan import Plan
from benchmarks.processes import Broken, result_of
from benchmarks.results import HIGHER, LOWER, Row
from benchmarks.stage import Stage, Wants

AIM_RATE, AIM_OVERHEAD_MILLISECONDS = 200.0, 100.0
PROVIDER = ("--median", "0.12", "--p99", "0.38", "--faults", "0.007")
LEAD_IN_SECONDS = 5.0
SETTLE_SECONDS = 120.0

WANTS = Wants(
    web=True,
    worker=True,
    provider=PROVIDER,
    receiver=(),
    endpoints=("/ok/0",),
    # Faulty calls are asked about within seconds instead of minutes; nothing else is shortened.
    settings=(("RESOLVER_PACE", "0.2"),),
)


@dataclass
class Tally:
    """Of one candidate: what was done in the measured windows, and each payment's own overhead in seconds."""

    seconds: float = 0.0
    answered: int = 0
    delivered: int = 0
    overheads: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """A payment is done when it is answered and its webhook has arrived."""
        return min(self.answered, self.delivered) / self.seconds

    @property
    def p99_milliseconds(self) -> float:
        return 1000 * sorted(self.overheads)[int(len(self.overheads) * 0.99)]


def run(plan: Plan) -> list[Row]:
    rounds = 1 if len(plan.candidates) == 1 else 2
    lead_in = min(LEAD_IN_SECONDS, plan.seconds)
    with plan.stages("steady", WANTS) as stages:
        tallies = [Tally() for _ in stages]
        for turn in range(rounds):
            for stage, tally in zip(stages, tallies, strict=True):
                _slice(plan, stage, tally, lead_in=lead_in, seconds=plan.seconds / rounds, seed=turn)
                _settle(stage)
        for stage, tally in zip(stages, tallies, strict=True):
            _check(plan, stage, tally)
            _tell(plan, stage.candidate.name, tally)
    return _rows(tallies)


def _slice(plan: Plan, stage: Stage, tally: Tally, *, lead_in: float, seconds: float, seed: int) -> None:
    before = _cpu(plan, stage)
    words = ["benchmarks.load", "open", "--url", stage.url, "--key", stage.key, "--rate", str(plan.offered)]
    told = result_of([*words, "--seconds", str(lead_in + seconds), "--seed", str(seed)], log=plan.logs / "load.log")
    for name, used in _cpu(plan, stage).items():
        tally.cpu[name] = tally.cpu.get(name, 0.0) + used - before[name]
    tally.cpu["load"] = tally.cpu.get("load", 0.0) + told["cpu"]
    if told["unanswered"]:
        raise Broken(f"steady: {told['unanswered']} requests were never answered; see {plan.logs}")
    tally.seconds += seconds
    _count(tally, told["answers"], _read(f"{stage.provider_url}/_ledger")["seconds"], lead_in, seconds)
    window = (told["began_at"] + lead_in, told["began_at"] + lead_in + seconds)
    received = _read(f"{stage.receiver_url}/_received")["received"]
    tally.delivered += sum(window[0] <= moments[0] < window[1] for moments in received.values())


def _count(
    tally: Tally, answers: list[dict[str, Any]], provider: dict[str, float], lead_in: float, seconds: float
) -> None:
    for answer in answers:
        tally.statuses[answer["status"]] = tally.statuses.get(answer["status"], 0) + 1
        answered = answer["arrived"] + answer["seconds"]
        if lead_in <= answered < lead_in + seconds:
            tally.answered += answer["status"] == 201
        if lead_in <= answer["arrived"] < lead_in + seconds:
            tally.overheads.append(answer["seconds"] - provider.get(answer["reference"], 0.0))


def _cpu(plan: Plan, stage: Stage) -> dict[str, float]:
    return {**stage.cpu(), "postgres": plan.postgres_cpu()}


def _settle(stage: Stage) -> None:
    """Wait until nothing is open: the faulty calls asked about, every event delivered."""
    ends = time.monotonic() + SETTLE_SECONDS
    while (counts := stage.ask("counts"))["open"] or counts["undelivered"]:
        if time.monotonic() > ends:
            raise Broken(f"steady: not settled {SETTLE_SECONDS:.0f} s after the load: {counts}")
        time.sleep(0.5)


def _check(plan: Plan, stage: Stage, tally: Tally) -> None:
    """None lost, none doubled: requests, our rows, the provider's ledger and the receiver's agree one to one."""
    counts, ours = stage.ask("counts"), stage.ask("ledger")
    made = sorted(tuple(row) for row in _read(f"{stage.provider_url}/_ledger")["made"])
    received = _read(f"{stage.receiver_url}/_received")
    captured = sorted(tuple(row) for row in ours["captured"])
    accepted = tally.statuses.get(201, 0)
    # Without an answer, or with a 5xx, a merchant does not know either: there may be a payment.
    unsure = sum(count for status, count in tally.statuses.items() if status == 0 or status >= 500)
    faults = [
        f"{counts[name]} {name} for {accepted} accepted requests and {unsure} without a clear answer"
        for name in ("payments", "succeeded", "attempts", "operations", "receipts", "keys", "succeeded_events")
        if not accepted <= counts[name] <= accepted + unsure or counts[name] != counts["payments"]
    ]
    if made != captured:
        faults.append(f"ledgers: {len(set(made) ^ set(captured))} of {len(made)} intents and receipts do not agree")
    if ours["crooked"]:
        faults.append(f"{ours['crooked']} succeeded payments hold another amount than was asked")
    if len(received["received"]) != counts["events"] or received["unsigned"]:
        faults.append(f"{counts['events']} events, but {len(received['received'])} received")
    if faults:
        raise Broken(f"steady: {'; '.join(faults)}; see {plan.logs}")
    again = sum(len(moments) - 1 for moments in received["received"].values())
    plan.say(f"{counts['payments']} payments, as many intents, receipts and webhooks; {again} webhooks sent again")


def _tell(plan: Plan, name: str, tally: Tally) -> None:
    middle = 1000 * sorted(tally.overheads)[len(tally.overheads) // 2]
    answers = ", ".join(f"{count} of {status or 'torn'}" for status, count in sorted(tally.statuses.items()))
    cpu = ", ".join(f"{what} {used:.1f}" for what, used in tally.cpu.items() if what != "inside")
    plan.say(
        f"{name}: {tally.answered / tally.seconds:.1f} answered and {tally.delivered / tally.seconds:.1f} delivered "
        f"a second of {plan.offered:.0f} offered; own overhead: median {middle:.0f} ms, "
        f"99th percentile {tally.p99_milliseconds:.0f} ms; {answers}"
    )
    plan.say(f"{name}: CPU seconds: {cpu}")


def _read(url: str) -> dict[str, Any]:
    told: dict[str, Any] = urllib3.request("GET", url, timeout=30.0).json()
    return told


def _rows(tallies: list[Tally]) -> list[Row]:
    ours, base = tallies[0], tallies[1] if len(tallies) > 1 else None
    return [
        Row(
            name="steady",
            value=ours.rate,
            unit="payments/s",
            yardstick=AIM_RATE,
            better=HIGHER,
            aim=1.0,
            base=base.rate if base else None,
        ),
        Row(
            name="steady_p99",
            value=ours.p99_milliseconds,
            unit="ms",
            better=LOWER,
            aim=AIM_OVERHEAD_MILLISECONDS,
            base=base.p99_milliseconds if base else None,
        ),
    ]
