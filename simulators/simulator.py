"""What every simulated company has in common: its door, its trouble, its memory and its controls."""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from simulators import qris
from simulators.callbacks import Sender
from simulators.control import Control
from simulators.ledger import LedgerEntry
from simulators.memory import Memory, Table
from simulators.scanning import Issued
from simulators.server import Answer, Request, Router
from simulators.settings import Settings
from simulators.trouble import Trouble, TroubleQueue

RANDOM_FAULTS = ("500_before", "500_after", "reset_before", "reset_after")
GATEWAY_PAGE = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    "<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)
GATEWAY_FAULT = {
    "fault": {
        "faultstring": "The Service is temporarily unavailable",
        "detail": {"errorcode": "messaging.adaptors.http.flow.ServiceUnavailable"},
    }
}


class Simulator(ABC):
    """One company. Subclasses give its routes, its error answers and its phone page."""

    name: ClassVar[str]
    title: ClassVar[str]
    magic_amounts: ClassVar[Mapping[int, str]]
    own_troubles: ClassVar[Mapping[str, str]] = {}
    """The kinds of trouble that only this company has, as `trouble.KINDS` describes those of all."""

    def __init__(self, memory: Memory, settings: Settings) -> None:
        self.memory, self.settings = memory, settings
        self._kept_settings: Table[dict[str, Any]] = memory.table("settings")
        settings.change(self._kept_settings.get("changed") or {})
        self.sender = Sender(settings)
        self.troubles = TroubleQueue(self.own_troubles)
        self.calls: Counter[str] = Counter()
        self.base_url = ""
        self.neighbours: Mapping[str, Simulator] = {}
        self._stopping = threading.Event()
        self._router: Router[Any] = Router({})
        self._control = Control(self)

    def serve_routes(self, router: Router[Any]) -> None:
        self._router = router

    def answer(self, request: Request) -> Answer:
        """The whole way of one request: controls are spared what befalls the company's own API."""
        if request.path.startswith("/_simulator"):
            return self._control.answer(request)
        handle = self._router.find(request)
        request.trouble = trouble = self._trouble_for(request)
        request.hold_seconds = self.settings.answer_delay()
        if trouble and trouble.do == "hang":
            request.hold_seconds += trouble.seconds
        if trouble and trouble.moment == "before":
            answer = self._troubled(trouble)
        elif handle:
            answer = self.spoiled(request, self.perform(request, handle))
        else:
            answer = self.not_found(request, self._router.knows_path(request.path))
        # Counted last, so that a count seen by a test means that the call is over.
        self.calls[f"{request.method} {request.route or request.path}"] += 1
        return answer

    def perform(self, request: Request, handle: Any) -> Answer:
        """Do the work of one call; a company that guards its work overrides this and calls `hold` itself."""
        self.hold(request)
        result: Answer = handle(request)
        return result

    def hold(self, request: Request) -> None:
        """The time that the company takes over this call; passes once."""
        seconds, request.hold_seconds = request.hold_seconds, 0.0
        if seconds > 0:
            self._stopping.wait(seconds)

    def spoiled(self, request: Request, answer: Answer) -> Answer:
        """The answer, or what trouble makes of it once the work is done."""
        if request.trouble and request.trouble.do in qris.TROUBLES:
            return replace(answer, body=qris.spoiled(answer.body, request.trouble.do))
        if request.trouble and request.trouble.moment == "after":
            return self._troubled(request.trouble)
        return answer

    def _trouble_for(self, request: Request) -> Trouble | None:
        queued = self.troubles.take(request) or self.magic_trouble(request)
        if queued is None and random.random() < self.settings.fault_rate:
            return Trouble(random.choice(RANDOM_FAULTS))
        return queued

    def magic(self, amount: int | None) -> Trouble | None:
        """The trouble that an amount stands for; words that are no trouble are the company's own affair."""
        word = self.magic_amounts.get(amount or 0, "")
        return Trouble(word, seconds=self.settings.trouble_seconds) if self.troubles.knows(word) else None

    def _troubled(self, trouble: Trouble) -> Answer:
        match trouble.what:
            case "reset":
                return Answer(cut="reset")
            case "timeout":
                self._stopping.wait(trouble.seconds)
                return Answer(cut="close")
            case "html":
                return Answer(502, GATEWAY_PAGE.encode(), "text/html")
            case "empty":
                return Answer(200, b"")
            case "fault":
                return Answer.of_json(GATEWAY_FAULT, 503, {"Retry-After": "1"})
            case "429":
                return self.rate_limited()
            case _:
                return self.server_error()

    def change_settings(self, values: Mapping[str, Any]) -> None:
        self.settings.change(values)
        self._kept_settings.put("changed", (self._kept_settings.get("changed") or {}) | dict(values))

    def reset(self) -> None:
        """Forget everything, settings included."""
        self.sender.forget()
        self.troubles.clear()
        self.calls.clear()
        self._kept_settings.clear()
        self.settings.reset()
        self.forget()

    def stop(self) -> None:
        self._stopping.set()
        self.sender.timer.close()
        self.memory.close()

    @abstractmethod
    def magic_trouble(self, request: Request) -> Trouble | None:
        """The trouble that this call's own amount asks for."""

    @abstractmethod
    def not_found(self, request: Request, known_path: bool) -> Answer: ...

    @abstractmethod
    def server_error(self) -> Answer: ...

    @abstractmethod
    def rate_limited(self) -> Answer: ...

    @abstractmethod
    def ledger(self) -> list[LedgerEntry]: ...

    @abstractmethod
    def simulate(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Act as the payer. KeyError: no such payment. Conflict: not now. ValueError: no such outcome."""

    @abstractmethod
    def phone_page(self) -> str: ...

    @abstractmethod
    def credentials(self) -> dict[str, str]:
        """What this company accepts, by name, fit to be printed: public test values only."""

    @abstractmethod
    def forget(self) -> None: ...

    @abstractmethod
    def resume(self) -> None:
        """Start again the clocks that an earlier run left ticking."""

    def codes(self) -> Iterator[Issued]:
        """The QRIS codes that it has issued, the newest first."""
        return iter(())

    def own_page(self, request: Request) -> Answer | None:
        """A page under `/_simulator/` that only this company has."""
        return None
