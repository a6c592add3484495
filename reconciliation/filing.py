"""A run's lines from an uploaded file: read in pieces, each kept with the line where to go on.

A run whose worker was killed goes on behind the last piece that was kept: rows before it are passed over, not read.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Min

from core import clock
from payments.providers import REGISTRY
from payments.providers.statements import Statements
from reconciliation import concluding, progress, staging, uploads
from reconciliation.files import Broken, Row
from reconciliation.mapping import Cell, FileLine, Places, Reading, Unreadable, as_text
from reconciliation.models import Run, StagedLine, UnreadableLine, Upload

UNREADABLE_KEPT = 10_000
_AT_ONCE = 5_000
_READS_SECONDS = 10.0
_FOR_EVER = timedelta(days=36_500)
_HEADER_WITHIN = 50


@dataclass(slots=True)
class _Piece:
    """Of some rows: the lines that were read, those that were not and why, and the last row's place.

    `named` has the provider's numbers of the unreadable ones, as far as those could be read.
    """

    lines: list[FileLine] = field(default_factory=list)
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    rows: int = 0
    last: int = 0


class _TooLong(Exception):
    """More lines than are read of one file."""


def declared(upload: Upload) -> Statements:
    """What the file lists. One that is cut tells of nothing that it does not have."""
    reading = Reading.of(upload.reading or {})
    provider = REGISTRY[upload.account.provider].capabilities.statements
    return Statements(
        kinds=frozenset() if upload.is_cut else reading.kinds,
        reach=_FOR_EVER,
        late=provider.late if provider else timedelta(hours=1),
        zone=reading.zone,
    )


def read_some(run: Run, upload: Upload) -> Run:
    """Some pieces of the file, for as long as a turn may take; at its end the run goes on to compare.

    A workbook is read to its end at once: to pass over its first rows takes as long as to read them.
    """
    takes = math.inf if upload.format == Upload.Format.XLSX else _READS_SECONDS
    ends_at = time.monotonic() + takes
    claim, run = run.claim, _begun(run)
    if run.phase != Run.Phase.READING or run.claim != claim:
        return run
    reading = Reading.of(upload.reading or {})
    try:
        for piece in _pieces(upload, reading, after=int(run.cursor)):
            run, kept = _keep(run, piece)
            if not kept or time.monotonic() >= ends_at:
                return run
    except Broken as fault:
        return _end(run, fault=fault)
    except _TooLong:
        return _refuse(run, f"The file has more than {settings.STATEMENT_MAX_LINES:,} lines. Upload it in parts.")
    return _end(run)


def _begun(run: Run) -> Run:
    if run.read_at is not None:
        return run
    with transaction.atomic():
        locked = progress.lock(run)
        if locked.read_at is None:
            UnreadableLine.objects.filter(upload=locked.upload_id).delete()
            locked.cursor, locked.read_at, locked.started_at = "0", clock.now(), clock.now()
            progress.store(locked)
    return locked


# Rows


def _pieces(upload: Upload, reading: Reading, *, after: int) -> Iterator[_Piece]:
    """Raises Broken behind the last whole row, and _TooLong."""
    rows = uploads.rows(upload, delimiter=reading.delimiter)
    places = find_header(rows, reading)
    piece, fault = _Piece(), None
    try:
        for number, cells in rows:
            if number > settings.STATEMENT_MAX_LINES:
                raise _TooLong
            if number > after:
                _take(piece, reading, places, number, cells)
            if piece.rows == _AT_ONCE:
                yield piece
                piece = _Piece()
    except Broken as broken:
        fault = broken
    if piece.rows:
        yield piece
    if fault:
        raise fault


def find_header(rows: Iterator[Row], reading: Reading) -> Places:
    """Takes the rows up to the one that has the columns. Raises Broken where none has."""
    told = ["the file is empty"]
    for _, cells in islice(rows, _HEADER_WITHIN):
        try:
            return reading.places(cells)
        except ValueError as fault:
            told.append(str(fault))
    nearest = min(told[1:] or told, key=len)
    raise Broken(f"None of the first {_HEADER_WITHIN} lines names the columns of the mapping: {nearest}."[:300])


def _take(piece: _Piece, reading: Reading, places: Places, number: int, cells: Sequence[Cell]) -> None:
    """One row; an empty one is none."""
    piece.rows, piece.last = piece.rows + 1, number
    if not any(as_text(cell) for cell in cells):
        return
    try:
        line = reading.line(cells, places, number)
    except Unreadable as fault:
        piece.unreadable.append((number, str(fault)))
        if named := reading.number_of(cells, places):
            piece.named.append(named)
        return
    if line is not None:
        piece.lines.append(line)


# What is kept


def _keep(run: Run, piece: _Piece) -> tuple[Run, bool]:
    """The piece, and where to go on, with a lease of its own; False where somebody else has taken the run over."""
    with transaction.atomic():
        locked = progress.lock(run)
        if (locked.phase, locked.cursor, locked.claim) != (Run.Phase.READING, run.cursor, run.claim):
            return locked, False
        Run.objects.filter(pk=run.pk, claim__isnull=False).update(due_at=clock.now() + settings.WORK_LEASE)
        locked.lines += staging.stage(locked.pk, piece.lines)
        staging.stage_unreadable(locked.pk, piece.named)
        locked.pages += 1
        locked.cursor, locked.read_at = str(piece.last), clock.now()
        _keep_unreadable(locked, piece.unreadable)
        return progress.store(locked), True


def _keep_unreadable(run: Run, lines: Sequence[tuple[int, str]]) -> None:
    """All are counted, and the first of them listed."""
    if run.upload is None or not lines:
        return
    listed = lines[: max(0, UNREADABLE_KEPT - run.upload.unreadable)]
    staging.copy(UnreadableLine, ("upload_id", "number", "reason"), ((run.upload_id, *line) for line in listed))
    Upload.objects.filter(pk=run.upload_id).update(unreadable=F("unreadable") + len(lines))


def _end(run: Run, fault: Broken | None = None) -> Run:
    """To the comparison, with what could be read; a file of which nothing could be read ends its run."""
    with transaction.atomic():
        locked = progress.lock(run)
        if (locked.phase, locked.cursor) != (Run.Phase.READING, run.cursor) or locked.upload is None:
            return locked
        if fault is not None:
            Upload.objects.filter(pk=locked.upload_id).update(fault=str(fault)[:300], is_cut=fault.is_cut)
            if not locked.lines:
                return concluding.give_up(locked, str(fault))
        locked.since, locked.until = _window(locked, locked.upload)
        locked.phase, locked.cursor = Run.Phase.MATCHING, ""
        return progress.store(locked)


def _refuse(run: Run, told: str) -> Run:
    """Nothing of the file counts."""
    with transaction.atomic():
        locked = progress.lock(run)
        if locked.phase != Run.Phase.READING:
            return locked
        Upload.objects.filter(pk=locked.upload_id).update(fault=told)
        ended = concluding.give_up(locked, told)
    staging.forget(run.pk)
    return ended


def _window(run: Run, upload: Upload) -> tuple[datetime, datetime]:
    """The days that the file was said to cover; else from its first line to its last. A moment where neither tells."""
    zone = ZoneInfo(Reading.of(upload.reading or {}).zone)
    told = StagedLine.objects.filter(run=run.pk).aggregate(first=Min("at"), last=Max("at"))
    since, until = told["first"], told["last"]
    if upload.covers_from:
        since = datetime.combine(upload.covers_from, datetime.min.time(), zone)
    if upload.covers_until:
        until = datetime.combine(upload.covers_until + timedelta(days=1), datetime.min.time(), zone)
    if since is None or until is None:
        until = since or until or clock.now()
        since = until - timedelta(seconds=1)
    return since, max(until, since + timedelta(seconds=1))
