"""Reading a CSV file as people and spreadsheets write it: any usual encoding, delimiter and line end.

The file is data from outside: nothing here trusts its size, its encoding or its quotes. A quote that is never closed
costs its own line and not the rest of the file.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from webapp.lib.text import clean

MAX_BYTES = 50 * 2**20
MAX_ROWS = 200_000
MAX_COLUMNS = 500
MAX_LINES_IN_CELL = 50
LOOK_AHEADS = MAX_LINES_IN_CELL
"""So many times the length of a file may be read again to find the ends of quoted cells. A record is read once for each
of its lines, so no honest file needs more; one of nothing but quotes would else be read a thousand times."""
MAX_CHARS_IN_RECORD = 32 * 1024
"""A record that runs over lines is read anew with each of them."""

_DELIMITERS = (",", ";", "\t", "|")
_LINE_END = re.compile(r"\r\n|\n|\r")
_SAMPLE_LINES = 50
_NOT_TEXT = (
    (b"PK\x03\x04", "This is an Excel workbook or an archive, not a CSV file. Save it as “CSV UTF-8” and try again."),
    (b"\xd0\xcf\x11\xe0", "This is an old Excel workbook, not a CSV file. Save it as “CSV UTF-8” and try again."),
    (b"%PDF", "This is a PDF, not a CSV file."),
    (b"\x1f\x8b", "This file is compressed. Unpack it and try again."),
)


class TableError(ValueError):
    """The file as a whole can't be read. `str()` says why and what to do, in plain words."""


@dataclass(frozen=True)
class Row:
    """One record. `line`: where it starts, the first line is 1. `problem`: why its cells can't be trusted, '' if they
    can."""

    line: int
    cells: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True)
class Table:
    """A CSV file. `rows` are all records below the header that are not blank; a sound row has a cell for each header.
    `recoded_lines`: lines in another encoding than the file's, read as Windows-1252."""

    header: tuple[str, ...]
    header_line: int
    rows: tuple[Row, ...]
    delimiter: str
    encoding: str
    recoded_lines: tuple[int, ...] = ()


def content(file: Path) -> bytes:
    """All of a file. Raises TableError, before it is read, for what is no file or is larger than MAX_BYTES."""
    if not file.is_file():
        raise TableError("This is no file.")
    if file.stat().st_size > MAX_BYTES:
        raise _too_large(MAX_BYTES)
    return file.read_bytes()


def read(data: bytes, max_bytes: int = MAX_BYTES, max_rows: int = MAX_ROWS) -> Table:
    """The table in a CSV file. Raises TableError for what is empty, too large, no text, or has no header."""
    if len(data) > max_bytes:
        raise _too_large(max_bytes)
    for magic, says in _NOT_TEXT:
        if data.startswith(magic):
            raise TableError(says)
    lines, encoding, recoded = _decoded(data)
    start = next((number for number, line in enumerate(lines) if line.strip()), None)
    if start is None:
        raise TableError("The file is empty.")
    stated = re.fullmatch(r"\s*\"?sep=(.)\"?\s*", lines[start], re.IGNORECASE)
    if stated:
        start += 1
    if start >= len(lines):
        raise TableError("The file has no header line.")
    delimiter = stated.group(1) if stated else _delimiter(lines[start : start + _SAMPLE_LINES])
    header = _split(lines[start], delimiter)
    if header is None:
        raise TableError(f"Line {start + 1}, the header, has a quote that is never closed.")
    while header and not header[-1].strip():
        header.pop()
    if len(header) > MAX_COLUMNS:
        raise TableError(f"The file has {len(header)} columns, more than {MAX_COLUMNS}.")
    rows: list[Row] = []
    for row in _records(lines, start + 1, delimiter, len(header)):
        if len(rows) == max_rows:
            raise TableError(f"The file has more than {max_rows:,} rows. Split it into several files.")
        rows.append(row)
    names = tuple(clean(cell) for cell in header)
    return Table(names, start + 1, tuple(rows), delimiter, encoding, tuple(recoded))


def _too_large(max_bytes: int) -> TableError:
    return TableError(f"The file is larger than {max_bytes // 2**20} MB. Split it into several files.")


def _decoded(data: bytes) -> tuple[list[str], str, list[int]]:
    """The file's lines, its encoding, and the numbers of lines that are not in it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _lines(data.decode("utf-16", errors="replace")), "utf-16", []
    zeros = Counter(index % 2 for index, byte in enumerate(data[:400]) if byte == 0)
    if sum(zeros.values()) > len(data[:400]) / 4:
        name = "utf-16-le" if zeros[1] >= zeros[0] else "utf-16-be"
        return _lines(data.decode(name, errors="replace")), name, []
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return _lines(data.decode("utf-8")), "utf-8", []
    except UnicodeDecodeError:
        pass
    # Old spreadsheets write Windows-1252; files glued together mix it with UTF-8, line by line.
    lines, recoded, unicode_lines = [], [], 0
    for number, raw in enumerate(re.split(rb"\r\n|\n|\r", data), start=1):
        try:
            lines.append(raw.decode("utf-8"))
            unicode_lines += not raw.isascii()
        except UnicodeDecodeError:
            lines.append(raw.decode("cp1252", errors="replace"))
            recoded.append(number)
    return (lines, "utf-8", recoded) if unicode_lines else (lines, "cp1252", [])


def _lines(text: str) -> list[str]:
    return _LINE_END.split(text)


def _delimiter(sample: Sequence[str]) -> str:
    """The delimiter that splits the header and most lines into the same number of cells, the more the better."""

    def quality(delimiter: str) -> float:
        widths = [len(_split(line, delimiter) or []) for line in sample if line.strip()]
        return widths.count(widths[0]) / len(widths) * min(widths[0], 8) if widths[0] > 1 else 0.0

    return max(_DELIMITERS, key=quality)


def _records(lines: Sequence[str], start: int, delimiter: str, width: int) -> Iterator[Row]:
    number = start
    left = LOOK_AHEADS * sum(map(len, lines))
    while number < len(lines):
        line = lines[number]
        if not line.replace(delimiter, "").strip():
            number += 1
            continue
        cells = _split(line, delimiter)
        taken = 1
        if cells is None:
            cells, taken, read = _over_lines(lines, number, delimiter, width) if left > 0 else (None, 1, 0)
            left -= read
        if cells is None:
            yield Row(number + 1, (line,), "a quote is opened and never closed; close it or remove it")
        else:
            yield _checked(number + 1, cells, width)
        number += taken


def _over_lines(lines: Sequence[str], number: int, delimiter: str, width: int) -> tuple[list[str] | None, int, int]:
    """A record whose quoted cell has line breaks in it, how many lines it takes, and how many characters were read to
    find out. None when the quote is never closed: then it runs into lines that are whole records by themselves."""
    text, read = lines[number], 0
    for taken, line in enumerate(lines[number + 1 : number + MAX_LINES_IN_CELL], start=2):
        text = f"{text}\n{line}"
        if len(text) > MAX_CHARS_IN_RECORD:
            break
        if '"' in line:
            read += len(text)
            cells = _split(text, delimiter, strict=True)
            if cells is not None and len(cells) == width:
                return cells, taken, read
        alone = _split(line, delimiter)
        if alone is not None and len(alone) == width > 1:
            break
    return None, 1, read


def _checked(line: int, cells: list[str], width: int) -> Row:
    while len(cells) > width and not cells[-1].strip():
        cells.pop()
    if len(cells) != width:
        return Row(line, tuple(cells), f"has {len(cells)} cells where the header has {width}")
    return Row(line, tuple(cells))


def _split(text: str, delimiter: str, *, strict: bool = False) -> list[str] | None:
    """The cells of one record; None when a quoted cell is still open at its end. A quote inside an unquoted cell
    (`27" monitor`) is a character like any other; text behind a closing quote is kept, or with `strict` means that the
    quote did not close there: None."""
    if '"' not in text:
        return text.split(delimiter)
    cells: list[str] = []
    place = 0
    while True:
        if text.startswith('"', _after_spaces(text, place, delimiter)):
            place = _after_spaces(text, place, delimiter) + 1
            parts: list[str] = []
            while True:
                closing = text.find('"', place)
                if closing < 0:
                    return None
                parts.append(text[place:closing])
                place = closing + 1
                if not text.startswith('"', place):
                    break
                parts.append('"')
                place += 1
            end = text.find(delimiter, place)
            behind = text[place : end if end >= 0 else None].rstrip()
            if behind and strict:
                return None
            cells.append("".join(parts) + behind)
        else:
            end = text.find(delimiter, place)
            cells.append(text[place : end if end >= 0 else None])
        if end < 0:
            return cells
        place = end + len(delimiter)


def _after_spaces(text: str, place: int, delimiter: str) -> int:
    while place < len(text) and text[place] == " " != delimiter:
        place += 1
    return place
