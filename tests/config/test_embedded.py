"""The embedded servers, started for real in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config import embedded, embedded_ground, embedded_servers
from config.embedded_ground import Ground, Unavailable

# redis-py counts a refused password among the failures that it retries for seconds.
AT_ONCE = Retry(NoBackoff(), retries=0)
TELL_URLS = "import json, os; print(json.dumps({n: os.environ[n] for n in ('DATABASE_URL', 'REDIS_URL')}))"
TELL_AND_WAIT = f"{TELL_URLS[:-1]}, flush=True); import time; time.sleep(60)"


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)


@pytest.fixture(scope="module")
def name() -> Iterator[str]:
    """One whose database, once made, serves the tests that do not mind: making it is what takes time."""
    yield from a_name()


@pytest.fixture
def new_name() -> Iterator[str]:
    yield from a_name()


def a_name() -> Iterator[str]:
    name = f"test-{uuid4().hex[:8]}"
    yield name
    embedded.remove(name=name)
    ground_of(name).place.joinpath(f"{name}.lock").unlink()


def ground_of(name: str) -> Ground:
    account = embedded_ground.choose_account()
    return Ground(name=name, place=embedded_ground.find_place(account), account=account)


def processes_of(name: str) -> list[int]:
    return [process for folder in ground_of(name).data_folders for process in embedded_servers._processes_in(folder)]


def start(name: str, *command: str) -> subprocess.Popen:
    words = [sys.executable, "-m", "config.embedded", "run", "--name", name, "--", *command]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_starts_fresh_and_is_reusable(name):
    with (
        embedded.servers(name=name, keep=True) as environment,
        psycopg.connect(environment["DATABASE_URL"]) as connection,
    ):
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        assert redis.from_url(environment["REDIS_URL"]).ping()
    with (
        embedded.servers(name=name, keep=True) as environment,
        psycopg.connect(environment["DATABASE_URL"]) as connection,
    ):
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_without_keep_it_starts_empty_and_leaves_no_data(new_name):
    with embedded.servers(name=new_name, keep=True):
        pass
    marker = ground_of(new_name).data_folders[0] / "marker"
    marker.touch()
    with embedded.servers(name=new_name, keep=False):
        assert not marker.exists()
    assert not any(folder.exists() for folder in ground_of(new_name).data_folders)


def test_the_database_is_durable_in_utc_and_utf8_and_asks_for_the_password(name):
    with embedded.servers(name=name, keep=True) as environment:
        with psycopg.connect(environment["DATABASE_URL"]) as connection:
            shown = {
                setting: connection.execute(f"SHOW {setting}").fetchone()[0]
                for setting in ("fsync", "timezone", "server_encoding", "max_connections", "listen_addresses")
            }
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(environment["DATABASE_URL"].replace("lango:", "lango:wrong"))
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=urlsplit(environment["REDIS_URL"]).port, retry=AT_ONCE).ping()
    assert shown == {
        "fsync": "on",
        "timezone": "UTC",
        "server_encoding": "UTF8",
        "max_connections": "200",
        "listen_addresses": "127.0.0.1",
    }


def test_it_refuses_a_second_holder_and_names_the_first(name):
    with embedded.servers(name=name, keep=True):
        second = start(name, "true")
        _, told = second.communicate()
        assert second.returncode == os.EX_UNAVAILABLE
        assert f"in use by process {os.getpid()}" in told
        assert "Traceback" not in told
        with pytest.raises(Unavailable, match=f"in use by process {os.getpid()}"):
            embedded.remove(name=name)


def test_a_killed_parent_leaves_no_process_behind_and_the_next_start_works(name):
    parent = start(name, sys.executable, "-c", TELL_AND_WAIT)
    assert "127.0.0.1" in parent.stdout.readline()
    assert len(processes_of(name)) > 2
    parent.kill()
    parent.communicate()
    next_one = start(name, sys.executable, "-c", TELL_URLS)
    told, _ = next_one.communicate()
    assert next_one.returncode == 0
    assert json.loads(told).keys() == {"DATABASE_URL", "REDIS_URL"}
    assert processes_of(name) == []


def test_servers_that_outlived_their_parent_are_ended_before_the_next_start(name, monkeypatch):
    monkeypatch.setattr(embedded_servers, "SECONDS_FOR_LEFTOVERS", 0)
    ground = ground_of(name)
    with embedded.servers(name=name, keep=True):
        pass
    data = ground.data_folders[0]
    words = [ground.postgres_programs / "postgres", "-D", data, "-p", str(embedded_servers._free_port())]
    left_over = subprocess.Popen(
        ground.account.command(*words, "-c", "unix_socket_directories="),
        cwd=data,
        env=embedded_servers.PLAIN_ENVIRONMENT,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: len(processes_of(name)) > 2)
    with embedded.servers(name=name, keep=True) as environment:
        assert left_over.wait(5) == -signal.SIGKILL
        psycopg.connect(environment["DATABASE_URL"]).close()


def test_a_stale_process_number_in_the_data_does_not_stop_it(name):
    with embedded.servers(name=name, keep=True):
        pass
    stale = ground_of(name).data_folders[0] / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n")
    with embedded.servers(name=name, keep=True) as environment:
        psycopg.connect(environment["DATABASE_URL"]).close()


def test_a_start_that_was_cut_short_is_begun_again(new_name):
    ground = ground_of(new_name)
    ground.folder.mkdir()
    (ground.folder / "postgres.new").mkdir()
    (ground.folder / "postgres.new" / "PG_VERSION").write_text("18\n")
    with embedded.servers(name=new_name, keep=True) as environment:
        psycopg.connect(environment["DATABASE_URL"]).close()
    assert not (ground.folder / "postgres.new").exists()


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("15\n", "was written by PostgreSQL 15, .* is PostgreSQL 18"),
        (None, "is not a whole PostgreSQL database"),
    ],
)
def test_data_that_it_cannot_use_are_named_with_the_way_out(new_name, version, told):
    ground = ground_of(new_name)
    data, _ = ground.data_folders
    data.mkdir(parents=True)
    (ground.folder / "password").write_text("secret")
    if version:
        (data / "PG_VERSION").write_text(version)
    with (
        pytest.raises(Unavailable, match=f"{told}(?s:.)*remove --name {new_name}"),
        embedded.servers(name=new_name, keep=True),
    ):
        pass
    assert data.exists()


def test_damaged_data_are_reported_in_the_servers_own_words(new_name):
    with embedded.servers(name=new_name, keep=True):
        pass
    (ground_of(new_name).data_folders[0] / "global" / "pg_control").unlink()
    with (
        pytest.raises(Unavailable, match="could not find the database system"),
        embedded.servers(name=new_name, keep=True),
    ):
        pass


def test_a_taken_port_is_tried_again_elsewhere(name, monkeypatch):
    free_port = embedded_servers._free_port
    with embedded_servers.socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = [taken.getsockname()[1], free_port(), free_port()]
        monkeypatch.setattr(embedded_servers, "_free_port", lambda: ports.pop(0))
        with embedded.servers(name=name, keep=True) as environment:
            psycopg.connect(environment["DATABASE_URL"]).close()
    assert ports == []


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_of_the_command_is_passed_through(name, code):
    given = {"DATABASE_URL": "postgresql://a", "REDIS_URL": "redis://b"}
    running = subprocess.run(
        [sys.executable, "-m", "config.embedded", "run", "--name", name, "--", "sh", "-c", f"exit {code}"],
        env=os.environ | given,
        check=False,
    )
    assert running.returncode == code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_the_command_once_and_its_servers_outlive_it(name, number):
    handle = (
        "import os, signal, sys, time, psycopg\n"
        "def leave(number, frame): psycopg.connect(os.environ['DATABASE_URL']).close(); sys.exit(number)\n"
        f"signal.signal({int(number)}, leave); print('ready', flush=True); time.sleep(60)"
    )
    running = start(name, sys.executable, "-c", handle)
    assert running.stdout.readline() == "ready\n"
    running.send_signal(number)
    running.communicate()
    assert running.returncode == number
    assert processes_of(name) == []


def test_a_command_ended_by_a_signal_is_told_as_a_shell_tells_it(name):
    running = start(name, "sh", "-c", "kill -KILL $$")
    running.communicate()
    assert running.returncode == 128 + signal.SIGKILL


def test_given_urls_are_left_alone(new_name, monkeypatch):
    given = {"DATABASE_URL": "postgresql://db.example.com/x", "REDIS_URL": "redis://cache.example.com"}
    for variable, url in given.items():
        monkeypatch.setenv(variable, url)
    with embedded.servers(name=new_name, keep=True) as environment:
        assert environment == given
        assert not ground_of(new_name).folder.exists()


def test_only_what_is_not_given_is_started(new_name, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example.com/x")
    with embedded.servers(name=new_name, keep=True) as environment:
        assert environment["DATABASE_URL"] == "postgresql://db.example.com/x"
        assert redis.from_url(environment["REDIS_URL"]).ping()
        assert not ground_of(new_name).data_folders[0].exists()


def test_a_name_that_could_leave_its_folder_is_refused():
    with pytest.raises(Unavailable, match="cannot name"), embedded.servers(name="../demo", keep=False):
        pass


def test_a_place_that_cannot_be_written_to_is_named(new_name, monkeypatch, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.touch()
    with monkeypatch.context() as patched:
        patched.setattr(embedded_ground, "find_place", lambda _account: blocked)
        with pytest.raises(Unavailable, match=f"Not a directory: .*{blocked}"):
            embedded.remove(name=new_name)
