"""The suite's heart on servers that are given by URL: Debian's PostgreSQL 15 and Redis."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from config.embedded_ground import Account, choose_account

# One version, and another one with each release of Debian.
POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path("/nowhere"))
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port}")


@contextmanager
def running(account: Account, folder: Path, *words: str | Path):
    command = account.command(*words, dies_with_us=True)
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def debians_postgresql(account: Account, folder: Path):
    data, port = folder / "postgres", free_port()
    making = account.command(POSTGRES / "initdb", "-D", data, "-U", "lango", "--auth=trust", "-E", "UTF8")
    subprocess.run(making, cwd=folder, check=True, capture_output=True)
    options = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
    with running(account, folder, POSTGRES / "postgres", "-D", data, *options, "-c", "max_connections=200"):
        wait_for(port)
        yield f"postgresql://lango@127.0.0.1:{port}/postgres"


@contextmanager
def redis_server(account: Account, folder: Path):
    port = free_port()
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with running(account, folder, *words):
        wait_for(port)
        yield f"redis://127.0.0.1:{port}/0"


@pytest.mark.skipif(not (POSTGRES / "postgres").exists(), reason="Debian's postgresql is not installed")
@pytest.mark.skipif(shutil.which("redis-server") is None, reason="Debian's redis-server is not installed")
def test_the_floors_and_the_payments_work_on_debians_postgresql_and_redis():
    account = choose_account()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lango-", dir="/tmp")))
        account.own(folder)
        given = {
            "DATABASE_URL": stack.enter_context(debians_postgresql(account, folder)),
            "REDIS_URL": stack.enter_context(redis_server(account, folder)),
            "LANGO_DEVELOPMENT": "1",
        }
        suite = ["-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", "tests/events", "tests/payments"]
        ran = subprocess.run(
            [sys.executable, *suite], cwd=ROOT, env=os.environ | given, capture_output=True, text=True, timeout=900
        )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-1000:]
    assert " passed" in ran.stdout
