"""Starting, watching and ending the embedded PostgreSQL and Valkey."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from config.embedded_ground import POSTGRES_VERSION, Ground, Unavailable, inherit

# Nothing of ours: PGPORT and its kin would change what the servers do, and the locale their messages.
PLAIN_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}
PROGRAM_NAMES = ("postgres", "valkey-server")
READY = "ready to accept connections"
SECONDS_TO_START = 60
SECONDS_TO_STOP = 30
SECONDS_FOR_LEFTOVERS = 10
PORTS_TO_TRY = 3

Command = Sequence[str | Path]

POSTGRES_SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=256MB",
    "fsync=on",
    "timezone=UTC",
    "log_timezone=UTC",
)
INITDB_OPTIONS = (
    "--username=lango",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    # The builtin provider brings its own rules, so that no locale need exist on the machine.
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server to start: what it is called, where it works, and how its command and what is typed
    into its standard input follow from a port."""

    title: str
    folder: Path
    ground: Ground
    command: Callable[[int], Command]
    typed: Callable[[int], str] = lambda _port: ""

    @property
    def variable(self) -> str:
        """The setting that would make it unnecessary."""
        return {"PostgreSQL": "DATABASE_URL", "Valkey": "REDIS_URL"}[self.title]

    @property
    def log(self) -> Path:
        """What it prints, from its latest start on."""
        return self.folder.with_suffix(".log")


class _PortTaken(Unavailable):
    pass


@contextmanager
def postgres(ground: Ground) -> Iterator[str]:
    """Run PostgreSQL while the block lasts, with a database made at the first time; gives its URL."""
    data, _ = ground.data_folders
    password = _make_or_find_database(ground, data)
    # No process of it is left, so this is stale; and PostgreSQL would trust its number if another has it now.
    (data / "postmaster.pid").unlink(missing_ok=True)
    settings = [word for setting in POSTGRES_SETTINGS for word in ("-c", setting)]
    program = ground.postgres_programs / "postgres"
    server = Server(
        title="PostgreSQL",
        folder=data,
        ground=ground,
        command=lambda port: [program, "-D", data, "-p", str(port), *settings],
    )
    with _running(server) as port:
        yield f"postgresql://lango:{password}@127.0.0.1:{port}/lango"


@contextmanager
def valkey(ground: Ground) -> Iterator[str]:
    """Run Valkey while the block lasts; gives its URL. What must last is in PostgreSQL."""
    _, folder = ground.data_folders
    folder.mkdir(exist_ok=True)
    ground.account.own(folder)
    password = secrets.token_hex(16)
    server = Server(
        title="Valkey",
        folder=folder,
        ground=ground,
        command=lambda _port: [ground.valkey_program, "-"],
        # By standard input, where other users' `ps` does not see the password.
        typed=lambda port: f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\nappendonly no\n',
    )
    with _running(server) as port:
        yield f"redis://:{password}@127.0.0.1:{port}/0"


def end_leftovers(folder: Path) -> None:
    """Wait for the servers of a killed run to end, which the kernel asked them to; kill those that do not."""
    deadline = time.monotonic() + SECONDS_FOR_LEFTOVERS
    while leftovers := _processes_in(folder):
        if time.monotonic() > deadline:
            for process in leftovers:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        time.sleep(0.02)


def _processes_in(folder: Path) -> list[int]:
    """Our servers' processes, known by their working directory, also when that was deleted since."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and os.readlink(entry / "cwd").removesuffix(" (deleted)") == str(folder):
                program = os.readlink(entry / "exe").removesuffix(" (deleted)")
                found += [int(entry.name)] if program.endswith(PROGRAM_NAMES) else []
    return found


def _make_or_find_database(ground: Ground, data: Path) -> str:
    password_file = ground.folder / "password"
    if not data.exists():
        password = _new_password(ground, password_file)
        _initialise(ground, data, password_file)
        return password
    _check_database(ground, data, password_file)
    ground.account.own(data)
    return password_file.read_text()


def _new_password(ground: Ground, password_file: Path) -> str:
    password = secrets.token_hex(16)
    password_file.unlink(missing_ok=True)
    with open(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password)
    ground.account.own(password_file)
    return password


def _initialise(ground: Ground, data: Path, password_file: Path) -> None:
    # Made beside and renamed when whole, so that a start that is cut short leaves nothing to repair.
    making = data.with_suffix(".new")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    ground.account.own(making)
    programs = ground.postgres_programs
    initdb: Command = [programs / "initdb", "-D", making, "--pwfile", password_file, *INITDB_OPTIONS]
    single: Command = [programs / "postgres", "--single", "-D", making, "postgres"]
    _finish(ground, making, initdb)
    _finish(ground, making, single, typed="CREATE DATABASE lango;\n")
    making.rename(data)


def _finish(ground: Ground, folder: Path, command: Command, *, typed: str = "") -> None:
    server = Server(title="PostgreSQL", folder=folder, ground=ground, command=lambda _port: command)
    exit_code = _launch(server, command, typed=typed).wait()
    # Single-user mode ends with success also after an error.
    if exit_code != 0 or "ERROR" in server.log.read_text(errors="replace"):
        raise _failure(server)


def _check_database(ground: Ground, data: Path, password_file: Path) -> None:
    version_file = data / "PG_VERSION"
    if not version_file.exists() or not password_file.exists():
        raise Unavailable(
            f"{data} is not a whole PostgreSQL database: PG_VERSION in it or the password file beside it is "
            f"missing. `{ground.remedy}` removes it, and the next start makes a new one."
        )
    if (written := version_file.read_text().strip()) != POSTGRES_VERSION:
        raise Unavailable(
            f"{data} was written by PostgreSQL {written}, and the embedded server is PostgreSQL "
            f"{POSTGRES_VERSION}. `{ground.remedy}` removes that data, and the next start makes it anew; to "
            f"keep it, set DATABASE_URL to a PostgreSQL {written} server."
        )


@contextmanager
def _running(server: Server) -> Iterator[int]:
    process, port = _start_on_a_free_port(server)
    try:
        yield port
    finally:
        _stop(process)


def _start_on_a_free_port(server: Server) -> tuple[subprocess.Popen[bytes], int]:
    # Somebody may take a free port between our look and the server's start.
    for attempt in range(1, PORTS_TO_TRY + 1):
        port = _free_port()
        process = _launch(server, server.command(port), typed=server.typed(port))
        try:
            _await_ready(server, process)
        except _PortTaken:
            if attempt == PORTS_TO_TRY:
                raise
        else:
            return process, port
    raise AssertionError("unreachable")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _launch(server: Server, words: Command, *, typed: str) -> subprocess.Popen[bytes]:
    with server.log.open("wb") as log:
        inherit(server.log)
        process = subprocess.Popen(
            server.ground.account.command(*words, dies_with_us=True),
            cwd=server.folder,
            env=PLAIN_ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A Ctrl-C in the terminal is for the command, which still needs its servers to end well.
            start_new_session=True,
        )
    with suppress(BrokenPipeError), process.stdin as configured:  # type: ignore[union-attr]
        configured.write(typed.encode())
    return process


def _await_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    try:
        while READY not in server.log.read_text(errors="replace").lower():
            if process.poll() is not None or time.monotonic() > deadline:
                raise _failure(server)
            time.sleep(0.01)
    except BaseException:
        _stop(process)
        raise


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _failure(server: Server) -> Unavailable:
    printed = server.log.read_text(errors="replace")
    last = " / ".join(line.strip() for line in printed.splitlines()[-3:]) or "(nothing)"
    told = f"{server.title} did not start in {server.folder}. It said last: {last} (the rest: {server.log})."
    elsewhere = f"set {server.variable} to a server of your own"
    if "address already in use" in printed.lower():
        return _PortTaken(f"{told} Each port it tried was taken: run the same command again, or {elsewhere}.")
    # Of a full disk even the log may say nothing.
    full = shutil.disk_usage(server.folder).free < 2**20
    if full or "no space left on device" in printed.lower():
        return Unavailable(f"{told} The disk is full: make room, then run the same command again.")
    return Unavailable(f"{told} If its data may go, `{server.ground.remedy}` starts afresh; or {elsewhere}.")
