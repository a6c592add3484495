"""Where the demo listens and where it keeps its files, as the environment says."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from config import embedded_ground
from config.demonstration.telling import CannotGoOn

HOST = "127.0.0.1"
WEB_PORT, SIMULATORS_PORT = 8000, 12110
_LISTENING = "0A"


@dataclass(frozen=True, kw_only=True)
class Places:
    """`folder` holds logs, the simulators' memory and the demo's own credentials."""

    name: str
    folder: Path
    web_port: int
    simulators_port: int
    streams_port: int = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Places":
        """LANGO_PORT, LANGO_STREAMS_PORT, SIMULATORS_PORT and LANGO_DEMO_NAME, or what holds without them.

        Raises CannotGoOn.
        """
        name = environment.get("LANGO_DEMO_NAME") or "demo"
        web_port = _port(environment, "LANGO_PORT", WEB_PORT)
        return cls(
            name=name,
            folder=embedded_ground.CHECKOUT / "var" / name,
            web_port=web_port,
            simulators_port=_port(environment, "SIMULATORS_PORT", SIMULATORS_PORT),
            streams_port=_port(environment, "LANGO_STREAMS_PORT", web_port + 1),
        )

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.web_port}"

    @property
    def streams_url(self) -> str:
        return f"http://{HOST}:{self.streams_port}"

    @property
    def credentials(self) -> Path:
        return self.folder / "credentials.json"

    def simulator(self, place: int) -> str:
        """The address of the provider at that place in its registry."""
        return f"http://{HOST}:{self.simulators_port + place}"

    def make_folder(self) -> None:
        try:
            embedded_ground.make_folder(self.folder.parent)
            embedded_ground.make_folder(self.folder)
        except OSError as error:
            raise CannotGoOn(
                f"The demo cannot keep its files in {self.folder}: {error.strerror}. Give this user the right to "
                "write there, or run from a checkout of your own."
            ) from error

    def require_free_ports(self, *, simulators: int) -> None:
        """Raises CannotGoOn that names the port, who has it where that can be told, and how to choose another."""
        _require_free(self.web_port, purpose="the web server", variable="LANGO_PORT", several=1)
        _require_free(self.streams_port, purpose="live events", variable="LANGO_STREAMS_PORT", several=1)
        for place in range(simulators):
            _require_free(
                self.simulators_port + place,
                purpose="a simulator",
                variable="SIMULATORS_PORT",
                several=simulators,
            )


def _port(environment: Mapping[str, str], variable: str, otherwise: int) -> int:
    given = environment.get(variable) or str(otherwise)
    if not (given.isascii() and given.isdigit() and 0 < int(given) < 65_500):
        raise CannotGoOn(f"{variable} is {given!r}, which is no port. Give a number such as {otherwise}.")
    return int(given)


def _require_free(port: int, *, purpose: str, variable: str, several: int) -> None:
    fault = _why_not(port)
    if fault is None:
        return
    holder = f" by {who}" if (who := _holder(port)) else ""
    reason = f"is in use{holder}. Stop what listens there" if fault == "taken" else f"cannot be had ({fault})"
    raise CannotGoOn(
        f"Port {port} on {HOST}, which {purpose} needs, {reason}, or choose another: "
        f"{variable}={_next_free(port, several=several)} make demo"
    )


def _why_not(port: int) -> str | None:
    with socket.socket() as probe:
        # As servers do, so that connections which are still closing do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except PermissionError:
            return "only root may use it"
        except OSError:
            return "taken"
    return None


def _next_free(port: int, *, several: int) -> int:
    start = max(port + 1, 1024)
    for candidate in range(start, start + 400):
        if all(_why_not(candidate + place) is None for place in range(several)):
            return candidate
    return start


def _holder(port: int) -> str:
    """`process 123 (its command)`, or nothing where it belongs to somebody else and cannot be told."""
    sockets = set(_listening_on(port))
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if any(os.readlink(descriptor) in sockets for descriptor in (entry / "fd").iterdir()):
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    return f"process {entry.name} ({b' '.join(words).decode(errors='replace').strip()[:80]})"
    return ""


def _listening_on(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield f"socket:[{fields[9]}]"
