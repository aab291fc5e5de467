"""The client's own sales: from a CSV file into the table, from there behind the interface of all sources."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from tests import factories
from webapp.audit.models import AuditEntry
from webapp.database import db, reading, tenant
from webapp.phases import sales_csv
from webapp.phases.sales_csv import TableError
from webapp.pipeline.knowledge import ClientOffers
from webapp.providers import services
from webapp.providers.commands import import_offers_command, import_sales_command
from webapp.providers.interface import Question
from webapp.providers.own_sales import SOURCE, OwnSales

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GOOD = """Order number;Item title;Sold for;Sale date;EAN;Condition
A-1;Kettle K-1;19,90;2026-03-01;4006381333931;new
A-2;Kettle K-1;18,50;2026-03-09;4006381333931;used
"""
MIXED = GOOD + "A-3;Lamp;cheap;2026-03-02;;\nA-4;Radio;30,00;2099-01-01;;\n"


def read(table, currency="EUR"):
    return sales_csv.parse(table.encode(), NOW, SOURCE, currency)


@pytest.fixture
def client(in_app):
    made = factories.make_client("Harbour Trade", currency="EUR")
    db.session.expunge(made)
    return made


@pytest.fixture
def run(app, client, tmp_path):
    """Runs the command on a file with this text."""

    def invoke(text, *options, command=import_sales_command):
        file = tmp_path / "sold.csv"
        file.write_text(text, encoding="utf-8")
        return app.test_cli_runner().invoke(command, [str(file), "--client", "harbour-trade", *options])

    return invoke


def test_a_sale_is_read_under_the_names_that_shops_use():
    kettle, other = read(GOOD).rows
    assert (kettle.kind, kettle.title, str(kettle.price), kettle.currency) == ("sale", "Kettle K-1", "19.90", "EUR")
    assert (kettle.gtin14, kettle.condition, kettle.seen_at.date().isoformat()) == (
        "04006381333931",
        "new",
        "2026-03-01",
    )
    assert other.source == SOURCE


def test_a_total_is_divided_by_the_number_of_pieces():
    (row,) = read("title,order total,qty,sold at\nTea,10.00,3,2026-03-01\n").rows
    assert str(row.price) == "3.33"
    (each,) = read("title,price,total,qty\nTea,4.00,12.00,3\n").rows
    assert str(each.price) == "4.00"


def test_the_same_row_of_an_order_is_one_sale_and_without_orders_two_equal_rows_are_two():
    header = "order,title,price,sold at\n"
    named = read(header + "1,Tea,3.00,2026-03-01\n1,Tea,3.00,2026-03-01\n")
    assert (len(named.rows), named.rows_repeated) == (1, 1)
    unnamed = read(header + ",Tea,3.00,2026-03-01\n,Tea,3.00,2026-03-01\n")
    assert len({row.key for row in unnamed.rows}) == 2
    assert unnamed == read(header + ",Tea,3.00,2026-03-01\n,Tea,3.00,2026-03-01\n")


@pytest.mark.parametrize(
    ("row", "column", "says"),
    [
        (",3.00,,1,2026-03-01", "title", "no title"),
        ("Tea,,,1,2026-03-01", "price", "no price"),
        ("Tea,0,,1,2026-03-01", "price", "zero"),
        ("Tea,,9.00,none,2026-03-01", "qty", "number of pieces"),
        ("Tea,,9.00,0,2026-03-01", "qty", "number of pieces"),
        ("Tea,,0.02,9,2026-03-01", "total", "would be zero"),
        ("Tea,3.00,,1,2999-01-01", "sold at", "lies in the future"),
        ("Tea,3.00,,1,soon", "sold at", "not a date"),
        ("Tea,3.00,,1", "", "cells"),
    ],
)
def test_a_bad_row_is_named_by_line_and_reason(row, column, says):
    found = read(f"title,price,total,qty,sold at\n{row}\nPot,5.00,,1,2026-03-01\n")
    (problem,) = found.problems
    assert (problem.line, problem.column, problem.rejected) == (2, column, True)
    assert says in problem.says
    assert [sold.title for sold in found.rows] == ["Pot"]


def test_a_file_without_a_price_is_refused_as_a_whole():
    with pytest.raises(TableError, match="“price”"):
        read("title,sold at\nTea,2026-03-01\n")


def test_the_command_keeps_the_good_rows_and_names_the_others(client, run):
    done = run(MIXED)
    assert done.exit_code == 1
    assert "Rejected: line 4, column Sold for, “cheap”:" in done.output
    assert "Rejected: line 5, column Sale date, “2099-01-01”:" in done.output
    assert "Sales: 2 new, 0 updated, 0 unchanged. Rows: 0 repeated, 2 rejected." in done.output
    assert "2 unchanged" in run(GOOD).output
    with tenant(client.id), reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "sales_imported")).first()
        assert entry.details == {"file": "sold.csv", "inserted": 2, "updated": 0, "unchanged": 0, "rejected": 2}


def test_a_dry_run_writes_nothing(client, run):
    assert "nothing was written" in run(GOOD, "--dry-run").output
    with tenant(client.id):
        assert OwnSales().search(Question(gtin14="04006381333931")).offers == ()


def test_own_sales_answer_the_questions_of_any_source(client, run):
    run(GOOD)
    with tenant(client.id):
        by_number = OwnSales().search(Question(gtin14="04006381333931")).offers
        by_words = OwnSales().search(Question(words="kettel k1")).offers
    assert [(one.kind, str(one.price)) for one in by_number] == [("sale", "18.50"), ("sale", "19.90")]
    assert {one.id for one in by_words} == {one.id for one in by_number}
    with tenant(factories.make_client().id):
        assert OwnSales().search(Question(gtin14="04006381333931")).offers == ()


def test_phase_two_sees_sales_and_offers_each_once(client, run):
    run(GOOD)
    run("title,price,gtin\nKettle K-1,21.00,4006381333931\n", command=import_offers_command)
    with tenant(client.id):
        found = ClientOffers().by_gtin("04006381333931")
        assert sorted(one.kind for one in found) == ["offer", "sale", "sale"]
        assert len(ClientOffers().search("Kettle K-1")) == 3


def test_many_sales_push_no_offer_out(client, run):
    many = "".join(f"A-{n};Kettle K-1;19,{n:02d};2026-03-01;;\n" for n in range(10))
    run("Order number;Item title;Sold for;Sale date;EAN;Condition\n" + many)
    run("title,price\nKettle K-1,21.00\n", command=import_offers_command)
    with tenant(client.id), reading() as session:
        assert len(services.search_offers(session, "Kettle K-1", limit=10)) == 1
