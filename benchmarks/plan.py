"""What every case is given: who is measured, on what ground, and for how long."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.databases import Databases
from benchmarks.processes import cpu_seconds
from benchmarks.stage import Candidate, Stage, Wants, on_stage


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`seconds` is how long a case loads whatever it measures, all its slices together.

    `offered` is how many payments a second arrive in `steady`, `history` how many transfers are in the books
    before in `ledger`, and how many receipts there are in `reconcile`.
    """

    candidates: tuple[Candidate, ...]
    databases: Databases
    logs: Path
    seconds: float
    offered: float
    history: int
    postmaster: int | None
    yardstick_redis_url: str

    @contextmanager
    def stages(self, case: str, wants: Wants) -> Iterator[list[Stage]]:
        """Every candidate, up and empty, for one case."""
        with ExitStack() as stack:
            yield [stack.enter_context(self.stage(candidate, case, wants)) for candidate in self.candidates]

    def stage(self, candidate: Candidate, case: str, wants: Wants) -> AbstractContextManager[Stage]:
        """One candidate alone."""
        url = self.databases.make(f"{case}_{candidate.name}", like=candidate.template)
        return on_stage(candidate, wants, database_url=url, logs=self.logs)

    def database(self, name: str) -> str:
        """An empty database with the tables of the checkout that `make bench` was called in."""
        return self.databases.make(name, like=self.candidates[0].template)

    def postgres_cpu(self) -> float:
        """CPU seconds of PostgreSQL so far; zero when it is on another machine."""
        return cpu_seconds(self.postmaster) if self.postmaster else 0.0

    def say(self, line: str) -> None:
        print(f"  {line}", flush=True)
