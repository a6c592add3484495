"""The rows of an uploaded file, one after another, whatever wrote it.

A row of a CSV has a size at most, and so has what of a workbook is held in memory beside its sheets. A sheet is read
row by row, but has only the limit of the whole: one that is made for it, of elements that are no rows, takes memory.
"""

import codecs
import csv
import io
import re
import zipfile
import zlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from tempfile import TemporaryFile
from typing import IO, Any
from xml.etree.ElementTree import Element, ParseError, fromstring

from reconciliation.mapping import DELIMITERS, Cell

Row = tuple[int, Sequence[Cell]]
"""The number of a row's last line in its file, from 1, and its cells."""

MOST_COLUMNS = 200
_MOST_IN_A_ROW = 1024 * 1024
"""Characters of a row with all its lines: it is held in memory whole."""
_MOST_PARTS = 1000
_MOST_UNPACKED = 512 * 1024 * 1024
_MOST_TEXTS = 48 * 1024 * 1024
"""Of the texts that a sheet keeps apart: they are held in memory while it is read."""
_MOST_BESIDE = 8 * 1024 * 1024
"""Of everything but sheets and those texts: a reader takes such a part into memory whole, at many times its size."""
_SAMPLE = 64 * 1024
_SAMPLE_LINES = 200
_HEAD = 4096


class Broken(Exception):
    """What is wrong with a file as a whole, for people. `is_cut` says that its end is missing."""

    def __init__(self, told: str, *, is_cut: bool = False) -> None:
        super().__init__(told)
        self.is_cut = is_cut


def is_workbook(head: bytes) -> bool:
    """Whether it is an XLSX by its first bytes, whatever its name says."""
    return head.startswith(b"PK")


# Encodings


class Sniffer:
    """Finds out an encoding from a whole file that comes piece by piece."""

    def __init__(self) -> None:
        self._head = b""
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._is_utf8 = True
        self._seen: set[int] = set()

    def feed(self, piece: bytes) -> None:
        self._head = self._head or piece[:_HEAD]
        if self._is_utf8:
            try:
                self._utf8.decode(piece)
            except UnicodeDecodeError:
                self._is_utf8 = False
        self._seen |= set(piece) & _NOT_CP1252

    @property
    def is_binary(self) -> bool:
        """Whether it is no text at all: text has no zeros, but in UTF-16."""
        return b"\0" in self._head and self.encoding not in ("utf-16", "utf-16-le", "utf-16-be")

    @property
    def encoding(self) -> str:
        """A byte order mark decides; then what every byte fits. Text that is cut within a character is UTF-8 still."""
        for mark, encoding in _MARKS:
            if self._head.startswith(mark):
                return encoding
        if (blank := _wide(self._head)) is not None:
            return blank
        if self._is_utf8:
            return "utf-8"
        return "latin-1" if self._seen else "cp1252"


_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NOT_CP1252 = {0x81, 0x8D, 0x8F, 0x90, 0x9D}


def _wide(head: bytes) -> str | None:
    """UTF-16 without its mark: every other byte of Western text is zero."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    least = max(1, len(head) // 4)
    return "utf-16-le" if odd >= least > even else "utf-16-be" if even >= least > odd else None


# CSV


def csv_rows(pieces: Iterable[bytes], *, encoding: str, delimiter: str = "") -> Iterator[Row]:
    """Raises Broken, after the last whole row, for a file that is cut or cannot be read on."""
    text: Any = io.TextIOWrapper(io.BufferedReader(_Pieces(pieces), _SAMPLE), encoding=encoding, newline="")
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter or _delimiter_of(lines.sample()))
    last: Row | None = None
    width = begins = 0
    while True:
        begins = reader.line_num + 1
        lines.begin()
        try:
            row = next(reader, None)
        except (UnicodeError, csv.Error) as fault:
            if last is not None:
                yield last
            raise Broken(_CUT.format(begins), is_cut=True) from fault
        except Broken:
            if last is not None:
                yield last
            raise
        if row is None:
            break
        if last is not None:
            yield last
        if len(row) > MOST_COLUMNS:
            raise Broken(_WIDE.format(begins, MOST_COLUMNS), is_cut=True)
        if last is not None:
            width = max(width, len(last[1]))
        last, ends_open, ends = (begins, row), lines.is_open, lines.ends
    if last is None:
        return
    if ends_open or (not ends and len(last[1]) < width):
        raise Broken(_CUT.format(last[0]), is_cut=True)
    yield last


_CUT = (
    "The file is cut or damaged: its line {} is not whole, and nothing could be read from there on. What is before has "
    "been read. Upload the whole file."
)
_WIDE = (
    "The line {} has more than {} columns, which no statement has, and nothing was read from there on. What is before "
    "has been read. Is the sign between columns the right one?"
)
_LONG = (
    "A line is longer than {:,} characters, or a quotation mark is never closed; nothing was read from there on. What "
    "is before has been read. Save the file as CSV with one line for each row."
)


class _Pieces(io.RawIOBase):
    """Pieces of bytes, as a file."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._left = self._left or next(self._pieces, b"")
        taken, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


class _Lines:
    """Lines of text; `taken` are those of the row that was begun last. Raises Broken for a row without an end."""

    def __init__(self, text: io.TextIOBase) -> None:
        self._text = text
        self._ahead: deque[str] = deque()
        self._fault: UnicodeError | Broken | None = None
        self.taken: list[str] = []
        self._size = 0

    def begin(self) -> None:
        self.taken.clear()
        self._size = 0

    def sample(self) -> str:
        """The first lines, without taking them."""
        size = 0
        while size < _SAMPLE and len(self._ahead) < _SAMPLE_LINES:
            try:
                line = self._text.readline(_MOST_IN_A_ROW)
                self._demand_an_end(len(line))
            except (UnicodeError, Broken) as fault:
                self._fault = fault
                break
            if not line:
                break
            self._ahead.append(line)
            size += len(line)
        return "".join(self._ahead)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if not self._ahead and self._fault:
            raise self._fault
        line = self._ahead.popleft() if self._ahead else self._text.readline(_MOST_IN_A_ROW)
        if not line:
            raise StopIteration
        self._size += len(line)
        self._demand_an_end(self._size)
        self.taken.append(line)
        return line

    def _demand_an_end(self, size: int) -> None:
        if size >= _MOST_IN_A_ROW:
            raise Broken(_LONG.format(_MOST_IN_A_ROW), is_cut=True)

    @property
    def is_open(self) -> bool:
        """Whether what was taken ends within quotation marks."""
        return sum(line.count('"') for line in self.taken) % 2 == 1

    @property
    def ends(self) -> bool:
        """Whether what was taken ends with its line."""
        return bool(self.taken) and self.taken[-1].endswith(("\n", "\r"))


def _delimiter_of(sample: str) -> str:
    """The sign that cuts most of the first rows into equally many cells."""
    return max((sign for sign in DELIMITERS if sign), key=lambda sign: _evenness(sample, sign))


def _evenness(sample: str, sign: str) -> tuple[int, int]:
    lengths = Counter(len(row) for row in _some(sample, sign) if len(row) > 1)
    (length, rows) = lengths.most_common(1)[0] if lengths else (0, 0)
    return rows, length


def _some(sample: str, sign: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO(sample, newline=""), delimiter=sign)
    except csv.Error:
        return


# XLSX


def check_workbook(file: IO[bytes]) -> None:
    """Raises Broken for what is no workbook, is cut, or would unpack to more than is read here.

    Sheets are read row by row. The texts that they share, and everything else together, are held in memory.
    """
    try:
        with zipfile.ZipFile(file) as packed:
            parts = packed.infolist()
            if "xl/workbook.xml" not in packed.namelist():
                raise Broken("This is no XLSX workbook. Save it as XLSX or CSV.")
            if len(parts) > _MOST_PARTS or _is_large(parts):
                raise Broken("This workbook unpacks to more than is read here. Save it as CSV, or take fewer days.")
            for part in parts:
                if part.filename.lower().endswith((".xml", ".rels")):
                    _check_part(packed, part)
            _check_places(packed)
    except (zipfile.BadZipFile, EOFError, zlib.error) as fault:
        raise Broken("The file is cut: the end of this workbook is missing. Upload it whole.", is_cut=True) from fault
    except (ParseError, RuntimeError) as fault:  # as zipfile tells of what is encrypted, or packed in an unknown way
        raise Broken(_FOREIGN) from fault


_FOREIGN = "This workbook was not written by a spreadsheet, or is encrypted. Save it as XLSX or CSV."
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
_MANIFEST, _SHEETS = "[Content_Types].xml", "xl/_rels/workbook.xml.rels"


def _is_texts(name: str) -> bool:
    return name.lower() == "xl/sharedstrings.xml"


def _is_large(parts: Sequence[zipfile.ZipInfo]) -> bool:
    sheets = sum(part.file_size for part in parts if _SHEET.fullmatch(part.filename))
    texts = sum(part.file_size for part in parts if _is_texts(part.filename))
    whole = sum(part.file_size for part in parts)
    return whole > _MOST_UNPACKED or texts > _MOST_TEXTS or whole - sheets - texts > _MOST_BESIDE


def _check_places(packed: zipfile.ZipFile) -> None:
    """A reader goes by what the manifest says: what it takes whole must not stand where sheets may be long."""
    for element in _elements(packed, _MANIFEST):
        name, kind = element.get("PartName", "").removeprefix("/"), element.get("ContentType", "")
        is_sheet = kind.endswith("worksheet+xml")
        if kind.endswith("sharedStrings+xml") != _is_texts(name) or (_SHEET.fullmatch(name) and not is_sheet):
            raise Broken(_FOREIGN)
    for element in _elements(packed, _SHEETS):
        is_chart = "chartsheet" in element.get("Type", "")
        if is_chart and "chartsheets/" not in element.get("Target", ""):
            raise Broken(_FOREIGN)


def _elements(packed: zipfile.ZipFile, name: str) -> Sequence[Element]:
    # Of at most _MOST_BESIDE, and without a document type: neither is left at this point.
    return list(fromstring(packed.read(name))) if name in packed.namelist() else []


def _check_part(packed: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Office writes no document types; one is only there to make a reader expand it."""
    with packed.open(part) as opened:
        if b"<!doctype" in opened.read(_HEAD).lower():
            raise Broken(_FOREIGN)


def xlsx_rows(pieces: Iterable[bytes]) -> Iterator[Row]:
    """The first sheet; of a formula what was last computed, and never the formula. Raises Broken as above."""
    # openpyxl takes a tenth of a second, which no other process should wait for.
    from openpyxl import load_workbook

    with TemporaryFile() as file:
        for piece in pieces:
            file.write(piece)
        file.seek(0)
        check_workbook(file)
        try:
            sheet: Any = load_workbook(file, read_only=True, data_only=True, keep_links=False).worksheets[0]
            sheet.reset_dimensions()
            for number, cells in enumerate(sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True), start=1):
                yield number, _without_blanks(cells)
        except (ParseError, zipfile.BadZipFile, EOFError, zlib.error) as fault:
            raise Broken("The file is cut or damaged: its sheet ends in the middle.", is_cut=True) from fault
        except (KeyError, ValueError, IndexError, AttributeError, TypeError) as fault:
            raise Broken("This workbook has no sheet that can be read. Save it as CSV.") from fault


def _without_blanks(cells: Sequence[Cell]) -> Sequence[Cell]:
    """Without the empty cells at a row's end, of which a sheet has as many as its widest row."""
    last = next((place for place in range(len(cells), 0, -1) if cells[place - 1] is not None), 0)
    return cells[:last]
