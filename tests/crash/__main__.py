"""`python -m tests.crash --rounds N [--seed S]`: exit status 1 on any disagreement, its ids told."""

import argparse
import os
import signal
import sys
import time

from config import embedded
from config.embedded import Unavailable
from tests.crash import world
from tests.crash.telling import tell


def main() -> int:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        with embedded.servers(name="crash", keep=False) as servers, world.own_database(servers["DATABASE_URL"]) as url:
            return _run({**servers, "DATABASE_URL": url}, arguments)
    except Unavailable as error:
        tell(str(error))
        return os.EX_UNAVAILABLE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats a run's choices, not its timing")
    return parser.parse_args()


def _run(servers: dict[str, str], arguments: argparse.Namespace) -> int:
    ports = world.choose_ports()
    environment = world.environment_of(servers, ports)
    world.prepare_folders()
    os.environ.update(environment)
    # Settings are read from the environment that was just made, so nothing of Django may be imported earlier.
    import django

    django.setup()
    world.migrate(environment)
    from tests.crash.rounds import Run

    return Run(ports=ports, environment=environment, rounds=arguments.rounds, seed=arguments.seed).run()


if __name__ == "__main__":
    sys.exit(main())
