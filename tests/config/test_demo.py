"""The parts of the demo: its messages, its processes, its receiver, its credentials."""

import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from config.demonstration.credentials import Credentials
from config.demonstration.places import Places
from config.demonstration.processes import Processes
from config.demonstration.receiver import Inbox, receiving
from config.demonstration.telling import CannotGoOn, Teller
from core.crypto import Secret
from core.http import Request, send

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENT = {"id": "evt_1", "type": "payment.succeeded", "data": {"object": {"id": "pay_1"}}}


def a_port(several: int = 1) -> int:
    """The first of several neighbours that are free, below those that outgoing connections are given."""
    while True:
        port = random.randrange(20_000, 32_000)
        if all(is_free(port + place) for place in range(several)):
            return port


def is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False


def places(**variables: int | str) -> Places:
    return Places.from_environment({name: str(value) for name, value in variables.items()})


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# Ports


def test_it_names_the_port_in_use_and_who_has_it_and_another_that_is_free():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotGoOn) as stopped:
            places(LANGO_PORT=port, SIMULATORS_PORT=a_port(2)).require_free_ports(simulators=2)
    told = str(stopped.value)
    assert told.startswith(
        f"Port {port} on 127.0.0.1, which the web server needs, is in use by process {os.getpid()} ("
    )
    other = int(told.partition("LANGO_PORT=")[2].split()[0])
    assert other > port
    assert is_free(other)


def test_it_sees_that_the_second_simulator_has_no_port():
    base = a_port(2)
    with socket.create_server(("127.0.0.1", base + 1)), pytest.raises(CannotGoOn) as stopped:
        places(LANGO_PORT=a_port(), SIMULATORS_PORT=base).require_free_ports(simulators=2)
    assert f"Port {base + 1} on 127.0.0.1, which a simulator needs, is in use" in str(stopped.value)
    other = int(str(stopped.value).partition("SIMULATORS_PORT=")[2].split()[0])
    assert {base + 1} & {other, other + 1} == set()


def test_a_connection_that_is_still_closing_does_not_hold_its_port():
    port = a_port()
    with socket.create_server(("127.0.0.1", port)) as server:
        caller = socket.create_connection(("127.0.0.1", port))
        server.accept()[0].close()
        caller.recv(1)
        caller.close()
    places(LANGO_PORT=port, SIMULATORS_PORT=a_port(2)).require_free_ports(simulators=2)


@pytest.mark.parametrize("given", ["eighty", "0", "70000", "-1", "80.5"])
def test_it_says_which_variable_is_no_port(given):
    with pytest.raises(CannotGoOn, match=f"LANGO_PORT is '{given}', which is no port"):
        places(LANGO_PORT=given)


def test_without_variables_it_is_where_the_readme_says():
    usual = Places.from_environment({})
    assert (usual.name, usual.url, usual.simulator(1)) == ("demo", "http://127.0.0.1:8000", "http://127.0.0.1:12111")
    assert usual.folder.parts[-2:] == ("var", "demo")


def test_a_port_in_use_is_a_paragraph_and_a_line_of_json_and_no_traceback():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = subprocess.run(
            [sys.executable, "-m", "config.demo", "--once"],
            env=os.environ | {"LANGO_PORT": str(port), "LANGO_DEMO_NAME": "test-never-made"},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert run.returncode == 1
    assert run.stderr.strip().startswith(f"Port {port} on 127.0.0.1")
    assert "Traceback" not in run.stderr
    summary = json.loads(run.stdout.splitlines()[-1])
    assert summary["ok"] is False
    assert summary["failed"] == run.stderr.strip()
    assert (summary["payments_succeeded"], summary["refunds_succeeded"], summary["webhooks_verified"]) == (0, 0, 0)
    assert not places(LANGO_DEMO_NAME="test-never-made").folder.exists()


# Processes


@pytest.fixture
def processes(tmp_path):
    running = Processes(tmp_path, dict(os.environ))
    yield running
    running.stop()


def test_a_process_that_ends_early_is_told_with_its_last_words(processes, tmp_path):
    processes.start("web", sys.executable, "-c", "import sys; print('no such module: granian'); sys.exit(3)")
    with pytest.raises(CannotGoOn) as stopped:
        wait_until(lambda: processes.require_alive())
    told = str(stopped.value)
    assert told.startswith("The web process ended with exit code 3.")
    assert str(tmp_path / "web.log") in told
    assert told.endswith("\n    no such module: granian")


def test_a_process_that_was_killed_is_told_with_the_signal(processes):
    processes.start("beat", "sleep", "60")
    os.kill(processes._running["beat"].pid, signal.SIGKILL)
    with pytest.raises(CannotGoOn, match="The beat process was killed by SIGKILL"):
        wait_until(lambda: processes.require_alive())


def test_stopping_ends_what_a_process_started_and_abandoned(processes):
    processes.start("web", "sh", "-c", "trap '' TERM; sleep 60 & echo $!; exec sleep 60")
    wait_until(lambda: processes.log("web").read_text().strip())
    started, grandchild = processes._running["web"].pid, int(processes.log("web").read_text())
    os.kill(started, signal.SIGKILL)
    processes.stop()
    wait_until(lambda: not is_alive(started) and not is_alive(grandchild))


def test_processes_die_with_us_even_when_we_are_killed(tmp_path):
    program = (
        "import os, pathlib, sys, time\n"
        "from config.demonstration.processes import Processes\n"
        "processes = Processes(pathlib.Path(sys.argv[1]), dict(os.environ))\n"
        "processes.start('worker', 'sleep', '60')\n"
        "print(processes._running['worker'].pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    us = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    child = int(us.stdout.readline())
    # Until setpriv has asked for it, nothing dies with us.
    wait_until(lambda: Path(f"/proc/{child}/cmdline").read_bytes().startswith(b"sleep"))
    us.kill()
    us.communicate()
    wait_until(lambda: not is_alive(child))


# The receiver


def a_delivery(*, secret: str = SECRET, event: dict = EVENT) -> tuple[bytes, dict[str, str]]:
    body, at = json.dumps(event).encode(), datetime.now(UTC)
    return body, {
        "webhook-id": event["id"],
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(event["id"], at, body.decode()),
    }


def test_it_verifies_a_webhook_over_http_and_counts_each_event_once():
    told = []
    with receiving() as inbox:
        inbox.trust(Secret(SECRET))
        inbox.told = told.append
        body, headers = a_delivery()
        answers = [send(Request("POST", inbox.url, headers, body), deadline=5).status for _ in range(2)]
    assert answers == [204, 204]
    assert list(inbox.verified) == ["evt_1"]
    assert told == [EVENT]
    assert inbox.refused == 0


@pytest.mark.parametrize(
    "delivery",
    [
        a_delivery(secret="whsec_C2FtZSBsZW5ndGggb2YgYW5vdGhlciBvbmU="),
        (b'{"id": "evt_2"}', a_delivery()[1]),
        (a_delivery()[0], {}),
    ],
    ids=["another secret", "another body", "no signature"],
)
def test_it_refuses_a_webhook_that_does_not_verify(delivery):
    inbox = Inbox()
    inbox.trust(Secret(SECRET))
    assert inbox.take(*delivery) == 400
    assert (inbox.verified, inbox.refused) == ({}, 1)


def test_a_webhook_that_comes_before_the_secret_is_asked_to_come_again():
    inbox = Inbox()
    assert inbox.take(*a_delivery()) == 503
    assert (inbox.verified, inbox.refused) == ({}, 0)


# What it keeps and how it talks


def test_the_credentials_are_kept_for_their_owner_only(tmp_path):
    path = tmp_path / "credentials.json"
    kept = Credentials(api_key="sk_test_1", staff={"demo-admin": "pass"}, endpoint="we_1", endpoint_secret=SECRET)
    path.write_text("left by somebody, readable by everybody")
    kept.write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Credentials.read(path) == kept
    assert "sk_test_1" not in repr(kept)
    assert "pass" not in repr(kept)
    assert SECRET not in repr(kept)


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"another": "shape"}'])
def test_credentials_that_cannot_be_read_are_none(tmp_path, content):
    path = tmp_path / "credentials.json"
    if content is not None:
        path.write_text(content)
    assert Credentials.read(path) == Credentials()


def test_a_step_is_shown_before_it_is_done_and_timed_when_it_is():
    out = io.StringIO()
    with Teller(out).step("database migrated"):
        assert out.getvalue().startswith("  database migrated ..")
    assert out.getvalue().endswith("   0.0 s\n")


def test_a_step_that_fails_is_told_as_not_done():
    out = io.StringIO()
    with suppress(CannotGoOn), Teller(out).step("database migrated"):
        raise CannotGoOn("it cannot")
    assert out.getvalue().endswith(". not done\n")
