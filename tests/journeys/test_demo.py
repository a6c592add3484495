"""`make demo` as a person runs it, on servers, ports and data of its own."""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from config import embedded, embedded_ground
from config.demonstration.credentials import Credentials
from config.demonstration.places import Places
from simulators import REGISTRY

SECONDS = 120


class Demo:
    """One installation of the demo. Every process of it carries its name in environment or command."""

    def __init__(self) -> None:
        self.name = f"test-demo-{uuid4().hex[:8]}"
        web, first_simulator = free_ports()
        inherited = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        self.environment = inherited | {
            "LANGO_DEMO_NAME": self.name,
            "LANGO_PORT": str(web),
            "SIMULATORS_PORT": str(first_simulator),
        }
        self.places = Places.from_environment(self.environment)

    def start(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "config.demo", *options],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_once(self) -> tuple[int, dict, str]:
        """Exit code, the last line as JSON, and everything that was said."""
        out, err = (run := self.start("--once")).communicate(timeout=SECONDS)
        return run.returncode, json.loads(out.splitlines()[-1]), out + err

    def processes(self) -> list[str]:
        return [words for entry in Path("/proc").iterdir() if entry.name.isdigit() if (words := self._ours(entry))]

    def _ours(self, process: Path) -> str:
        with suppress(OSError):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            known = (process / "environ").read_bytes() + os.fsencode(os.readlink(process / "cwd"))
            if command and self.name in known.decode(errors="replace") + command:
                return command
        return ""

    def remove(self) -> None:
        embedded.remove(name=self.name)
        place = embedded_ground.find_place(embedded_ground.choose_account())
        (place / f"{self.name}.lock").unlink()
        shutil.rmtree(self.places.folder, ignore_errors=True)


def free_ports() -> tuple[int, int]:
    """One for the web, before that of live events, and the first of the simulators'.

    They are below those that outgoing connections are given.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with ExitStack() as held, suppress(OSError):
            for place in range(2 + len(REGISTRY)):
                held.enter_context(socket.socket()).bind(("127.0.0.1", port + place))
            return port, port + 2


@pytest.fixture
def demo() -> Iterator[Demo]:
    demo = Demo()
    yield demo
    demo.remove()


def wait_until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def said(run: subprocess.Popen[str], words: str) -> str:
    """Everything that it says up to the line with these words."""
    lines = []
    for line in run.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError("".join([*lines, run.stderr.read()]))


def test_one_command_takes_payments_to_verified_webhooks_and_leaves_nothing_running(demo):
    code, summary, told = demo.run_once()
    assert code == 0, told
    seconds = summary.pop("seconds")
    done = {"payments_succeeded": 7, "orders_paid": 2, "refunds_succeeded": 2, "webhooks_verified": 20}
    assert summary == {"ok": True, "books_balance": True, **done}
    assert 0 < seconds < SECONDS
    assert demo.processes() == []
    balance = told[told.index("The trial balance") :]
    assert re.search(r"difference +KES 0\.00", balance), balance
    logs = "".join(log.read_text() for log in demo.places.folder.glob("*.log"))
    kept = Credentials.read(demo.places.credentials)
    for secret in (kept.api_key, kept.endpoint_secret, *kept.staff.values()):
        assert secret
        assert secret not in logs
        assert secret not in told


@pytest.mark.slow
def test_a_second_run_keeps_the_merchant_and_its_key(demo):
    assert demo.run_once()[0] == 0
    first = Credentials.read(demo.places.credentials)
    code, summary, told = demo.run_once()
    assert code == 0, told
    assert summary["webhooks_verified"] == 20
    assert Credentials.read(demo.places.credentials) == first


@pytest.mark.slow
def test_it_stays_up_until_ctrl_c_and_then_stops_everything(demo):
    run = demo.start()
    told = said(run, "Ctrl-C stops everything")
    kept = Credentials.read(demo.places.credentials)
    assert f"{demo.places.url}/demo/" in told
    assert f"Bearer {kept.api_key}" in told
    assert all(f"{name:<12} {password}" in told for name, password in kept.staff.items())
    run.send_signal(signal.SIGINT)
    rest, err = run.communicate(timeout=30)
    assert (run.returncode, err) == (0, "")
    assert "Stopped." in rest
    assert demo.processes() == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_however_it_is_ended_nothing_is_left_running(demo, number):
    run = demo.start()
    said(run, "An M-Pesa payment")
    run.send_signal(number)
    _, err = run.communicate(timeout=30)
    assert run.returncode == (-number if number is signal.SIGKILL else 128 + number)
    assert err == ""
    wait_until(lambda: demo.processes() == [])


@pytest.mark.slow
def test_a_second_demo_beside_it_is_told_who_is_there(demo):
    run = demo.start()
    said(run, "Ctrl-C stops everything")
    code, summary, told = demo.run_once()
    assert (code, summary["ok"]) == (1, False)
    assert f"Port {demo.places.web_port} on 127.0.0.1, which the web server needs, is in use by process" in told
    assert "Traceback" not in told
    run.terminate()
    run.communicate(timeout=30)


@pytest.mark.slow
def test_a_web_server_that_dies_is_told_with_its_last_words(demo):
    run = demo.start()
    said(run, "Ctrl-C stops everything")
    web = next(
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and "granian --interface" in demo._ours(entry) and is_child(entry, run.pid)
    )
    os.kill(web, signal.SIGKILL)
    _, err = run.communicate(timeout=30)
    assert run.returncode == 1
    assert err.strip().startswith("The web process was killed by SIGKILL. The last that it said")
    assert demo.processes() == []


def is_child(process: Path, parent: int) -> bool:
    return f"PPid:\t{parent}\n" in (process / "status").read_text()
