"""The case `ledger`: captures a second into the books, and what a long history in them costs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from benchmarks import books
from benchmarks.plan import Plan
from benchmarks.processes import HERE, Broken, result_of
from benchmarks.results import HIGHER, Row
from benchmarks.stage import Stage, Wants

AIM, HISTORY_AIM = 0.5, 1 / 1.2
ROUNDS = 4
PLACES = {"hot": 0, "spread": books.SPREAD}
"""Over how many pairs of accounts; 0 is the hot one."""
SHORT = 1_000
"""Transfers in books that count as new: enough for PostgreSQL to have statistics of them, as it has of any in use."""
PROGRAM = "post"


@dataclass(kw_only=True)
class Party:
    """Who posts into which books, and what that came to; CPU in seconds."""

    name: str
    words: Sequence[str]
    environment: Mapping[str, str]
    folder: Path = HERE
    stage: Stage | None = None
    history: int
    rates: dict[str, list[float]] = field(default_factory=lambda: {place: [] for place in PLACES})
    done: int = 0
    program_cpu: float = 0.0
    postgres_cpu: float = 0.0

    @property
    def url(self) -> str:
        return self.environment["DATABASE_URL"]

    def rate(self, place: str) -> float:
        return sum(self.rates[place]) / len(self.rates[place])


def run(plan: Plan) -> list[Row]:
    """Ours with short books and with long ones, and the yardstick, in turns, on the hot pair and on the spread ones."""
    with _parties(plan, "short", SHORT) as short, _parties(plan, "long", plan.history) as long:
        yardstick = _yardstick(plan, short[0])
        parties = [*short, *long, yardstick]
        _take_turns(plan, parties)
        for party in parties:
            _check(party)
            _tell(plan, party)
    return [row for place in PLACES for row in _rows(place, short, long, yardstick)]


@contextmanager
def _parties(plan: Plan, books_are: str, history: int) -> Iterator[list[Party]]:
    """A party of each checkout that has books, and its books filled."""
    with plan.stages(f"ledger_{books_are}", Wants()) as stages:
        parties = [_party(stage, history) for stage in stages if _program(stage).exists()]
        for party in parties:
            books.fill(party.url, transfers=history)
        yield parties


def _program(stage: Stage) -> Path:
    return stage.candidate.folder / "benchmarks" / f"{PROGRAM}.py"


def _party(stage: Stage, history: int) -> Party:
    return Party(
        name=f"{stage.candidate.name} after {history} transfers",
        words=(f"benchmarks.{PROGRAM}",),
        environment={
            "LANGO_DEVELOPMENT": "1",
            "DATABASE_URL": stage.database_url,
            "REDIS_URL": stage.candidate.redis_url,
        },
        folder=stage.candidate.folder,
        stage=stage,
        history=history,
    )


def _yardstick(plan: Plan, ours: Party) -> Party:
    """On books of its own, with the statement that ours runs."""
    assert ours.stage is not None
    statements = ours.stage.ask("capture", owners=books.owners(0))["statements"]
    if len(statements) != 1:
        raise Broken(f"ledger: a capture runs {len(statements)} statements and the yardstick knows one: {statements}")
    url = plan.database("ledger_yardstick")
    books.fill(url, transfers=SHORT)
    words = ("benchmarks.yardstick_ledger", "--statement", statements[0])
    return Party(name="yardstick", words=words, environment={"DATABASE_URL": url}, history=SHORT)


def _take_turns(plan: Plan, parties: Sequence[Party]) -> None:
    rounds = max(1, min(ROUNDS, round(plan.seconds / 10)))
    seconds = plan.seconds / rounds / len(parties) / len(PLACES)
    for turn in range(rounds):
        for place in PLACES:
            # The other way round every other time, so that nobody always comes after the same one.
            for party in parties if turn % 2 else reversed(parties):
                _slice(plan, party, place, seconds)


def _slice(plan: Plan, party: Party, place: str, seconds: float) -> None:
    postgres = plan.postgres_cpu()
    told = result_of(
        [*party.words, "--spread", str(PLACES[place]), "--seconds", str(seconds)],
        log=plan.logs / "ledger.log",
        environment=party.environment,
        folder=party.folder,
    )
    party.postgres_cpu += plan.postgres_cpu() - postgres
    party.program_cpu += told["cpu"]
    party.done += told["done"]
    party.rates[place].append(told["rate"])


def _check(party: Party) -> None:
    """As many transfers as were posted, two entries each, and balances that agree with them."""
    transfers = party.history + party.done
    expected = {"transfers": transfers, "entries": 2 * transfers, "differences": 0}
    found = party.stage.ask("books") if party.stage else {**_counted(party.url), "differences": 0}
    if found != expected:
        raise Broken(f"ledger: {party.name}: {expected} were posted, but the books have {found}")


def _counted(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM ledger_transfer), (SELECT count(*) FROM ledger_entry)"
        )
        return dict(zip(("transfers", "entries"), counts.fetchone() or (), strict=True))


def _tell(plan: Plan, party: Party) -> None:
    rates = ", ".join(
        f"{place} {party.rate(place):.0f} transfers/s ({min(rates):.0f} to {max(rates):.0f})"
        for place, rates in party.rates.items()
    )
    program, postgres = (1000 * cpu / party.done for cpu in (party.program_cpu, party.postgres_cpu))
    plan.say(
        f"{party.name}: {rates}; CPU a transfer: program {program:.2f} ms, PostgreSQL {postgres:.2f} ms; "
        f"{party.done} in all, and as many rows"
    )


def _rows(place: str, short: Sequence[Party], long: Sequence[Party], yardstick: Party) -> list[Row]:
    return [
        _row(f"ledger_{place}", [party.rate(place) for party in short], yardstick.rate(place), AIM),
        _row(f"ledger_{place}_history", [party.rate(place) for party in long], short[0].rate(place), HISTORY_AIM),
    ]


def _row(name: str, reached: Sequence[float], yardstick: float, aim: float) -> Row:
    return Row(
        name=name,
        value=reached[0],
        unit="transfers/s",
        yardstick=yardstick,
        better=HIGHER,
        aim=aim,
        base=reached[1] if len(reached) > 1 else None,
    )
