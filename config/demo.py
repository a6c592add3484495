"""`make demo`: everything started on this machine, the main job performed over HTTP, and its story told.

    python -m config.demo            stays up until Ctrl-C
    python -m config.demo --once     stops what it started and ends with one line of JSON

Read from the environment: DATABASE_URL, REDIS_URL (embedded servers without them), LANGO_PORT, LANGO_STREAMS_PORT,
SIMULATORS_PORT, LANGO_DEMO_NAME (whose data, `demo`). It writes under var/ only.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from config import embedded
from config.demonstration import signs
from config.demonstration.credentials import Credentials
from config.demonstration.places import Places
from config.demonstration.processes import Processes, ended
from config.demonstration.receiver import Inbox, receiving
from config.demonstration.shop import Shop
from config.demonstration.story import Outcome, Story
from config.demonstration.telling import CannotGoOn, Teller
from payments.providers import REGISTRY

WATCH_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Company:
    """Everything that runs once the story has been told."""

    places: Places
    processes: Processes
    inbox: Inbox
    teller: Teller
    credentials: Credentials

    def stay_up(self) -> None:
        """Show where to go, tell of each webhook that arrives, and return only by an exception."""
        stripe, mpesa = (self.places.simulator(list(REGISTRY).index(name)) for name in ("stripe", "mpesa"))
        self.teller.say(signs.doors(self.places, self.credentials, stripe=stripe, mpesa=mpesa))
        self.inbox.told = self._tell_of
        while True:
            self.processes.require_alive()
            time.sleep(WATCH_SECONDS)

    def _tell_of(self, event: Mapping[str, Any]) -> None:
        told = event["data"]["object"]
        self.teller.say(f"  webhook verified: {event['type']:<26} {told.get('id')} is {told.get('state')}")


def main(arguments: Sequence[str]) -> int:
    """The command line. Exit code 0 when every step succeeded."""
    parser = argparse.ArgumentParser(prog="python -m config.demo", description="The main job, from API to webhook.")
    parser.add_argument("--once", action="store_true", help="stop afterwards, and end with one line of JSON")
    once = parser.parse_args(arguments).once
    # Started in the background, a process may have been told to ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: sys.exit(128 + received))
    return _once() if once else _until_stopped()


def _once() -> int:
    began, outcome, failed = time.monotonic(), Outcome(), "it ended before it was done"
    try:
        with _performed(outcome):
            pass
        failed = ""
    except (CannotGoOn, embedded.Unavailable) as problem:
        failed = str(problem).splitlines()[0]
        _complain(problem)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        seconds = round(time.monotonic() - began, 1)
        why = {"failed": failed} if failed else {}
        print(json.dumps({"ok": not failed, **asdict(outcome), "seconds": seconds, **why}), flush=True)
    return 1 if failed else 0


def _until_stopped() -> int:
    told = False
    try:
        with _performed(Outcome()) as company:
            told = True
            company.stay_up()
    except (CannotGoOn, embedded.Unavailable) as problem:
        _complain(problem)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The data are kept; `make reset` forgets them.", flush=True)
    return 0 if told else 128 + signal.SIGINT


@contextmanager
def _performed(outcome: Outcome) -> Iterator[Company]:
    """Start everything and tell the story, adding to `outcome`; everything is stopped with the block."""
    places, teller = Places.from_environment(os.environ), Teller()
    places.require_free_ports(simulators=len(list(REGISTRY)))
    places.make_folder()
    teller.say("Lango: from an API call to a verified webhook. Getting ready\n")
    with _servers(places, teller) as urls, receiving() as inbox:
        environment = os.environ | urls | _settings(places)
        with ended(Processes(places.folder, environment)) as processes:
            company = Company(
                places=places,
                processes=processes,
                inbox=inbox,
                teller=teller,
                credentials=Credentials.read(places.credentials),
            )
            _perform(company, outcome)
            yield company
            teller.say("\n  Stopping what was started")


@contextmanager
def _servers(places: Places, teller: Teller) -> Iterator[dict[str, str]]:
    given = [name for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)]
    with ExitStack() as stack:
        with teller.step(f"PostgreSQL and Valkey{' (given: ' + ', '.join(given) + ')' if given else ''}"):
            urls = stack.enter_context(embedded.servers(name=places.name, keep=True))
        yield urls


def _settings(places: Places) -> dict[str, str]:
    """What every process of the demo finds in its environment."""
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "LANGO_DEVELOPMENT": "1",
        "PUBLIC_URL": places.url,
        "STREAMS_URL": places.streams_url,
        "SIMULATORS_PORT": str(places.simulators_port),
        "DEMO_CREDENTIALS": str(places.credentials),
        "PYTHONUNBUFFERED": "1",
    }


def _perform(company: Company, outcome: Outcome) -> None:
    # The settings of this process, too. It warns only: what it writes is what the person reads.
    os.environ.update({**company.processes.environment, "LOG_LEVEL": "WARNING"})
    from config.demonstration.opening import Opening

    places, processes, teller, credentials = company.places, company.processes, company.teller, company.credentials
    Opening(places=places, processes=processes, teller=teller, credentials=credentials).run()
    story = Story(
        shop=Shop(places.url, credentials.key),
        inbox=company.inbox,
        teller=teller,
        web=places.url,
        streams=places.streams_url,
        simulators={name: places.simulator(place) for place, name in enumerate(REGISTRY)},
        require_alive=processes.require_alive,
    )
    story.connect_webhooks(credentials)
    credentials.write(places.credentials)
    story.tell(outcome)
    from config.demonstration.bookkeeping import show_trial_balance

    show_trial_balance(teller)
    outcome.books_balance = True


def _complain(problem: Exception) -> None:
    print(f"\n{problem}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
