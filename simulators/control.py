"""Everything of ours: the pages and controls under `/_simulator/`, which no provider has."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from simulators import pages
from simulators.ledger import Conflict, LedgerEntry
from simulators.scanning import PATH, Scanning
from simulators.server import Answer, Request, Router
from simulators.trouble import Trouble

if TYPE_CHECKING:
    from simulators.simulator import Simulator


class Control:
    """Answers `/_simulator/…` for one simulator. Errors are `{"error": "…"}` with 400, 404 or 409."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        scanning = Scanning(simulator)
        self._router = Router(
            {
                "GET /_simulator": lambda request: Answer.redirect("/_simulator/"),
                "GET /_simulator/": self._index,
                "GET /_simulator/health": lambda request: Answer.of_json({"ok": True, "name": simulator.name}),
                "GET /_simulator/phone": lambda request: Answer.of_html(simulator.phone_page()),
                "POST /_simulator/phone": self._press,
                f"GET {PATH}": scanning.page,
                f"POST {PATH}": scanning.press,
                "POST /_simulator/simulate": self._simulate,
                "GET /_simulator/ledger": self._ledger,
                "GET /_simulator/callbacks": self._callbacks,
                "GET /_simulator/settings": lambda request: Answer.of_json(asdict(simulator.settings)),
                "POST /_simulator/settings": self._settings,
                "GET /_simulator/trouble": lambda request: Answer.of_json({"waiting": simulator.troubles.waiting()}),
                "POST /_simulator/trouble": self._trouble,
                "DELETE /_simulator/trouble": self._clear_trouble,
                "POST /_simulator/reset": self._reset,
            }
        )

    def answer(self, request: Request) -> Answer:
        handle = self._router.find(request)
        if handle:
            return handle(request)
        page = self._simulator.own_page(request)
        return page or _error(404, f"nothing at {request.method} {request.path}; see /_simulator/")

    def _index(self, request: Request) -> Answer:
        return Answer.of_html(pages.index(self._simulator))

    def _press(self, request: Request) -> Answer:
        """A button of the phone page; whatever it could not do, the page shows the state as it is."""
        with contextlib.suppress(KeyError, ValueError, Conflict):
            self._simulator.simulate(dict(request.form))
        return Answer.redirect("/_simulator/phone")

    def _simulate(self, request: Request) -> Answer:
        if request.document is None:
            return _error(400, "the body must be a JSON object")
        modes = ("", *self._simulator.settings.CHOICES["callback_mode"])
        if request.document.get("callback", "") not in modes:
            return _error(400, f"callback must be one of {', '.join(modes[1:])}")
        try:
            return Answer.of_json({"ok": True, **self._simulator.simulate(request.document)})
        except KeyError as missing:
            return _error(404, f"no payment known as {missing.args[0]!r}")
        except Conflict as conflict:
            return _error(409, str(conflict))
        except ValueError as error:
            return _error(400, str(error))

    def _ledger(self, request: Request) -> Answer:
        reference = dict(request.query).get("reference")
        entries = [entry for entry in self._simulator.ledger() if _known_as(entry, reference)]
        return Answer.of_json({"entries": [_shown(entry) for entry in entries], "calls": dict(self._simulator.calls)})

    def _callbacks(self, request: Request) -> Answer:
        return Answer.of_json({"callbacks": list(self._simulator.sender.log)})

    def _settings(self, request: Request) -> Answer:
        try:
            self._simulator.change_settings(_object(request))
        except ValueError as error:
            return _error(400, str(error))
        return Answer.of_json(asdict(self._simulator.settings))

    def _trouble(self, request: Request) -> Answer:
        try:
            seconds = {"seconds": self._simulator.settings.trouble_seconds}
            self._simulator.troubles.add(Trouble.parse(seconds | dict(_object(request))))
        except ValueError as error:
            return _error(400, str(error))
        return Answer.of_json({"waiting": self._simulator.troubles.waiting()})

    def _clear_trouble(self, request: Request) -> Answer:
        self._simulator.troubles.clear()
        return Answer.of_json({"waiting": []})

    def _reset(self, request: Request) -> Answer:
        self._simulator.reset()
        return Answer.of_json({"ok": True})


def _object(request: Request) -> Mapping[str, Any]:
    if request.document is None:
        raise ValueError("the body must be a JSON object")
    return request.document


def _known_as(entry: LedgerEntry, reference: str | None) -> bool:
    return reference is None or reference in entry.references | {entry.id, entry.reference, entry.receipt}


def _shown(entry: LedgerEntry) -> dict[str, Any]:
    shown = asdict(entry)
    del shown["references"]
    return shown


def _error(status: int, message: str) -> Answer:
    return Answer.of_json({"error": message}, status)
