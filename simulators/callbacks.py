"""Sends what a provider tells us unasked: on time, twice, late, in the wrong order, or never."""

from __future__ import annotations

import heapq
import itertools
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import requests

from simulators.settings import Settings

THREADS = 32
LOG_LENGTH = 2000
KEEPS_METHOD = (307, 308)
REORDER_GAP_SECONDS = 0.1
STILL_RUNNING_SECONDS = 5.0
TURN_SECONDS = 2.0
"""How long what has a turn waits for what was due before it, so that a slow machine does not mix up their order."""


@dataclass
class Callback:
    """One message to one address; `write` gives body and headers anew for each attempt, as signatures age.

    Messages `about` the same object come in the order in which they are due. `tries_after` says how many retries an
    answer is worth to a company that looks at it; `hops` how many redirections that keep the method it follows.
    """

    url: str
    label: str
    write: Callable[[], tuple[bytes, Mapping[str, str]]]
    about: str
    done: Callable[[], None] = lambda: None
    tries_after: Callable[[int | str], int] = lambda result: sys.maxsize
    hops: int = 0
    finished: threading.Event = field(default_factory=threading.Event)
    started: bool = False


class Timer:
    """Runs things later, each on a thread of a pool; `close` forgets what is still waiting.

    What shares a turn is run in the order in which it was due.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Callable[[], None], str]] = []
        self._turns: dict[str, threading.Event] = {}
        self._number = itertools.count()
        self._closed = False
        self._running = 0
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="callback")
        threading.Thread(target=self._run, daemon=True).start()

    def later(self, seconds: float, action: Callable[[], None], turn: str = "") -> None:
        with self._changed:
            entry = (time.monotonic() + seconds, next(self._number), action, turn)
            heapq.heappush(self._waiting, entry)
            if self._waiting[0] is entry:
                self._changed.notify()

    def forget(self) -> None:
        """Drop what waits, and return when nothing is running any more, or after a while."""
        with self._changed:
            self._waiting.clear()
            self._changed.wait_for(lambda: not self._running, timeout=STILL_RUNNING_SECONDS)
            self._waiting.clear()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and not self._due():
                    wait = self._waiting[0][0] - time.monotonic() if self._waiting else None
                    self._changed.wait(wait)
                if self._closed:
                    return
                _, _, action, turn = heapq.heappop(self._waiting)
                before, done = self._turns.get(turn), threading.Event()
                if turn:
                    self._turns[turn] = done
                self._running += 1
                self._pool.submit(self._run_one, action, turn, before, done)

    def _run_one(
        self, action: Callable[[], None], turn: str, before: threading.Event | None, done: threading.Event
    ) -> None:
        if before is not None:
            before.wait(TURN_SECONDS)
        _run_loudly(action)
        done.set()
        with self._changed:
            if self._turns.get(turn) is done:
                del self._turns[turn]
            self._running -= 1
            self._changed.notify_all()

    def _due(self) -> bool:
        return bool(self._waiting) and self._waiting[0][0] <= time.monotonic()


def _run_loudly(action: Callable[[], None]) -> None:
    """A pool keeps exceptions to itself; these are bugs and must be seen."""
    try:
        action()
    except Exception:
        logging.exception("what was to happen later failed")


class Sender:
    """Delivers callbacks in the modes of `simulators.trouble`, with retries for any answer but 2xx."""

    def __init__(self, settings: Settings) -> None:
        self.timer = Timer()
        self.log: deque[dict[str, Any]] = deque(maxlen=LOG_LENGTH)
        self._settings = settings
        self._local = threading.local()
        self._held: list[Callback] = []
        self._lock = threading.Lock()

    def send(self, callbacks: Sequence[Callback], mode: str = "") -> None:
        """Send the callbacks of one occasion. `before_answer` waits until each was tried once."""
        mode = mode or self._settings.callback_mode
        if mode == "normal":
            mode = self._settings.callback_fate()
        if mode == "missing":
            for callback in callbacks:
                self._note(callback, "missing on purpose")
        elif mode == "reordered":
            self._send_reordered(callbacks)
        else:
            delay = self._settings.callback_late_seconds if mode == "late" else self._settings.callback_seconds
            self._send_in_order(callbacks, 0.0 if mode == "before_answer" else delay, twice=mode == "duplicate")
        if mode == "before_answer":
            for callback in callbacks:
                callback.finished.wait(self._settings.callback_timeout_seconds)

    def forget(self) -> None:
        self.timer.forget()
        self.log.clear()
        with self._lock:
            self._held.clear()

    def _send_in_order(self, callbacks: Sequence[Callback], delay: float, twice: bool) -> None:
        for place, callback in enumerate(callbacks):
            start = delay + place * self._settings.callback_gap_seconds
            self._schedule(start, callback)
            if twice:
                self._schedule(start + self._settings.callback_duplicate_seconds, callback)
        with self._lock:
            overtaken, self._held = self._held, []
        for callback in overtaken:
            callback.about = callbacks[-1].about
            self._schedule(delay + REORDER_GAP_SECONDS, callback, once=True)

    def _send_reordered(self, callbacks: Sequence[Callback]) -> None:
        if len(callbacks) == 1:
            with self._lock:
                self._held.extend(callbacks)
            # Nothing may follow that could overtake it: then it is merely late.
            self._schedule(self._settings.callback_late_seconds, callbacks[0], once=True)
            return
        for place, callback in enumerate(reversed(callbacks)):
            self._schedule(self._settings.callback_seconds + place * REORDER_GAP_SECONDS, callback)

    def _schedule(self, seconds: float, callback: Callback, once: bool = False) -> None:
        retries = list(self._settings.callback_retries)
        self.timer.later(seconds, lambda: self._attempt(callback, retries, once, tried=0), callback.about)

    def _attempt(self, callback: Callback, retries: list[float], once: bool, tried: int) -> None:
        with self._lock:
            if once and callback.started:
                return
            callback.started = True
        status = self._post(callback)
        self._note(callback, status)
        callback.finished.set()
        if isinstance(status, int) and 200 <= status < 300:
            callback.done()
        elif tried < min(len(retries), callback.tries_after(status)):
            self.timer.later(retries[tried], lambda: self._attempt(callback, retries, False, tried + 1))

    def _post(self, callback: Callback) -> int | str:
        """The status of the answer, or the name of what went wrong on the way."""
        body, headers = callback.write()
        timeout = self._settings.callback_timeout_seconds
        url, hops = callback.url, callback.hops
        while True:
            try:
                answer = self._session().post(
                    url, data=body, headers=dict(headers), timeout=timeout, allow_redirects=False
                )
            except (requests.RequestException, ValueError) as error:
                return type(error).__name__
            if answer.status_code not in KEEPS_METHOD or hops <= 0:
                return answer.status_code
            url, hops = urljoin(url, answer.headers.get("Location", "")), hops - 1

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
        session: requests.Session = self._local.session
        return session

    def _note(self, callback: Callback, result: int | str) -> None:
        self.log.append({"at": time.time(), "url": callback.url, "about": callback.label, "result": result})
