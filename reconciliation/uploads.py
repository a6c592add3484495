"""Files that people upload: kept whole, once for ever, and read by a run as their account's mapping says."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import count, islice
from tempfile import TemporaryFile
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Exists, OuterRef

from core import clock
from core.database import insert_ignoring
from events import audit
from events.sealing import seal, unseal
from merchants.models import ProviderAccount
from reconciliation import files
from reconciliation.files import Broken, Row
from reconciliation.mapping import Reading
from reconciliation.models import Purpose, Run, StatementMapping, Upload, UploadPiece

PIECE = 1024 * 1024
MOST_IN_A_WORKBOOK = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Covered:
    """The days that a file is said to cover, by the clock of its mapping; None where nobody has said."""

    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class _Looked:
    """What a file is known by once it has been looked through."""

    digest: str
    format: Upload.Format
    encoding: str
    about_lines: int


def keep(
    account: ProviderAccount, file: "UploadedFile[Any]", *, purpose: str, covered: Covered, by: str
) -> tuple[Upload, bool]:
    """The upload of the file, and whether it is new: one that was uploaded before is left as it is.

    Raises ValueError, naming the field, for a file that is too large or nothing that is read here, and for a day that
    none can cover.
    """
    _check_days(covered)
    looked = _look(file)
    upload = Upload(
        account=account,
        merchant_id=account.merchant_id,
        livemode=account.livemode,
        purpose=purpose,
        name=_name(file),
        size=file.size or 0,
        digest=looked.digest,
        format=looked.format,
        encoding=looked.encoding,
        about_lines=looked.about_lines,
        covers_from=covered.first,
        covers_until=covered.last,
        by=by,
    )
    with transaction.atomic():
        if not insert_ignoring(upload):
            return Upload.objects.get(account=account, purpose=purpose, digest=looked.digest), False
        for number, piece in enumerate(file.chunks(PIECE)):
            _keep_piece(upload, number, piece)
        _audit("reconciliation.uploaded", upload, by=by, size=upload.size, digest=upload.digest)
    return upload, True


def _check_days(covered: Covered) -> None:
    for name, day in (("covers_from", covered.first), ("covers_until", covered.last)):
        if day is not None and not 2000 <= day.year <= 2100:
            raise ValueError(f"'{name}' is not of this century")


def _look(file: "UploadedFile[Any]") -> _Looked:
    size = file.size or 0
    if not size:
        raise ValueError("'file' is empty")
    if size > settings.STATEMENT_MAX_BYTES:
        raise ValueError(f"'file' has {_told(size)}, and at most {_told(settings.STATEMENT_MAX_BYTES)} are taken")
    digest, sniffer, lines, head = hashlib.sha256(), files.Sniffer(), 0, b""
    for piece in file.chunks(PIECE):
        head = head or piece[:8]
        digest.update(piece)
        sniffer.feed(piece)
        lines += piece.count(b"\n")
    if files.is_workbook(head):
        _check_workbook(file, size)
        return _Looked(digest.hexdigest(), Upload.Format.XLSX, "", 0)
    if lines > settings.STATEMENT_MAX_LINES:
        most = settings.STATEMENT_MAX_LINES
        raise ValueError(f"'file' has {lines:,} lines, and at most {most:,} are taken: upload it in parts")
    if sniffer.is_binary:
        raise ValueError("'file' is neither a CSV nor an XLSX: save it as one of them")
    return _Looked(digest.hexdigest(), Upload.Format.CSV, sniffer.encoding, lines)


def _check_workbook(file: "UploadedFile[Any]", size: int) -> None:
    if size > MOST_IN_A_WORKBOOK:
        raise ValueError(
            f"'file' has {_told(size)}, and a workbook at most {_told(MOST_IN_A_WORKBOOK)}: save it as CSV"
        )
    with TemporaryFile() as copied:
        _copy(file, copied)
        try:
            files.check_workbook(copied)
        except Broken as fault:
            raise ValueError(f"'file': {fault}") from fault


def _copy(file: "UploadedFile[Any]", to: IO[bytes]) -> None:
    for piece in file.chunks(PIECE):
        to.write(piece)
    to.seek(0)


def _told(size: int) -> str:
    return f"{size / 1024 / 1024:,.1f} MB"


def _name(file: "UploadedFile[Any]") -> str:
    return "".join(letter for letter in (file.name or "file") if letter.isprintable())[-100:]


def _keep_piece(upload: Upload, number: int, content: bytes) -> None:
    piece = UploadPiece(upload=upload, merchant=upload.merchant_id, livemode=upload.livemode, number=number)
    seal(piece, "content", content)
    insert_ignoring(piece)


def _audit(action: str, upload: Upload, *, by: str, **detail: str | int) -> None:
    audit.record(
        actor=by,
        action=action,
        merchant=upload.merchant_id,
        livemode=upload.livemode,
        object_id=upload.pk,
        detail={"account": upload.account_id, "purpose": upload.purpose, **detail},
    )


# Mappings


def mapping_of(upload: Upload) -> StatementMapping | None:
    return StatementMapping.objects.filter(account=upload.account_id, purpose=upload.purpose).first()


def save_mapping(upload: Upload, reading: Reading, *, by: str) -> StatementMapping:
    """The account's mapping from now on, for files of this purpose. Raises ValueError that names the field."""
    reading.check()
    if upload.purpose == Purpose.PROVIDER and not reading.number:
        raise ValueError("'number' must name the column of the provider's numbers: money is compared by them")
    values = {"reading": reading.written(), "by": by, "changed_at": clock.now()}
    with transaction.atomic():
        saved, _ = StatementMapping.objects.update_or_create(
            account=upload.account,
            purpose=upload.purpose,
            defaults=values,
            create_defaults=values | {"merchant_id": upload.merchant_id, "livemode": upload.livemode},
        )
        _audit("reconciliation.mapped", upload, by=by, mapping=saved.pk)
    return saved


# Reading


def rows(upload: Upload, *, delimiter: str = "") -> Iterator[Row]:
    """All rows of the file. Raises files.Broken behind the last whole one."""
    if upload.format == Upload.Format.XLSX:
        return files.xlsx_rows(_pieces(upload))
    return files.csv_rows(_pieces(upload), encoding=upload.encoding, delimiter=delimiter)


def first_rows(upload: Upload, *, delimiter: str = "", most: int = 10) -> list[Row]:
    """To look at. Of a file that is broken, what is before."""
    found: list[Row] = []
    try:
        for row in islice(rows(upload, delimiter=delimiter), most):
            found.append(row)
    except Broken:
        pass
    return found


def _pieces(upload: Upload) -> Iterator[bytes]:
    """Raises Broken where the file was forgotten meanwhile: half of one must not pass for all of it."""
    read = 0
    for number in count():
        piece = UploadPiece.objects.filter(upload=upload, number=number).first()
        if piece is None:
            break
        content = unseal(piece, "content")
        read += len(content)
        yield content
    if read < upload.size:
        raise Broken("Its contents were forgotten before they had been read. Upload the file again.", is_cut=True)


def purge() -> int:
    """Forget the contents of files that were uploaded a while ago; how many.

    Those that are being read stay, unless their run has not come to its end in all that time.
    """
    before = clock.now() - settings.STATEMENT_FILES_KEPT
    reads = Run.objects.filter(upload=OuterRef("pk"), finished_at=None, created_at__gte=before)
    old = Upload.objects.filter(~Exists(reads), forgotten_at=None, created_at__lt=before)
    found = list(old.values_list("pk", flat=True)[:100])
    for public_id in found:
        with transaction.atomic():
            UploadPiece.objects.filter(upload=public_id).delete()
            Upload.objects.filter(pk=public_id).update(forgotten_at=clock.now())
    return len(found)
