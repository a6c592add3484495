"""The case `failover`: what a payer notices of an acquirer that is away, or takes everything and never answers."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import urllib3

from benchmarks.acquirers import CANCELLED, FIRST, SECOND, SETTLED
from benchmarks.plan import Plan
from benchmarks.processes import Broken, result_of, running, told
from benchmarks.results import LOWER, Row
from benchmarks.stage import Candidate, Stage, Wants

AIM_ADDED_MILLISECONDS = 50.0
AIM_HANG_SECONDS = 11.0
"""The provider's deadline of 10 s, and one more."""
AIM_RETURN_SECONDS = 61.0
"""The longest rest of a breaker, and the time until a payment comes."""
REFUSED, ALONE, HUNG = "refused", "alone", "hung"
"""Merchants: the first of two acquirers refuses connections, there is only the second, and the first never answers."""
RATE = 15.0
"""Payments a second of each merchant."""
LEAD_IN_SECONDS = 3.0
OPENING = 10
"""So many payments are enough for a breaker to open."""
AT_ONCE = 8
EVERY_SECONDS = 0.25
PATIENCE_SECONDS = 120.0


@dataclass
class Measured:
    """Of one candidate: the seconds that answers took, by merchant, and how long the breaker took to close."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {REFUSED: [], ALONE: [], HUNG: []})
    answered: int = 0
    returned: float = 0.0

    @property
    def added_milliseconds(self) -> float:
        """Which cannot be less than nothing, whatever chance says."""
        return max(0.0, self.milliseconds(REFUSED, 0.99) - self.milliseconds(ALONE, 0.99))

    def milliseconds(self, merchant: str, share: float) -> float:
        return 1000 * sorted(self.seconds[merchant])[int(len(self.seconds[merchant]) * share)]


def run(plan: Plan) -> list[Row]:
    able = [each for each in plan.candidates if (each.folder / "benchmarks" / "inside_codes.py").exists()]
    measured = [_measure(plan, candidate) for candidate in able]
    return _rows(measured[0], measured[1] if len(measured) > 1 else None)


class Ground:
    """A running candidate with both acquirers; `keys` are its merchants' by name."""

    def __init__(self, plan: Plan, stage: Stage, second_url: str) -> None:
        self.plan, self.stage, self.second_url = plan, stage, second_url
        hosts = {REFUSED: [FIRST, SECOND], ALONE: [SECOND], HUNG: [FIRST, SECOND]}
        self.keys: dict[str, str] = stage.ask("merchants", hosts=hosts)["keys"]
        self._http = urllib3.PoolManager(maxsize=AT_ONCE)

    def pay(self, merchant: str) -> tuple[float, dict[str, Any]]:
        """One payment by QRIS: how long its answer took, in seconds, and the payment."""
        headers = {"Authorization": f"Bearer {self.keys[merchant]}", "Idempotency-Key": str(uuid4())}
        body = {"amount": 4_550_000, "currency": "IDR", "method": "qris"}
        began = time.monotonic()
        answer = self._http.request(
            "POST", f"{self.stage.url}/v1/payments", json=body, headers=headers, timeout=30.0, retries=False
        )
        if answer.status != 201:
            raise Broken(f"failover: {merchant}: {answer.status} {answer.data[:300]!r}; see {self.plan.logs}")
        return time.monotonic() - began, answer.json()

    def load(self, merchant: str, *, seconds: float, seed: int) -> list[float]:
        """Payments at random moments: how long each answer took, in seconds."""
        words = ["benchmarks.load", "open", "--url", self.stage.url, "--key", self.keys[merchant], "--method", "qris"]
        words += ["--rate", str(RATE), "--seconds", str(seconds), "--seed", str(seed)]
        answers = result_of(words, log=self.plan.logs / "load.log")["answers"]
        wrong = [answer for answer in answers if (answer["status"], answer["state"]) != (201, "requires_action")]
        if wrong:
            raise Broken(f"failover: {merchant}: no code in {len(wrong)} answers, such as {wrong[0]}")
        return [answer["seconds"] for answer in answers]

    def tell_acquirers(self, path: str, **told: Any) -> None:
        urllib3.request("POST", f"{self.second_url}/{path}", body=json.dumps(told).encode(), timeout=30.0)

    def issued(self) -> list[dict[str, Any]]:
        """Every code of both acquirers."""
        rows: list[dict[str, Any]] = urllib3.request("GET", f"{self.second_url}/_ledger", timeout=30.0).json()["codes"]
        return rows

    def payments(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.stage.ask("codes")["payments"]
        return rows


def _measure(plan: Plan, candidate: Candidate) -> Measured:
    measured = Measured()
    with _ground(plan, candidate) as ground:
        _while_refused(ground, measured)
        _until_it_returns(ground, measured)
        _while_it_hangs(ground, measured)
        _scan_and_check(ground, measured)
        _tell(ground, measured)
    return measured


@contextmanager
def _ground(plan: Plan, candidate: Candidate) -> Iterator[Ground]:
    log = plan.logs / f"{candidate.name}-acquirers.log"
    with running(("benchmarks.acquirers",), log=log, environment={}, talks=True) as acquirers:
        ports = told(acquirers)
        hosts = {FIRST: f"http://127.0.0.1:{ports['first']}", SECOND: f"http://127.0.0.1:{ports['port']}"}
        named = (("DJANGO_SETTINGS_MODULE", "benchmarks.addresses"), ("MIDTRANS_HOSTS", json.dumps(hosts)))
        with plan.stage(candidate, "failover", Wants(web=True, worker=True, settings=named)) as stage:
            yield Ground(plan, stage, hosts[SECOND])


def _while_refused(ground: Ground, measured: Measured) -> None:
    """Both merchants at the same moments, so that a busy machine is so for both, once the breaker is open."""
    for _ in range(OPENING):
        ground.pay(REFUSED)
    measured.answered += OPENING
    for turn, seconds in enumerate((min(LEAD_IN_SECONDS, ground.plan.seconds), ground.plan.seconds)):
        with ThreadPoolExecutor(2) as loads:
            asked = {who: loads.submit(ground.load, who, seconds=seconds, seed=turn) for who in (REFUSED, ALONE)}
        for merchant, load in asked.items():
            measured.answered += len(load.result())
            if turn:  # the first brings imports, connections and prepared statements
                measured.seconds[merchant] += load.result()


def _until_it_returns(ground: Ground, measured: Measured) -> None:
    """From when the first listens until it is given a payment."""
    ground.tell_acquirers("_first", do="answer")
    began = time.monotonic()
    while not any(code["house"] == FIRST for code in ground.issued()):
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise Broken(f"failover: the first acquirer has not been asked for {PATIENCE_SECONDS:.0f} s")
        time.sleep(EVERY_SECONDS)
        ground.pay(REFUSED)
        measured.answered += 1
    measured.returned = time.monotonic() - began


def _while_it_hangs(ground: Ground, measured: Measured) -> None:
    """Several payers at once, all of whom are asked for at the first before its breaker opens."""
    ground.tell_acquirers("_first", do="hang")
    with ThreadPoolExecutor(AT_ONCE) as payers:
        answers = list(payers.map(ground.pay, [HUNG] * AT_ONCE))
    ground.tell_acquirers("_first", do="answer")
    measured.answered += AT_ONCE
    measured.seconds[HUNG] = [seconds for seconds, _ in answers]
    wrong = [payment for _, payment in answers if payment["state"] != "requires_action" or not _is_of_second(payment)]
    if wrong:
        raise Broken(f"failover: no code of the second in {len(wrong)} answers, such as {wrong[0]}")


def _is_of_second(payment: dict[str, Any]) -> bool:
    return [attempt["state"] for attempt in payment["attempts"]] == ["abandoned", "open"]


def _scan_and_check(ground: Ground, measured: Measured) -> None:
    """Every payment is paid by one code: the one that was shown, or in turns the one that nobody was told of."""
    late = 0
    wanted: list[str] = []
    for row in ground.payments():
        late += row["merchant"] == HUNG
        is_late = row["merchant"] == HUNG and late % 2
        wanted.append(row["tried"][0 if is_late else -1][1])
    if len(wanted) != measured.answered:
        raise Broken(f"failover: {measured.answered} requests were answered, and there are {len(wanted)} payments")
    ground.tell_acquirers("_scan", orders=wanted, at=ground.stage.url)
    ends = time.monotonic() + PATIENCE_SECONDS
    while faults := _faults(ground, wanted):
        if time.monotonic() > ends:
            raise Broken(f"failover: {'; '.join(faults)}; see {ground.plan.logs}")
        time.sleep(0.5)


def _faults(ground: Ground, wanted: list[str]) -> list[str]:
    payments, issued = ground.payments(), ground.issued()
    unpaid = [row for row in payments if row["state"] != "succeeded" or not row["is_whole"]]
    crooked = [row for row, order in zip(payments, wanted, strict=True) if row["paid"] != [order]]
    tried = {order for row in payments for _, order in row["tried"]}
    paid = {code["order"] for code in issued if code["state"] == SETTLED}
    waiting = [code for code in issued if code["state"] not in (SETTLED, CANCELLED)]
    told = {
        f"{len(unpaid)} payments are not paid": unpaid,
        f"{len(crooked)} payments are not paid by the code that was scanned, once": crooked,
        f"{len(paid ^ set(wanted))} codes are paid at one side alone": paid ^ set(wanted),
        f"{len(waiting)} codes could still be paid": waiting,
        "codes are in nobody's books": {code["order"] for code in issued} - tried,
    }
    return [fault for fault, rows in told.items() if rows]


def _tell(ground: Ground, measured: Measured) -> None:
    name, say = ground.stage.candidate.name, ground.plan.say
    for merchant, where in ((ALONE, "where there is only the second"), (REFUSED, "where the first refuses")):
        say(
            f"{name}: a code {where}: median {measured.milliseconds(merchant, 0.5):.0f} ms, 99th percentile "
            f"{measured.milliseconds(merchant, 0.99):.0f} ms, of {len(measured.seconds[merchant])}"
        )
    say(f"{name}: where the first never answers: at most {max(measured.seconds[HUNG]):.2f} s, of {AT_ONCE} at once")
    say(f"{name}: the first was asked again {measured.returned:.1f} s after it had returned")
    say(f"{name}: {measured.answered} payments, each paid by one code; {AT_ONCE // 2} by one that nobody was shown")


def _rows(ours: Measured, base: Measured | None) -> list[Row]:
    return [
        Row(
            name="failover",
            value=ours.added_milliseconds,
            unit="ms",
            better=LOWER,
            aim=AIM_ADDED_MILLISECONDS,
            base=base.added_milliseconds if base else None,
        ),
        Row(
            name="failover_hang",
            value=max(ours.seconds[HUNG]),
            unit="s",
            better=LOWER,
            aim=AIM_HANG_SECONDS,
            base=max(base.seconds[HUNG]) if base else None,
        ),
        Row(
            name="failover_return",
            value=ours.returned,
            unit="s",
            better=LOWER,
            aim=AIM_RETURN_SECONDS,
            base=base.returned if base else None,
        ),
    ]
