"""Names to addresses within a deadline: the system's own look-up takes as long as the name servers please."""

import socket
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from core import addresses

MOST_AT_ONCE = 256
"""Names that are being looked up in this process: each holds a thread for as long as its name servers hang."""

Found = list[tuple[Any, ...]]

_under_way: dict[tuple[str, int], Future[Found]] = {}
_lock = threading.Lock()


def addresses_of(host: str, port: int, *, seconds: float) -> Found:
    """As `socket.getaddrinfo` gives them. Who asks for a name that is being looked up already waits for that look-up.

    Raises OSError when there are none, and TimeoutError (one of them) when they are not found in time.
    """
    with suppress(ValueError):
        addresses.parse(host)
        return _look_up(host, port)
    with _lock:
        found = _under_way.get((host, port)) or _begun(host, port)
    return found.result(timeout=seconds)


def _begun(host: str, port: int) -> Future[Found]:
    if len(_under_way) >= MOST_AT_ONCE:
        raise OSError("too many names are being looked up")
    found: Future[Found] = Future()
    threading.Thread(target=_answer, args=(host, port, found), name="look-up", daemon=True).start()
    _under_way[host, port] = found
    return found


def _answer(host: str, port: int, found: Future[Found]) -> None:
    try:
        given, fault = _look_up(host, port), None
    except Exception as error:  # noqa: BLE001  (it is raised where the addresses are waited for)
        given, fault = [], error
    with _lock:
        del _under_way[host, port]
    if fault is None:
        found.set_result(given)
    else:
        found.set_exception(fault)


def _look_up(host: str, port: int) -> Found:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
