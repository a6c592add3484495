"""PostgreSQL and Valkey from the wheels, started when `DATABASE_URL` / `REDIS_URL` are not set.

Needs neither Django nor anything installed on the machine. From Python:

    with embedded.servers(name="demo", keep=True) as environment:
        subprocess.run(command, env=os.environ | environment)

From a shell, with the exit code of the command (69 when the servers cannot be had):

    python -m config.embedded run --name test --fresh -- python -m pytest
    python -m config.embedded remove --name demo
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from time import monotonic

from config import embedded_ground, embedded_servers
from config.embedded_ground import Ground, Unavailable

__all__ = ["Unavailable", "remove", "servers"]

STARTERS = {"DATABASE_URL": embedded_servers.postgres, "REDIS_URL": embedded_servers.valkey}
PASSED_ON = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


@contextmanager
def servers(*, name: str, keep: bool) -> Iterator[dict[str, str]]:
    """Yield DATABASE_URL and REDIS_URL for child processes, starting only those that are not given.

    One process at a time holds a name; names run side by side. With `keep` the data stay for the
    next start; without it they start empty and are gone afterwards (logs stay). Raises Unavailable,
    whose text is one paragraph for a person. Enter it from the main thread: the kernel ends the
    servers together with the thread that started them, so that a killed run leaves none behind.
    """
    urls = {variable: os.environ[variable] for variable in STARTERS if os.environ.get(variable)}
    with ExitStack() as stack:
        if len(urls) < len(STARTERS):
            with _explained():
                ground = stack.enter_context(_held_ground(name))
                stack.callback(_forget_unless, keep, ground)
                _forget_unless(keep, ground)
                for variable, start in STARTERS.items():
                    urls[variable] = urls.get(variable) or stack.enter_context(start(ground))
        yield urls


def remove(*, name: str) -> None:
    """Remove the data and logs kept under this name, ending servers that a killed run left behind."""
    with _explained(), _held_ground(name) as ground:
        for folder in ground.data_folders:
            embedded_servers.end_leftovers(folder)
        shutil.rmtree(ground.folder, ignore_errors=True)


def remove_everything() -> None:
    """Remove every name's data and the copied binaries."""
    with _explained():
        place = embedded_ground.find_place(embedded_ground.choose_account())
        for lock in place.glob("*.lock"):
            remove(name=lock.stem)
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _held_ground(name: str) -> Iterator[Ground]:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise Unavailable(f"{name!r} cannot name embedded servers: use small letters, digits and hyphens.")
    account = embedded_ground.choose_account()
    place = embedded_ground.find_place(account)
    with embedded_ground.held(place, name=name):
        embedded_ground.make_folder(place / name)
        yield Ground(name=name, place=place, account=account)


def _forget_unless(keep: bool, ground: Ground) -> None:
    for folder in ground.data_folders:
        embedded_servers.end_leftovers(folder)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # Copying a folder collects its errors, each as (from, to, why); the first tells enough.
        reason = error.args[0][0][2] if isinstance(error, shutil.Error) else error
        raise Unavailable(
            f"The embedded servers cannot be used: {reason}. Make room, or give this user the right to write "
            "there, or set DATABASE_URL and REDIS_URL to servers of your own."
        ) from error


def run(command: Sequence[str], *, environment: dict[str, str]) -> int:
    """Run a command, pass signals on to it, and return its exit code the way a shell tells it."""
    signals = {*PASSED_ON, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", "--", *command],
        env=os.environ | environment,
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, signals),
    )
    while process.poll() is None:
        _pass_on(signal.sigwaitinfo(signals), process)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _pass_on(received: signal.struct_siginfo, process: subprocess.Popen[bytes]) -> None:
    # A terminal sends Ctrl-C to the command as well (code above zero: sent by the kernel); passed
    # on again it would interrupt the command's own cleaning up.
    if received.si_signo in PASSED_ON and received.si_code <= 0:
        process.send_signal(received.si_signo)


def _run_with_servers(options: argparse.Namespace, command: Sequence[str]) -> int:
    began = monotonic()
    with servers(name=options.name, keep=not options.fresh) as environment:
        if any(not os.environ.get(variable) for variable in environment):
            print(f"Embedded servers up in {monotonic() - began:.1f} s.", file=sys.stderr, flush=True)
        return run(command, environment=environment)


def _remove_as_asked(options: argparse.Namespace) -> int:
    if options.name:
        remove(name=options.name)
    else:
        remove_everything()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m config.embedded", description="Embedded PostgreSQL and Valkey.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    running = verbs.add_parser("run", help="run a command with DATABASE_URL and REDIS_URL", usage="%(prog)s -- command")
    running.add_argument("--name", default="run", help="whose data to use (default: %(default)s)")
    running.add_argument("--fresh", action="store_true", help="start from nothing, leave no data")
    removing = verbs.add_parser("remove", help="remove what is kept under a name, or everything")
    removing.add_argument("--name")
    return parser


def main(arguments: Sequence[str]) -> int:
    """The command line; everything after `--` is the command to run."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    words = list(arguments)
    command = words[words.index("--") + 1 :] if "--" in words else []
    parser = _parser()
    options = parser.parse_args(words[: words.index("--")] if "--" in words else words)
    if options.verb == "run" and not command:
        parser.error("give the command to run after --")
    try:
        return _run_with_servers(options, command) if options.verb == "run" else _remove_as_asked(options)
    except Unavailable as error:
        print(error, file=sys.stderr)
        return os.EX_UNAVAILABLE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
