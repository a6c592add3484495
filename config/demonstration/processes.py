"""Starting, watching and ending the demo's own processes."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from config.demonstration.telling import CannotGoOn
from config.embedded_ground import CHECKOUT, inherit

SECONDS_TO_STOP = 8
TOLD_LINES = 12


@dataclass
class Processes:
    """What it starts writes to a log in `folder`, is ended by `stop`, and by the kernel should we be killed."""

    folder: Path
    environment: Mapping[str, str]
    _running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> None:
        with self.log(name).open("wb") as log:
            inherit(self.log(name))
            self._running[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *command],
                cwd=CHECKOUT,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own: Ctrl-C is for us, who then end everything in its order.
                start_new_session=True,
            )

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def require_alive(self) -> None:
        """Raises CannotGoOn with the last lines of the log of a process that has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise CannotGoOn(_obituary(name, process.returncode, self.log(name)))

    def stop(self) -> None:
        """End everything, the latest started first; what does not end in time is killed with all that it started."""
        for process in reversed(self._running.values()):
            process.terminate()
        deadline = time.monotonic() + SECONDS_TO_STOP
        for process in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._running.clear()


@contextmanager
def ended(processes: Processes) -> Iterator[Processes]:
    """End the processes with the block, undisturbed by a second Ctrl-C, which could leave some behind."""
    try:
        yield processes
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        processes.stop()


def _obituary(name: str, code: int, log: Path) -> str:
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    lines = log.read_text(errors="replace").strip().splitlines()[-TOLD_LINES:]
    told = "\n".join(f"    {line[:400]}" for line in lines) or "    (nothing)"
    return f"The {name} process {how}. The last that it said (all of it: {log}):\n{told}"
