"""`python -m simulators`: every simulator in one process, one port each."""

from __future__ import annotations

import argparse
import errno
import gc
import json
import os
import signal
import sys
import threading
from pathlib import Path

from simulators import BASE_PORT, REGISTRY, Running, start


def main() -> None:
    arguments = _arguments()
    # Memory only grows here: frequent full collections over it would stall answers for nothing.
    gc.set_threshold(50_000, 20, 100)
    if arguments.data:
        arguments.data.mkdir(parents=True, exist_ok=True)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    running = _start(arguments)
    _introduce(running)
    if arguments.once_ready:
        urls = {name: simulator.base_url for name, simulator in running.simulators.items()}
        beside = arguments.once_ready.with_suffix(".part")
        beside.write_text(json.dumps(urls) + "\n")
        beside.rename(arguments.once_ready)
    stopping.wait()
    running.stop()
    # A callback to a hanging receiver must not keep the process: everything worth keeping is on disk.
    sys.stdout.flush()
    os._exit(0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulators", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--base-port", type=int, default=BASE_PORT, help="0 gives each a free port")
    parser.add_argument("--data", type=Path, help="a folder; with it, memory survives a restart")
    parser.add_argument("--once-ready", type=Path, metavar="FILE", help="write the base URLs there, as JSON")
    return parser.parse_args()


def _start(arguments: argparse.Namespace) -> Running:
    try:
        return start(host=arguments.host, base_port=arguments.base_port, data=arguments.data)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        last = arguments.base_port + len(REGISTRY) - 1
        sys.exit(
            f"A port of {arguments.base_port}-{last} on {arguments.host} is in use: "
            "stop what listens there, or choose others with --base-port."
        )


def _introduce(running: Running) -> None:
    for simulator in running.simulators.values():
        print(f"{simulator.title}: {simulator.base_url}")
        for name, value in simulator.credentials().items():
            print(f"    {name + ':':<28} {value}")
        print(f"    {'phone:':<28} {simulator.base_url}/_simulator/phone", flush=True)


if __name__ == "__main__":
    main()
