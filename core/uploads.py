"""Files in a request's body are taken from signed-in staff alone, and only up to a size."""

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict


class FromStaffAlone(FileUploadHandler):
    """Stands before the handler that writes to the disk, so that nobody else fills it.

    A file that is too large is read to its end and not kept, so that its form can say so: `refused_file` on the
    request tells what was wrong with it.
    """

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,
        content_length: int,
        boundary: Any,
        encoding: Any = None,
    ) -> tuple[QueryDict, MultiValueDict[str, Any]] | None:
        """What is given here is taken in place of the body, which is not read then."""
        user = getattr(self.request, "user", None)
        if user and user.is_active and user.is_staff:
            return None
        return QueryDict(), MultiValueDict()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        if start + len(raw_data) > settings.STATEMENT_MAX_BYTES:
            most = settings.STATEMENT_MAX_BYTES / 1024 / 1024
            self.request.refused_file = f"It is larger than {most:,.1f} MB. Upload it in parts."  # type: ignore[union-attr]
            raise SkipFile
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
