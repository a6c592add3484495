"""Where a process is to be caught: the gaps, and the marksman who waits for a call or delivery in one."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import chain

from events.models import Callback
from merchants.models import Delivery
from payments.models import Operation
from payments.states import OperationState
from tests.crash.companies import ALL
from tests.crash.gates import Call
from tests.crash.processes import Crew
from tests.crash.rows import Lock, operation_of, questions_about, quiet_connection

BLOCKED_SECONDS = 3.0
SECONDS_INTO_A_CALL = 0.02
WHOLE_PROGRAM = 0.2
"""How often the whole web server is killed, not only the process that was caught."""


class Gap(StrEnum):
    AFTER_CLAIM = "after claim"
    IN_CALL = "in call"
    BEFORE_OUTCOME = "before outcome"
    BEFORE_MARK = "before mark"


WRITES: dict[str, int] = dict(chain.from_iterable(company.writes.items() for company in ALL))
"""By how often they are aimed at."""
QUESTIONS = tuple(chain.from_iterable(company.questions for company in ALL))
DELIVERY = "delivery"


@dataclass(frozen=True)
class Aim:
    """`on` is the kind of call in which somebody is to be caught; `early` catches a call while it is worked on."""

    gap: Gap
    on: str
    early: bool = False


@dataclass(frozen=True)
class Shot:
    """Who was killed, in which gap of which operation (or delivery, or callback)."""

    gap: Gap
    on: str
    subject: str
    program: str


def aims_for_a_round(chance: random.Random) -> list[Aim]:
    """In random order; over a few rounds at every kind of write and question."""
    on = iter(chance.choices(list(WRITES), list(WRITES.values()), k=6))
    aims = [Aim(gap, next(on)) for gap in (Gap.AFTER_CLAIM, Gap.AFTER_CLAIM, Gap.BEFORE_OUTCOME, Gap.BEFORE_OUTCOME)]
    aims += [Aim(Gap.IN_CALL, next(on)), Aim(Gap.IN_CALL, next(on), early=True)]
    aims += [Aim(Gap.BEFORE_MARK, DELIVERY), Aim(Gap.BEFORE_MARK, chance.choice((DELIVERY, *QUESTIONS)))]
    chance.shuffle(aims)
    return aims


class Marksman:
    """The guard of every gate. A call at which nobody aims passes at once; a shot that was not fired is aimed again."""

    def __init__(self, crew: Crew, chance: random.Random) -> None:
        self.shots: list[Shot] = []
        self._crew, self._chance = crew, chance
        self._aims: list[Aim] = []
        self._changing = threading.Lock()
        self._armed = False
        self._once_given: dict[int, Callable[[], None]] = {}

    def aim(self, aim: Aim) -> None:
        with self._changing:
            self._armed = True
            self._aims.append(aim)

    def await_shot(self, seconds: float) -> None:
        """Give the shots some time; an aim that finds no target meanwhile stays."""
        fired, ends_at = len(self.shots), time.monotonic() + seconds
        while len(self.shots) == fired and time.monotonic() < ends_at:
            time.sleep(0.02)

    def rest(self) -> None:
        """Aim at nothing any more."""
        with self._changing:
            self._armed = False
            self._aims.clear()

    def _take(self, gap: Gap, name: str, *, early: bool = False) -> Aim | None:
        with self._changing:
            for aim in self._aims:
                if aim.gap is gap and aim.early == early and fnmatchcase(name, aim.on):
                    self._aims.remove(aim)
                    return aim
        return None

    def _missed(self, aim: Aim) -> None:
        with self._changing:
            if self._armed:
                self._aims.append(aim)

    # What the gates ask.

    def arrived(self, call: Call) -> bool:
        after_claim = self._take(Gap.AFTER_CLAIM, call.name)
        if after_claim and self._shoot(after_claim, call, _sending(call)):
            return False
        before_mark = self._take(Gap.BEFORE_MARK, call.name)
        if before_mark and self._shoot(before_mark, call, _unprocessed_callback(call)):
            return False
        in_call = self._take(Gap.IN_CALL, call.name, early=True)
        if in_call:
            self._shoot(in_call, call, _sending(call), wait=SECONDS_INTO_A_CALL)
        return True

    def answered(self, call: Call) -> bool:
        if call.doomed.is_set():
            return False
        in_call = self._take(Gap.IN_CALL, call.name)
        if in_call and self._shoot(in_call, call, _sending(call)):
            return False
        before_outcome = self._take(Gap.BEFORE_OUTCOME, call.name)
        if before_outcome:
            self._hold_outcome(before_outcome, call)
        return True

    def given(self, call: Call) -> None:
        self._once_given.pop(id(call), lambda: None)()

    def delivered(self, event_id: str) -> Callable[[], None]:
        """What the receiver asks before it answers; the result is to be called once it has."""
        aim = self._take(Gap.BEFORE_MARK, DELIVERY)
        if aim is None:
            return lambda: None
        with quiet_connection():
            delivery = Delivery.objects.filter(event=event_id, state=Delivery.State.PENDING).first()
        lock = Lock.take("merchants_delivery", delivery.pk) if delivery else None
        if delivery is None or lock is None:
            self._missed(aim)
            return lambda: None
        return lambda: self._shoot_once_held_up(aim, self._crew.programs["worker"].pid, delivery.pk, lock)

    # Shooting.

    def _shoot(self, aim: Aim, call: Call, subject: str, *, wait: float = 0.0) -> bool:
        """Kill the process that made the call, if the call is in the gap: that is, if it has a subject."""
        pid = self._crew.holder_of(call.peer) if subject else None
        if pid is None:
            self._missed(aim)
            return False
        call.doomed.set()
        self._fire(aim, pid, subject, wait=wait)
        return True

    def _fire(self, aim: Aim, pid: int, subject: str, *, wait: float = 0.0) -> None:
        program = self._crew.program_of(pid)
        if program is None:
            return
        self.shots.append(Shot(aim.gap, aim.on, subject, program.name))
        whole = program.name == "web" and self._chance.random() < WHOLE_PROGRAM
        if wait:
            threading.Timer(wait, self._crew.kill, [pid], {"whole": whole}).start()
        else:
            self._crew.kill(pid, whole=whole)

    def _hold_outcome(self, aim: Aim, call: Call) -> None:
        """Let the caller have its answer, and hold a row that its outcome needs until it is dead."""
        subject, pid = _sending(call), self._crew.holder_of(call.peer)
        lock = Lock.take(*_row_of(subject, self._chance)) if subject and pid else None
        if lock is None or pid is None:
            self._missed(aim)
            return
        self._once_given[id(call)] = lambda: self._shoot_once_held_up(aim, pid, subject, lock)

    def _shoot_once_held_up(self, aim: Aim, pid: int, subject: str, lock: Lock) -> None:
        with lock:
            if self._is_held_up(lock, pid):
                self._fire(aim, pid, subject)
                # Until the kernel has closed its connections, so that nothing of it goes through.
                time.sleep(0.02)
            else:
                self._missed(aim)

    def _is_held_up(self, lock: Lock, pid: int) -> bool:
        """Whether this process comes to stand before the lock."""
        ends_at = time.monotonic() + BLOCKED_SECONDS
        while time.monotonic() < ends_at:
            if any(self._crew.holder_of(port) == pid for port in lock.ports_held_up()):
                return True
            time.sleep(0.01)
        return False


def _sending(call: Call) -> str:
    """The call's operation, when it is committed as sending."""
    operation = operation_of(call)
    return operation.pk if operation and operation.state == OperationState.SENDING else ""


def _unprocessed_callback(call: Call) -> str:
    """The callback that was answered and is about to be processed: this call asks because of it."""
    with quiet_connection():
        waiting = Callback.objects.filter(operation__in=questions_about(call), state=Callback.State.RECEIVED)
        return waiting.values_list("pk", flat=True).first() or ""


def _row_of(operation_id: str, chance: random.Random) -> tuple[str, str]:
    """A table and the row in it that the outcome of this operation has to lock."""
    with quiet_connection():
        operation = Operation.objects.select_related("attempt").get(pk=operation_id)
    rows = [
        ("payments_payment", operation.attempt.payment_id),
        ("payments_attempt", operation.attempt_id),
        ("payments_operation", operation.pk),
    ]
    return chance.choice(rows)
