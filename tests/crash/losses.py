"""A gate behind which answers get lost: now before the provider has seen the call, now after; of each call once."""

import random
import threading

from tests.crash.companies import LOST_SHARE, Company
from tests.crash.gates import Call, Guard


class Losing:
    """The guard of a company's gate, before another guard."""

    def __init__(self, guard: Guard, company: Company, chance: random.Random) -> None:
        self._guard, self._company, self._chance = guard, company, chance
        self._doomed: dict[int, bool] = {}
        self._spared: set[bytes] = set()
        self._choosing = threading.Lock()

    def arrived(self, call: Call) -> bool:
        if not self._guard.arrived(call):
            return False
        if not self._company.loses(call):
            return True
        with self._choosing:
            is_lost = call.body not in self._spared and self._chance.random() < LOST_SHARE
            is_seen = self._chance.random() < 0.5
            # What is sent again gets through, or some would never be known by the end of a run.
            self._spared.add(call.body)
        if is_lost and is_seen:
            self._doomed[id(call)] = True
        return is_seen or not is_lost

    def answered(self, call: Call) -> bool:
        return not self._doomed.pop(id(call), False) and self._guard.answered(call)

    def given(self, call: Call) -> None:
        self._guard.given(call)
