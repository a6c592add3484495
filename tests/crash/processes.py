"""The processes under test: started, found by the sockets that they hold, killed, started again at once."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

SECONDS_TO_STOP = 10
SECONDS_TO_HEAL = 7.0


def free_ports(count: int) -> int:
    """The first of so many neighbouring ports that nobody listens on."""
    for first in range(20_000 + os.getpid() % 10_000, 60_000, count + 1):
        with suppress(OSError):
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
    raise RuntimeError("no free ports")


@dataclass
class Program:
    """One program and its running process. The kernel ends it when this harness dies, with `farewell`."""

    name: str
    words: list[str]
    farewell: str = "KILL"
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    hurt_at: float = field(default=0.0, init=False)

    def start(self, environment: Mapping[str, str], logs: Path) -> None:
        with (logs / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", self.farewell, "--", sys.executable, *self.words],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def end_group(self, number: int) -> None:
        """Signal the process and its children, also those whose parent is gone already."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)


class Crew:
    """All programs. `start` and `tend` belong to the main thread, as a child dies with the thread that made it."""

    def __init__(self, programs: list[Program], environment: Mapping[str, str], logs: Path) -> None:
        self.programs = {program.name: program for program in programs}
        self.kills: Counter[str] = Counter()
        self._environment, self._logs = environment, logs
        self._killing = threading.Lock()

    def start(self) -> None:
        for program in self.programs.values():
            program.start(self._environment, self._logs)

    def tend(self) -> None:
        """Start again at once whatever has ended."""
        for program in self.programs.values():
            if not program.is_running():
                program.end_group(signal.SIGKILL)
                program.start(self._environment, self._logs)

    def stop(self) -> None:
        for program in self.programs.values():
            program.end_group(signal.SIGTERM)
        for program in self.programs.values():
            with suppress(subprocess.TimeoutExpired):
                if program.process:
                    program.process.wait(SECONDS_TO_STOP)
            program.end_group(signal.SIGKILL)
            if program.process:
                program.process.wait()

    def kill(self, pid: int, *, whole: bool = False) -> str:
        """SIGKILL one process (`whole`: its program with all its processes); the name of its program."""
        program = self.program_of(pid)
        if program is None:
            return ""
        with self._killing:
            # Hurt twice in a row, granian gives up, and politely waits for whoever still works.
            if whole or pid == program.pid or time.monotonic() - program.hurt_at < SECONDS_TO_HEAL:
                program.end_group(signal.SIGKILL)
            else:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            program.hurt_at = time.monotonic()
            self.kills[program.name] += 1
        return program.name

    def kill_program(self, name: str) -> None:
        self.kill(self.programs[name].pid, whole=True)

    def program_of(self, pid: int) -> Program | None:
        return next((program for program in self.programs.values() if pid in _family(program.pid)), None)

    def holder_of(self, port: int) -> int | None:
        """Which of our processes has the connection whose own port this is; None when it is none of them."""
        sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
        family = [pid for program in self.programs.values() for pid in _family(program.pid)]
        # Children first: a parent that forked may hold what its child uses.
        return next((pid for pid in reversed(family) if sockets & _open_files(pid)), None)


def _family(pid: int) -> list[int]:
    found = [pid] if pid else []
    for parent in found:
        with suppress(OSError):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def _inodes(port: int) -> set[str]:
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[9] != "0"}


def _open_files(pid: int) -> set[str]:
    found = set()
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(os.readlink(entry))
    return found
