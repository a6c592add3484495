"""`manage.py rotate_keys`: from earlier master keys to the first one in MASTER_KEYS, while everything serves."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from events import audit, keys, resealing, rotation
from events.rotation import WrongRing


class Command(BaseCommand):
    """Can be killed at any moment and run again: it goes on where it stopped."""

    help = "Wrap every data key by the first master key in MASTER_KEYS, and say which earlier ones can be dropped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reseal", action="store_true", help="also seal every column again under fresh data keys")
        parser.add_argument("--from", action="append", default=[], dest="named", metavar="KEY", help=_FROM)
        parser.add_argument("--batch", type=int, default=500, help="rows in one step (500)")
        parser.add_argument("--pause", type=float, default=0.0, help="seconds between steps, to spare the database (0)")

    def handle(self, *arguments: Any, **options: Any) -> None:
        pace = {"batch": options["batch"], "pause": options["pause"]}
        try:
            self._rotate(options["named"], **pace)
        except WrongRing as fault:
            raise CommandError(str(fault)) from fault
        if options["reseal"]:
            self._reseal(**pace)

    def _rotate(self, named: list[str], *, batch: int, pause: float) -> None:
        earlier = rotation.earlier_keys(named=named)
        for key_id in earlier:
            keys.inherit(key_id)
        rewrapped = self._tell_each("data keys wrapped", rotation.rewrap(batch=batch, pause=pause))
        rekeyed = {part.name: part.rekey() for part in rotation.hashed()} if earlier else {}
        for name, count in rekeyed.items():
            self.stdout.write(f"{name} hashed anew: {count}")
        if rewrapped or any(rekeyed.values()):
            self._record("keys.rotated", {"from": earlier, "wrapped": rewrapped, "hashed": rekeyed})
        self._conclude(earlier)

    def _conclude(self, earlier: list[str]) -> None:
        active = settings.KEY_RING.active
        if not earlier:
            self.stdout.write(f"{active!r} is the only master key, and everything is under it.")
            return
        for part in rotation.kept():
            self.stdout.write(f"{part.name}: {part.count()} rows, of which those from before are {_KEPT}")
        for key_id in earlier:
            left = {name: count for name, count in rotation.uses(key_id).items() if count}
            told = ", ".join(f"{count} {name}" for name, count in left.items())
            self.stdout.write(f"{key_id!r} is still used by {told}: run this again." if told else _droppable(key_id))

    def _reseal(self, *, batch: int, pause: float) -> None:
        self.stdout.write(f"data keys retired: {resealing.retire()}")
        counts = {}
        for column in resealing.columns():
            sealed = resealing.reseal(column, batch=batch, pause=pause)
            counts[str(column)] = self._tell_each(f"{column} sealed again", sealed)
        destroyed, waiting = resealing.destroy_unused()
        self._record("keys.resealed", {"rows": counts, "destroyed": destroyed})
        self.stdout.write(f"retired data keys destroyed: {destroyed}")
        if waiting:
            minutes = resealing.MARGIN.total_seconds() / 60
            self.stdout.write(f"retired data keys that wait: {waiting}. Run this again after {minutes:.0f} minutes.")

    def _tell_each(self, what: str, steps: Iterator[int]) -> int:
        """How many rows all steps changed; one line a step, so that it can be watched."""
        total = 0
        for changed in steps:
            total += changed
            self.stdout.write(f"{what}: {total}")
            self.stdout.flush()
        return total

    def _record(self, action: str, detail: dict[str, Any]) -> None:
        audit.record(actor="rotate_keys", action=action, detail={"to": settings.KEY_RING.active, **detail})


_FROM = "a master key that was in use before, though it has wrapped no data key"
_KEPT = "found by keys derived from the earlier master keys, which are kept wrapped by the active one"


def _droppable(key_id: str) -> str:
    return (
        f"{key_id!r} can be dropped: nothing is wrapped by it. Take it out of MASTER_KEYS and restart every process. "
        "Keep it with the backups that were made before this run."
    )
