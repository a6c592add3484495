"""Trouble on purpose: what can go wrong with one call, and the queue of what shall go wrong next."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

from simulators.server import Request

# What befalls every company, and what happens. `_before` leaves no trace; `_after` does the work first.
KINDS: dict[str, str] = {
    "hang": "waits `seconds`, then works and answers as usual",
    "timeout_before": "waits `seconds`, then closes the connection; nothing was done",
    "timeout_after": "works, waits `seconds`, then closes the connection without an answer",
    "reset_before": "resets the connection; nothing was done",
    "reset_after": "works, then resets the connection without an answer",
    "500_before": "answers 500 in the company's own words; nothing was done",
    "500_after": "works, then answers 500 in the company's own words",
    "429": "answers 429 in the company's own words; nothing was done",
    "html_before": "answers 502 with a gateway's HTML page; nothing was done",
    "html_after": "works, then answers 502 with a gateway's HTML page",
    "empty_before": "answers 200 with an empty body; nothing was done",
    "empty_after": "works, then answers 200 with an empty body",
    "fault_before": 'answers 503 with an API gateway\'s {"fault": …}; nothing was done',
    "callback_normal": "one callback, once",
    "callback_duplicate": "every callback twice",
    "callback_late": "callbacks only after `callback_late_seconds`",
    "callback_reordered": "the callbacks of one call in reverse; a lone one after the next call's",
    "callback_missing": "no callback at all",
    "callback_before_answer": "the callback is delivered before this call is answered",
}
SHORT_NAMES = {"html": "html_before", "empty": "empty_before", "fault": "fault_before"}


@dataclass
class Trouble:
    """What befalls the next `times` calls that match `on` ("POST /v1/refunds", wildcards allowed).

    `containing` narrows it to calls whose body or path holds that text, so that parallel tests do not meet.
    """

    do: str
    on: str = "*"
    times: int = 1
    seconds: float = 30.0
    containing: str = ""

    def __post_init__(self) -> None:
        self.do = SHORT_NAMES.get(self.do, self.do)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Trouble:
        unknown = sorted(set(values) - {"do", "on", "times", "seconds", "containing"})
        if unknown or not isinstance(values.get("do"), str):
            raise ValueError(f"trouble takes do, on, times, seconds, containing; wrong: {unknown or 'do'}")
        numbers = [values.get("times", 1), values.get("seconds", 1)]
        texts = [values.get("on", ""), values.get("containing", "")]
        if not all(isinstance(item, int | float) for item in numbers) or not all(
            isinstance(item, str) for item in texts
        ):
            raise ValueError("times and seconds are numbers; on and containing are texts")
        return cls(**values)

    @property
    def what(self) -> str:
        return self.do.removesuffix("_before").removesuffix("_after") if self.moment else self.do

    @property
    def moment(self) -> str:
        """ "before" or "after" the work, or "" when the work and its answer are left alone."""
        last = self.do.rpartition("_")[2]
        if self.do == "429":
            return "before"
        return last if last in ("before", "after") and not self.do.startswith("queue") else ""

    @property
    def callback_mode(self) -> str:
        return self.do.removeprefix("callback_") if self.do.startswith("callback_") else ""

    def concerns(self, request: Request) -> bool:
        call = f"{request.method} {request.path}"
        named = self.on in (f"{request.method} {request.route}", "*") or fnmatchcase(call, self.on)
        return named and (self.containing in request.path or self.containing.encode() in request.body)


class TroubleQueue:
    """Trouble waiting for its calls, oldest first.

    `own` are the kinds that only this company has, and what each does; a `*` in a name stands for any text.
    """

    def __init__(self, own: Mapping[str, str]) -> None:
        self.kinds = KINDS | dict(own)
        self._lock = threading.Lock()
        self._waiting: list[Trouble] = []

    def knows(self, kind: str) -> bool:
        return any(fnmatchcase(kind, name) for name in self.kinds)

    def add(self, trouble: Trouble) -> None:
        """ValueError where neither all companies nor this one have such trouble."""
        if not self.knows(trouble.do):
            raise ValueError(f"no trouble named {trouble.do!r}; known: {', '.join(self.kinds)}")
        with self._lock:
            self._waiting.append(trouble)

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(trouble) for trouble in self._waiting]

    def take(self, request: Request) -> Trouble | None:
        if not self._waiting:
            return None
        with self._lock:
            for trouble in self._waiting:
                if trouble.concerns(request):
                    trouble.times -= 1
                    if trouble.times <= 0:
                        self._waiting.remove(trouble)
                    return trouble
        return None
