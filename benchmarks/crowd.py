"""A crowd: two processes of eight threads that each do one thing over and over, on a connection of their own."""

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing import get_context

PROCESSES, THREADS = 2, 8
WARM_SECONDS = 0.5

Member = Callable[[], AbstractContextManager[Callable[[], object]]]
"""Opens what one thread needs and gives what it does; must be something that pickle knows by name."""


@dataclass(frozen=True, slots=True)
class Told:
    """`done` in all, the warm half second too; `rate` a second after it; `cpu` seconds of all processes."""

    done: int
    rate: float
    cpu: float


def crowd(member: Member, *, seconds: float, meanwhile: Callable[[], object] | None = None) -> Told:
    """Let the crowd work for so long, and call `meanwhile` once a second beside it. Raises what a member raised."""
    before = _cpu()
    starts = time.time()
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("fork")) as pool:
        futures = [pool.submit(_process, member, starts + WARM_SECONDS, seconds) for _ in range(PROCESSES)]
        while meanwhile and (left := starts + WARM_SECONDS + seconds - time.time()) > 0:
            meanwhile()
            time.sleep(min(1.0, left))
        counts = [future.result() for future in futures]
    done, counted = (sum(column) for column in zip(*counts, strict=True))
    return Told(done, counted / seconds, _cpu() - before)


def _process(member: Member, starts: float, seconds: float) -> tuple[int, int]:
    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(_thread, member, starts, seconds) for _ in range(THREADS)]
        done, counted = (sum(column) for column in zip(*(future.result() for future in futures), strict=True))
    return done, counted


def _thread(member: Member, starts: float, seconds: float) -> tuple[int, int]:
    done = counted = 0
    with member() as act:
        while time.time() < starts + seconds:
            act()
            done += 1
            counted += starts <= time.time() < starts + seconds
    return done, counted


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
