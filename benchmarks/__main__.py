"""The command line of the benchmarks: `python -m benchmarks [--only name] [--base revision] [--seconds n]`."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import auth, broadcast, create, deliver, displays, failover, ledger, pages, reconcile, results, steady
from benchmarks.checkouts import checked_out
from benchmarks.databases import Databases, databases
from benchmarks.plan import Plan
from benchmarks.processes import HERE, Broken
from benchmarks.redis_databases import redis_databases
from benchmarks.results import Row
from benchmarks.stage import Candidate
from config import embedded

CASES: Mapping[str, Callable[[Plan], list[Row]]] = {
    "create": create.run,
    "steady": steady.run,
    "deliver": deliver.run,
    "deliver_healthy": deliver.run_healthy,
    "ledger": ledger.run,
    "reconcile": reconcile.run,
    "list": pages.run,
    "auth": auth.run,
    "failover": failover.run,
    "broadcast": broadcast.run,
    "displays": displays.run,
}
ALSO = {
    "create_cpu": "create",
    "steady_p99": "steady",
    "failover_hang": "failover",
    "failover_return": "failover",
    "broadcast_stream": "broadcast",
    "displays_memory": "displays",
}
"""Rows that another case tells."""
SECONDS = 60.0
OFFERED = 206.0
"""A little above the aim, so that the aim is not the most that could be reached."""
HISTORY = 1_000_000


def main(arguments: Sequence[str]) -> int:
    """Run the cases; 1 when a case broke or a count was wrong, 69 without servers. A missed aim is no failure."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    options = _parser().parse_args(arguments)
    names = [ALSO.get(options.only, options.only)] if options.only else list(CASES)
    try:
        with _ground(options) as plan:
            rows, broken = _run(names, plan)
            if broken:
                _keep_logs(plan.logs)
    except embedded.Unavailable as error:
        print(error, file=sys.stderr)
        return os.EX_UNAVAILABLE
    except Broken as error:
        print(f"BROKEN: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    results.write(rows, options.results)
    print(f"\n{results.table(rows)}")
    return 1 if broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="The numbers: Lango against plain code.")
    parser.add_argument("--only", choices=[*CASES, *ALSO], help="one case")
    parser.add_argument("--base", help="a revision to compare with, in one rotation")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="how long each case loads (default: %(default)s)"
    )
    parser.add_argument(
        "--offered", type=float, default=OFFERED, help="payments/s that arrive in `steady` (default: %(default)s)"
    )
    parser.add_argument(
        "--history",
        type=int,
        default=HISTORY,
        help="transfers in the books before `ledger`, receipts in `reconcile` (default: %(default)s)",
    )
    parser.add_argument("--results", type=Path, default=HERE / "benchmarks" / "results.json", help="where to write")
    return parser


@contextmanager
def _ground(options: argparse.Namespace) -> Iterator[Plan]:
    """Servers, the checkout to compare with, and a migrated database of each to copy."""
    with ExitStack() as stack:
        given = stack.enter_context(embedded.servers(name="bench", keep=False))
        folders = {"now": HERE}
        if options.base:
            folders["base"] = stack.enter_context(checked_out(options.base))
        held = stack.enter_context(databases(given["DATABASE_URL"]))
        redises = stack.enter_context(redis_databases(given["REDIS_URL"]))
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lango-bench-")))
        yield Plan(
            candidates=tuple(
                _candidate(name, folder, held, redis_url=redises.take()) for name, folder in folders.items()
            ),
            databases=held,
            logs=logs,
            seconds=options.seconds,
            offered=options.offered,
            history=options.history,
            postmaster=held.postmaster(),
            yardstick_redis_url=redises.take(),
        )


def _candidate(name: str, folder: Path, held: Databases, *, redis_url: str) -> Candidate:
    template = held.make(f"{name}_fresh")
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"],
        cwd=folder,
        env={**os.environ, "LANGO_DEVELOPMENT": "1", "DATABASE_URL": template, "REDIS_URL": redis_url},
        check=True,
    )
    return Candidate(name=name, folder=folder, template=template, redis_url=redis_url)


def _run(names: Sequence[str], plan: Plan) -> tuple[list[Row], bool]:
    rows: list[Row] = []
    broken = False
    for name in names:
        print(f"{name} …", flush=True)
        began = time.monotonic()
        try:
            rows += CASES[name](plan)
        except Broken as fault:
            broken = True
            print(f"  BROKEN: {fault}", file=sys.stderr)
        plan.say(f"took {time.monotonic() - began:.0f} s")
    return rows, broken


def _keep_logs(logs: Path) -> None:
    """What a broken case printed is worth more than a tidy folder."""
    kept = Path(tempfile.mkdtemp(prefix="lango-bench-broken-"))
    for log in logs.iterdir():
        log.rename(kept / log.name)
    print(f"  Its processes' logs are kept in {kept}.", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
