"""A whole Lango from one checkout, with a database, stubs and processes of its own."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import await_port, cpu_seconds, free_port, running, told

WEB = ("granian", "--interface", "wsgi", "--workers", "2", "--blocking-threads", "64", "--backlog", "2048")
WORKER = ("celery", "-A", "config.celery", "worker", "--pool", "threads", "--concurrency", "8", "-l", "warning")
STREAMS = ("uvicorn", "--no-access-log", "--no-proxy-headers", "--backlog", "4096", "--timeout-graceful-shutdown", "1")
BEAT = ("celery", "-A", "config.celery", "beat", "-l", "warning", "--pidfile=")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What is measured: a checkout, a migrated database to copy for each case, and its own Redis."""

    name: str
    folder: Path
    template: str
    redis_url: str


@dataclass(frozen=True, kw_only=True)
class Wants:
    """What a case needs running. The stubs' words are their options."""

    web: bool = False
    worker: bool = False
    provider: tuple[str, ...] | None = None
    receiver: tuple[str, ...] | None = None
    endpoints: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()


class Stage:
    """A running candidate. `key` is its API key, `url` its web server."""

    def __init__(self, candidate: Candidate, *, database_url: str, logs: Path) -> None:
        self.candidate = candidate
        self.database_url = database_url
        self.logs = logs
        self.key = ""
        self.url = ""
        self.provider_url = ""
        self.receiver_url = ""
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self._environment: dict[str, str] = {}
        self._stack = ExitStack()

    def open(self, wants: Wants) -> None:
        environment = {
            "LANGO_DEVELOPMENT": "1",
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.candidate.redis_url,
            "RATE_LIMIT_PER_KEY": "100000000/minute",
            **dict(wants.settings),
        }
        stubs = {"provider": wants.provider, "receiver": wants.receiver}
        ports = {name: self._stub(name, words) for name, words in stubs.items() if words is not None}
        self.provider_url, self.receiver_url = (f"http://127.0.0.1:{ports.get(name, 0)}" for name in stubs)
        self._start("inside", ("benchmarks.hand",), environment, talks=True)
        seeded = self.ask("seed", endpoints=[self.receiver_url + path for path in wants.endpoints])
        self.key = seeded["key"]
        environment["SIMULATORS_PORT"] = str(ports.get("provider", 1) - seeded["place"])
        if wants.worker:
            self._start("worker", WORKER, environment)
            self._start("beat", BEAT, environment)
        self._environment = environment
        if wants.web:
            self.url = self.serve("web", "config.wsgi:application")

    def serve(self, name: str, application: str, *, by: tuple[str, ...] = WEB) -> str:
        """Start a web server, and say where it is."""
        port = free_port()
        web = self._start(name, (*by, "--port", str(port), application), self._environment)
        await_port(port, web, self._log(name))
        return f"http://127.0.0.1:{port}"

    def ask(self, command: str, **details: Any) -> dict[str, Any]:
        """Have the hand inside do a command of `benchmarks.inside`."""
        hand = self.processes["inside"]
        assert hand.stdin is not None
        hand.stdin.write(json.dumps({"do": command, **details}) + "\n")
        hand.stdin.flush()
        return told(hand)

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far, by process."""
        return {name: cpu_seconds(process.pid) for name, process in self.processes.items()}

    def close(self) -> None:
        self._stack.close()

    def _stub(self, name: str, words: tuple[str, ...]) -> int:
        stub = self._start(name, (f"benchmarks.{name}", *words), {}, talks=True, ours=True)
        return int(told(stub)["port"])

    def _start(
        self,
        name: str,
        words: tuple[str, ...],
        environment: dict[str, str],
        *,
        talks: bool = False,
        ours: bool = False,
    ) -> subprocess.Popen[str]:
        # Load and stubs are the same for every candidate; what is measured runs from its own checkout.
        folder = {} if ours else {"folder": self.candidate.folder}
        process = self._stack.enter_context(
            running(words, log=self._log(name), environment=dict(environment), talks=talks, **folder)
        )
        self.processes[name] = process
        return process

    def _log(self, name: str) -> Path:
        return self.logs / f"{self.candidate.name}-{name}.log"


@contextmanager
def on_stage(candidate: Candidate, wants: Wants, *, database_url: str, logs: Path) -> Iterator[Stage]:
    """A candidate that is up while the block lasts."""
    stage = Stage(candidate, database_url=database_url, logs=logs)
    try:
        stage.open(wants)
        yield stage
    finally:
        stage.close()
