"""Reading CSV: every usual encoding, delimiter and line end; a broken line costs itself and not the file."""

import csv
import io
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.lib import csv_table
from webapp.lib.csv_table import Row, Table, TableError, read

PLAIN = "title;price\nTée „grün“;1,50\nb;2,50\n"


def cells(table: Table) -> list[tuple[str, ...]]:
    return [row.cells for row in table.rows]


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (PLAIN.encode(), "utf-8"),
        (PLAIN.encode("utf-8-sig"), "utf-8"),
        (PLAIN.encode("cp1252"), "cp1252"),
        (PLAIN.encode("utf-16"), "utf-16"),
        (PLAIN.encode("utf-16-le"), "utf-16-le"),
        (PLAIN.encode("utf-16-be"), "utf-16-be"),
        (PLAIN.replace("\n", "\r\n").encode(), "utf-8"),
        (PLAIN.replace("\n", "\r").encode(), "utf-8"),
        (b"sep=;\r\n" + PLAIN.encode(), "utf-8"),
        (b"\n\n" + PLAIN.encode(), "utf-8"),
    ],
)
def test_encodings_and_line_ends(data: bytes, encoding: str) -> None:
    table = read(data)
    assert table.encoding == encoding
    assert table.header == ("title", "price")
    assert cells(table) == [("Tée „grün“", "1,50"), ("b", "2,50")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter: str) -> None:
    table = read(
        delimiter.join(("title", "price", "link\n")).encode() + f'"a{delimiter}b"{delimiter}1{delimiter}c'.encode()
    )
    assert table.delimiter == delimiter
    assert cells(table) == [(f"a{delimiter}b", "1", "c")]


def test_lines_in_another_encoding_are_named() -> None:
    table = read("title,price\nThé,1\n".encode() + "Thé,2\n".encode("cp1252"))
    assert cells(table) == [("Thé", "1"), ("Thé", "2")]
    assert table.recoded_lines == (3,)


def test_quotes_inside_cells_over_lines_and_behind_spaces() -> None:
    table = read(b'title,price\n27" monitor,5\n"say ""hi""",6\n"two\nlines",7\n "spaced" , 8\n')
    assert cells(table) == [('27" monitor', "5"), ('say "hi"', "6"), ("two\nlines", "7"), ("spaced", " 8")]
    assert [row.line for row in table.rows] == [2, 3, 4, 6]


def test_a_quote_that_is_never_closed_costs_its_own_line() -> None:
    table = read(b'title,price\na,1\n"broken,2\nc,3\nd,4\n')
    assert [(row.line, bool(row.problem)) for row in table.rows] == [(2, False), (3, True), (4, False), (5, False)]
    closed_later = read(b'title,price\n"broken,2\nc,3\n"d",4\n')
    assert [(row.line, bool(row.problem)) for row in closed_later.rows] == [(2, True), (3, False), (4, False)]


def test_a_cell_over_many_lines_is_read_and_one_without_bounds_is_not():
    text = "\n".join("x" * 400 for _ in range(40))
    assert cells(read(f'title,price\n"{text}",7\n'.encode())) == [(text, "7")]
    endless = read(b"title,price\n" + (b'"' + b'""' * 2000 + b"\n") * 30 + b"Tea,3\n")
    assert {row.problem[:16] for row in endless.rows[:-1]} == {"a quote is opene"}
    assert endless.rows[-1].cells == ("Tea", "3")


def test_ragged_lines_are_named_and_blank_ones_do_not_count() -> None:
    table = read(b"a,b\n1,2,,\n1\n\n , \n,,\n1,2,3\n")
    assert table.rows[0] == Row(2, ("1", "2"))
    assert [(row.line, row.problem) for row in table.rows[1:]] == [
        (3, "has 1 cells where the header has 2"),
        (7, "has 3 cells where the header has 2"),
    ]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"), (b"\r\n \n", "empty"), (b"\xef\xbb\xbf", "empty"), (b"sep=;", "no header"),
        (b"PK\x03\x04rest", "Excel workbook"), (b"\xd0\xcf\x11\xe0", "old Excel"), (b"%PDF-1.7", "PDF"),
        (b'"title,price\na,1', "never closed"), (b"a," * 600, "columns"),
    ],
)  # fmt: skip
def test_files_that_are_no_table_say_so(data: bytes, says: str) -> None:
    with pytest.raises(TableError, match=says):
        read(data)


def test_size_is_limited() -> None:
    with pytest.raises(TableError, match="larger than 0 MB"):
        read(b"a,b\n1,2\n", max_bytes=5)
    with pytest.raises(TableError, match="more than 2 rows"):
        read(b"a,b\n1,2\n1,2\n1,2\n", max_rows=2)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), min_size=1, max_size=12).filter(str.strip)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=10), st.sampled_from([",", ";", "\t", "|"]))
def test_what_the_csv_module_writes_is_read_back(rows: list[tuple[str, str]], delimiter: str) -> None:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
        [("title", "price"), *rows]
    )
    table = read(file.getvalue().encode())
    assert [tuple(cell.rstrip() for cell in row) for row in cells(table)] == [
        tuple(cell.rstrip() for cell in row) for row in rows
    ]


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_table_or_a_table_error(data: bytes) -> None:
    try:
        table = read(data)
    except TableError:
        return
    assert all(row.problem or len(row.cells) == len(table.header) for row in table.rows)
    lines = [row.line for row in table.rows]
    assert lines == sorted(set(lines))


def test_a_file_of_quotes_is_not_read_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0
    split = csv_table._split

    def counted(text: str, *rest: Any, **more: Any) -> list[str] | None:
        nonlocal seen
        seen += len(text)
        return split(text, *rest, **more)

    monkeypatch.setattr(csv_table, "_split", counted)
    data = b"title,price\n" + (b'"' + b'""' * 300 + b"\n") * 400
    with suppress(TableError):
        list(read(data).rows)
    assert seen < (csv_table.LOOK_AHEADS + 10) * len(data)


def test_long_cells_with_quotes_on_every_line_are_read_to_the_end() -> None:
    page = "\n".join(f'<p class="a">{number}</p>' for number in range(csv_table.MAX_LINES_IN_CELL - 2))
    out = io.StringIO()
    csv.writer(out).writerows([("title", "text"), *((f"t{number}", page) for number in range(200))])
    rows = read(out.getvalue().encode()).rows
    assert [row.problem for row in rows] == [""] * 200
    assert {row.cells[1] for row in rows} == {page}
