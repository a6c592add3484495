"""Processes that a case starts, what they print, what CPU they use, and their end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
_TICKS = os.sysconf("SC_CLK_TCK")
_SECONDS_TO_START = 60.0
_SECONDS_TO_END = 20.0


class Broken(Exception):
    """A case cannot go on, or its counts are wrong; the text says what and where to look."""


@contextmanager
def running(
    words: Sequence[str], *, log: Path, environment: Mapping[str, str], folder: Path = HERE, talks: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """`python -m words…` while the block lasts. One that `talks` prints lines that we read, and reads ours."""
    with log.open("ab") as written:
        process = subprocess.Popen(
            # The kernel ends it when we die, so that a killed run leaves nothing behind.
            ["setpriv", "--pdeathsig", "TERM", "--", sys.executable, "-m", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder), **environment},
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
            stdout=subprocess.PIPE if talks else written,
            stderr=written,
            text=True,
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        # Its children first: they would stay behind otherwise.
        for child in reversed(family(process.pid)):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next line that the process prints, which is JSON."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise Broken(f"{process.args!r} ended without a word")
    answer: dict[str, Any] = json.loads(line)
    return answer


def result_of(
    words: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None, folder: Path = HERE
) -> dict[str, Any]:
    """Run `python -m words…` to its end and return the JSON that it prints."""
    with running(words, log=log, environment=environment or {}, folder=folder, talks=True) as process:
        answer = told(process)
        if process.wait(_SECONDS_TO_END) != 0:
            raise Broken(f"{words[0]} failed; see {log}")
    return answer


def await_port(port: int, process: subprocess.Popen[str], log: Path) -> None:
    ends = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < ends and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise Broken(f"nothing answers on port {port}; see {log}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(process: int) -> list[int]:
    """The process and everything below it, parents first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [process]
    for member in found:
        found += children.get(member, [])
    return found


def parent(process: int) -> int | None:
    fields = _stat(process)
    return int(fields[1]) if fields else None


def cpu_seconds(process: int) -> float:
    """CPU time of the process and everything below it, the dead included once they were waited for."""
    used = [sum(map(int, fields[11:15])) for member in family(process) if (fields := _stat(member))]
    return sum(used) / _TICKS


def resident_megabytes(process: int) -> float:
    """What one process has in memory."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) / 1024


def _stat(process: int) -> list[str]:
    """The fields of /proc/…/stat after the name: state, parent, …; empty when there is no such process."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
