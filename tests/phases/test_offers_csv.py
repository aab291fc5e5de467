"""Offers from CSV: columns under any usual name, every bad row named by line, column and value with what to do."""

import json
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.phases.known_offers import NOW
from webapp.lib.csv_table import TableError
from webapp.phases import offers_csv
from webapp.phases.facts import Condition
from webapp.phases.offers_csv import OfferRow, OffersFile, Problem

EVERYTHING = """Title,Price,Currency,EAN,Brand,Model,Category,Condition,Marketplace,Link,Date,Notes
Sony WH-1000XM4,"1,249.50",EUR,4548736112001,Sony,WH-1000XM4,Headphones,Used - Good,Amazon.de,https://a.example/1,2026-11-18,x
"""


def parse(text: str, currency: str | None = "EUR", decimal_mark: str | None = None) -> OffersFile:
    return offers_csv.parse(text.encode(), NOW, "list.csv", currency, decimal_mark)


def test_a_header_without_end_is_read_in_time_that_grows_with_its_length():
    """Each of its words was once held against all others: two megabytes took minutes."""
    took = []
    for many in (20_000, 200_000):
        began = time.process_time()
        found = parse("title,price," + "eur q " * many + "\nTea,3.50,x\n")
        took.append(time.process_time() - began)
        assert [row.title for row in found.rows] == ["Tea"]
    assert took[1] < 40 * took[0], "ten times as long, not a hundred"


def only(text: str, **more: str | None) -> OfferRow:
    found = parse(text, **more)
    assert found.problems == ()
    (row,) = found.rows
    return row


def problem(text: str, **more: str | None) -> Problem:
    (found,) = parse(text, **more).problems
    return found


def test_a_row_with_everything() -> None:
    found = parse(EVERYTHING, currency=None)
    (row,) = found.rows
    assert row == OfferRow(
        line=2, key=row.key, source="list.csv", title="Sony WH-1000XM4", price=Decimal("1249.50"), currency="EUR",
        kind="offer", seen_at=datetime(2026, 11, 18, tzinfo=UTC), marketplace="Amazon.de", link="https://a.example/1",
        brand="Sony", model="WH-1000XM4", gtin14="04548736112001", category="Headphones", condition=Condition.USED,
    )  # fmt: skip
    assert found.ignored == ("Notes",)
    assert found.columns["gtin"] == ("EAN",)
    assert (found.rows_read, found.rows_rejected, found.rows_repeated, found.problem_count) == (1, 0, 0, 0)


def test_two_columns_are_enough() -> None:
    row = only("name;preis\nTee;3,50\n")
    assert (row.title, row.price, row.currency, row.kind, row.seen_at) == ("Tee", Decimal("3.50"), "EUR", "offer", NOW)


@pytest.mark.parametrize(
    "header",
    ["product_name,price", "Produktname,Preis", "Artikelbezeichnung,Verkaufspreis", "ProductTitle,UnitPrice",
     "Désignation,Prix", "\ufeffTITLE,PRICE", "Title,Variant Price", "title,final_price", "Title, Price in EUR ",
     "Name,Preis (€)"],
)  # fmt: skip
def test_headers_as_exports_write_them(header: str) -> None:
    assert only(f"{header}\nTea,3.50\n").title == "Tea"


@pytest.mark.parametrize(
    ("text", "price", "currency"),
    [
        ("title,price\nTea,$3.50\n", "3.50", "USD"),
        ("title,price\nTea,3.50 GBP\n", "3.50", "GBP"),
        ("title,price usd\nTea,3.50\n", "3.50", "USD"),
        ("title,price,currency\nTea,$3.50,CAD\n", "3.50", "CAD"),
        ("title,price,currency\nTea,3.5,chf\n", "3.50", "CHF"),
        ("title;price;currency\nTea;1.234,5;¥\n", "1235", "JPY"),
    ],
)
def test_the_currency_comes_from_the_row_the_price_the_header_or_the_import(
    text: str, price: str, currency: str
) -> None:
    row = only(text)
    assert (str(row.price), row.currency) == (price, currency)


def test_the_decimal_mark_is_learned_from_the_whole_column() -> None:
    german = parse("title;price\na;1.299\nb;5,50\n")
    assert [row.price for row in german.rows] == [Decimal("1299.00"), Decimal("5.50")]
    assert problem("title;price\na;1.299\n").says.startswith("It can mean 1299 or 1.299")
    assert only("title;price\na;1.299\n", decimal_mark=".").price == Decimal("1.30")


def test_a_list_price_column_makes_a_second_offer_of_kind_list() -> None:
    found = parse("title,price,msrp,condition\nTea,3.50,4.99,used\nPot,,20.00,\n")
    assert [(row.title, row.kind, row.price, row.condition) for row in found.rows] == [
        ("Tea", "offer", Decimal("3.50"), Condition.USED),
        ("Tea", "list", Decimal("4.99"), None),
        ("Pot", "list", Decimal("20.00"), None),
    ]
    assert only("title,price,kind\nTea,5.00,UVP\n").kind == "list"


@pytest.mark.parametrize(
    ("row", "column", "value", "says"),
    [
        (",3.50,EUR,,,,,", "title", "", "There is no title"),
        ("🎉,3.50,EUR,,,,,", "title", "🎉", "There is no title"),
        ("x" * 501 + ",3.50,EUR,,,,,", "title", "x" * 80, "longer than 500"),
        ("Tea,,EUR,,,,,", "price", "", "There is no price"),
        ("Tea,free,EUR,,,,,", "price", "free", "There is no number in it"),
        ("Tea,0,EUR,,,,,", "price", "0", "The price is zero"),
        ("Tea,-1,EUR,,,,,", "price", "-1", "can't be negative"),
        ("Tea,1.5E+9,EUR,,,,,", "price", "1.5E+9", "write all digits"),
        ("Tea,3.50 apples,EUR,,,,,", "price", "3.50 apples", "“apples” beside the price is not a currency"),
        ("Tea,$3.50,EUR,,,,,", "price", "$3.50", "the price is in USD, the currency column says EUR"),
        ("Tea,3.50,ZZZ,,,,,", "currency", "ZZZ", "write its code, such as EUR"),
        ("Tea,3.50,EUR,shiny,,,,", "condition", "shiny", "write new, like new, refurbished, used or for parts"),
        ("Tea,3.50,EUR,,soon,,,", "date", "soon", "write it like 2026-11-20"),
        ("Tea,3.50,EUR,,05/06/2026,,,", "date", "05/06/2026", "can't be told apart"),
        ("Tea,3.50,EUR,,2030-01-01,,,", "date", "2030-01-01", "lies in the future"),
        ("Tea,3.50,EUR,,,,,auction", "kind", "auction", "write offer or list"),
        ("Tea,3.50", "", "Tea | 3.50", "Has 2 cells where the header has 8"),
    ],
)
def test_a_bad_row_is_named_with_what_to_do_and_the_others_are_taken(
    row: str, column: str, value: str, says: str
) -> None:
    found = parse(f"title,price,currency,condition,date,ean,link,kind\nPot,20.00,EUR,,,,,\n{row}\nCup,2.00,EUR,,,,,\n")
    assert [taken.title for taken in found.rows] == ["Pot", "Cup"]
    (told,) = found.problems
    assert (told.line, told.column, told.value, told.rejected) == (3, column, value, True)
    assert says.lower() in told.says.lower()
    assert (found.rows_read, found.rows_rejected) == (3, 1)


@pytest.mark.parametrize(
    ("ean", "gtin14", "says"),
    [
        ("4548736112002", None, "Left out: The last digit does not fit"),
        ("4,54874E+12", None, "Left out: A spreadsheet shortened"),
        ("36000291452", "00036000291452", "Read as 036000291452: a spreadsheet dropped the zeros."),
        ('="4548736112001"', "04548736112001", None),
        ("'4548736112001", "04548736112001", None),
        ("4548-7361 12001", "04548736112001", None),
    ],
)
def test_a_broken_barcode_is_left_out_and_its_row_is_kept(ean: str, gtin14: str | None, says: str | None) -> None:
    quoted = ean.replace('"', '""')
    found = parse(f'title,price,ean\nTea,3.50,"{quoted}"\n')
    assert found.rows[0].gtin14 == gtin14
    assert found.rows_rejected == 0
    told = [problem.says for problem in found.problems]
    assert told == [] if says is None else told[0].startswith(says)


def test_a_link_that_is_no_web_address_is_left_out() -> None:
    found = parse("title,price,link\nTea,3.50,javascript:alert(1)\n")
    assert found.rows[0].link is None
    assert found.problems[0].says.startswith("Left out: this is not a web address")


def test_the_same_offer_twice_is_taken_once_and_said() -> None:
    found = parse("title,price,date\nTea,3.50,2026-11-01\nTea,3.5,01.11.2026\nTea,3.50,2026-11-02\n")
    assert [row.line for row in found.rows] == [2, 4]
    assert found.rows_repeated == 1
    assert found.problems[0].says == "Left out: the same as line 2."


def test_keys_are_the_same_on_every_import_of_the_same_sighting() -> None:
    again = offers_csv.parse(EVERYTHING.encode(), NOW + timedelta(days=30), "list.csv")
    assert [row.key for row in again.rows] == [row.key for row in parse(EVERYTHING).rows]
    dearer = parse(EVERYTHING.replace("1,249", "1,259"))
    assert dearer.rows[0].key != again.rows[0].key


def test_a_header_without_title_or_price_says_what_it_has() -> None:
    with pytest.raises(TableError, match="needs “title” and “price”; line 1 has “a”, “b”"):
        parse("a,b\n1,2\n")
    with pytest.raises(TableError, match="needs “price”; line 2 has “title”, “x”"):
        parse("\ntitle,x\n1,2\n")


def test_html_and_formulas_stay_text() -> None:
    assert only('title,price\n"=HYPERLINK(""x"")<b>Tea</b>",3.50\n').title == '=HYPERLINK("x")<b>Tea</b>'


def test_many_problems_are_counted_and_the_first_are_listed() -> None:
    found = parse("title,price\n" + "Tea,x\n" * 1200)
    assert (len(found.problems), found.problem_count, found.rows_rejected) == (1000, 1200, 1200)


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=15) | st.sampled_from(
    ["Tea", "3.50", "1.299", "€", "EUR", "used", "2026-11-01", "4548736112001", '"', "https://x.example", "=1+1"]
)
tables = st.lists(st.lists(words, min_size=8, max_size=8).map(",".join), max_size=8).map("\n".join)


@given(tables)
def test_whatever_stands_in_the_rows_each_is_taken_rejected_or_a_repetition(rows: str) -> None:
    found = parse(f"title,price,currency,condition,date,ean,link,kind\n{rows}\n")
    kept = {row.line for row in found.rows}
    assert len(kept) + found.rows_rejected + found.rows_repeated == found.rows_read
    assert all(row.price > 0 and row.title and len(row.currency) == 3 for row in found.rows)
    assert len({row.key for row in found.rows}) == len(found.rows)
    text = json.dumps(msgspec.to_builtins(found), ensure_ascii=False)
    assert "\\u0000" not in text
    assert msgspec.convert(json.loads(text), OffersFile) == found
