"""Statement files for tests, as banks and providers write them."""

import io
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import Workbook

from events import work
from merchants.models import ProviderAccount
from reconciliation import runs, uploads
from reconciliation.mapping import Reading
from reconciliation.models import Run, Upload
from reconciliation.uploads import Covered

READING: dict[str, Any] = {
    "number": "Receipt",
    "amount": "Paid in",
    "reference": "Account",
    "time": "Completed",
    "zone": "Africa/Nairobi",
    "only_currency": "KES",
}
ALL = Covered()
HEADER = "Receipt,Completed,Account,Paid in"


def csv_of(*lines: str, header: str = HEADER, end: str = "\n") -> str:
    return "\n".join([header, *lines]) + end


def line_of(number: str, amount: str = "250.00", *, at: str = "2026-11-20 10:00:00", account: str = "LUNCH") -> str:
    return f"{number},{at},{account},{amount}"


def sheet_of(*rows: Any) -> bytes:
    workbook = Workbook()
    for row in rows:
        workbook.active.append(row)
    written = io.BytesIO()
    workbook.save(written)
    return written.getvalue()


def given(content: str | bytes, name: str = "statement.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)


def keep(account: ProviderAccount, content: str | bytes, *, covered: Covered = ALL, **more: Any) -> Upload:
    """An upload that nobody has read yet."""
    asked = {"purpose": "provider", "covered": covered, "by": "staff:amina"}
    return uploads.keep(account, given(content), **(asked | more))[0]


def read(account: ProviderAccount, content: str | bytes, *, covered: Covered = ALL, **changes: Any) -> Run:
    """An upload, read and compared as a worker does it."""
    upload = keep(account, content, covered=covered)
    uploads.save_mapping(upload, Reading.of(READING | changes), by="staff:amina")
    return reread(upload)


def reread(upload: Upload) -> Run:
    begun = runs.begin_file(upload, by="staff:amina")
    assert begun is not None
    work.drain(runs.QUEUE)
    return Run.objects.select_related("upload").get(pk=begun.pk)
