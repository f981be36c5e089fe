"""A CSV or XLSX file as a header and rows of text. Everything that makes a file unreadable is named, with its line."""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from openpyxl import load_workbook

from zena.kit.errors import FieldError, Invalid
from zena.kit.i18n import N_
from zena.kit.text import NAME_LENGTH

CELL_LENGTH = 20_000
MAX_COLUMNS = 200
#: Lines of a sheet, empty ones too: a workbook may claim a row anywhere without holding what lies between.
MAX_LINES = 100_000
#: An XLSX is a ZIP: its parts may unpack to this much in all, and no part to more than this times its packed size.
UNPACKED = 200 * 1024 * 1024
RATIO = 200
_XLSX = b"PK\x03\x04"
#: The older binary workbooks, and newer ones behind a password.
_OLD = b"\xd0\xcf\x11\xe0"
#: How files begin that read as text and are no table.
_FOREIGN = (b"%pdf-", b"<!doctype", b"<html", b"<svg", b"<?xml", b"{\\rtf")
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` holds (line in the file, cells); each has as many cells as the header."""

    header: list[str]
    rows: list[tuple[int, list[str]]]


def read_table(content: bytes, *, max_rows: int) -> Table:
    """Read a file by what it is, not by its name. Raises Invalid on the field `file`."""
    lines = _lines(content)
    header: list[str] = []
    rows: list[tuple[int, list[str]]] = []
    for line, cells in lines:
        if not any(cells):
            continue
        if not header:
            header = _header(cells)
            continue
        if len(rows) >= max_rows:
            raise unreadable("too_many", N_("The file has more than %(most)s rows.", most=max_rows))
        rows.append((line, _fitted(cells, header, line)))
    if not header:
        raise unreadable("empty", N_("The file is empty."))
    if not rows:
        raise unreadable("no_rows", N_("The file has a header and no rows."))
    return Table(header, rows)


def unreadable(code: str, message: str) -> Invalid:
    return Invalid([FieldError("file", code, message)])


def _lines(content: bytes) -> Iterator[tuple[int, list[str]]]:
    if not content.strip():
        raise unreadable("empty", N_("The file is empty."))
    if content.startswith(_OLD):
        raise unreadable("xlsx", N_("Save the workbook as XLSX without a password, or as CSV UTF-8."))
    if content[:100].removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_FOREIGN):
        raise unreadable("type", N_("This is neither CSV nor XLSX."))
    return _sheet(content) if content.startswith(_XLSX) else _csv(content)


def _csv(content: bytes) -> Iterator[tuple[int, list[str]]]:
    text = _decoded(content)
    if "\x00" in text:
        line = text[: text.index("\x00")].count("\n") + 1
        raise unreadable("nul", N_("Line %(line)s holds a NUL character.", line=line))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    begins = 1
    try:
        for cells in reader:
            yield begins, [cell.strip() for cell in cells]
            begins = reader.line_num + 1
    except csv.Error as error:
        message = N_("Line %(line)s cannot be read: %(reason)s.", line=begins, reason=str(error))
        raise unreadable("csv", message) from error


def _decoded(content: bytes) -> str:
    """Take UTF-8 with or without a mark, and UTF-16 with one, which spreadsheets write."""
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise unreadable(
            "encoding", N_("Line %(line)s is not UTF-8. Save the file as CSV UTF-8.", line=line)
        ) from error


def _delimiter(text: str) -> str:
    first = text.lstrip("\r\n").splitlines()[0] if text.strip() else ""
    return max(_DELIMITERS, key=first.count)


def _sheet(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Read the first sheet, whatever size it claims to have: rows and columns are counted as they come."""
    _check_archive(content)
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        rows = sheet.iter_rows(max_row=MAX_LINES + 1, max_col=MAX_COLUMNS + 1, values_only=True)
        for line, row in enumerate(rows, start=1):
            _check_line(line)
            yield line, _trimmed([_cell(value) for value in row])
    except Invalid:
        raise
    except Exception as error:  # a file that is not what it claims makes the library raise nearly anything
        raise unreadable("xlsx", N_("This is not a workbook that can be read.")) from error


def _check_line(line: int) -> None:
    if line > MAX_LINES:
        raise unreadable("too_many", N_("The file has more than %(most)s rows.", most=MAX_LINES))


def _trimmed(cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _check_archive(content: bytes) -> None:
    """Refuse archives that unpack to far more than they are (E04); nothing is unpacked to disk."""
    try:
        parts = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise unreadable("xlsx", N_("This is not a workbook that can be read.")) from error
    swollen = any(part.file_size > RATIO * max(part.compress_size, 1024) for part in parts)
    if swollen or len(parts) > 1000 or sum(part.file_size for part in parts) > UNPACKED:  # noqa: PLR2004 - parts
        raise unreadable("too_large", N_("The workbook unpacks to more than is accepted."))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _header(cells: list[str]) -> list[str]:
    cells = _trimmed(list(cells))
    if len(cells) > MAX_COLUMNS:
        raise unreadable("columns", N_("At most %(most)s columns.", most=MAX_COLUMNS))
    if any(len(cell) > NAME_LENGTH for cell in cells):
        raise unreadable("too_long", N_("A column's name has at most %(most)s characters.", most=NAME_LENGTH))
    folded = [cell.casefold() for cell in cells]
    twice = next((cell for cell in cells if cell and folded.count(cell.casefold()) > 1), None)
    if twice:
        raise unreadable("duplicate", N_("The column %(name)s stands twice in the header.", name=twice))
    return cells


def _fitted(cells: list[str], header: list[str], line: int) -> list[str]:
    if len(cells) > len(header) and any(cells[len(header) :]):
        raise unreadable("columns", N_("Line %(line)s has more cells than the header.", line=line))
    if any(len(cell) > CELL_LENGTH for cell in cells):
        raise unreadable(
            "too_long", N_("Line %(line)s has a cell of more than %(most)s characters.", line=line, most=CELL_LENGTH)
        )
    return [*cells[: len(header)], *[""] * (len(header) - len(cells))]
