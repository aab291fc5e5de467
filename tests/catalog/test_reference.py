"""Reference catalogs: from a file into the installation, and from there to every client's analysis."""

import os
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError

from tests import factories
from webapp.audit.models import AuditEntry
from webapp.catalog import reference
from webapp.catalog.commands import forget_reference_command, import_reference_command
from webapp.catalog.models import ReferenceCatalog, ReferenceProduct
from webapp.database import db, reading, tenant
from webapp.engines import system_engine
from webapp.phases import reference_csv
from webapp.phases.reference_csv import TableError
from webapp.pipeline.knowledge import REFERENCE_SEARCHES, ClientReference

GTIN = "04006381333931"
FILE = """code\tproduct_name\tbrands\tingredients_text
4006381333931\tHerring in mustard sauce\tNordvik\tfish
\tSmoked salmon\tNordvik\t
4006381333930\tDried cod\t\t
4006381333931\tHerring\tNordvik\t
12345670\t\t\t
"""


def parse(table):
    return reference_csv.parse(table.encode())


def kept(table=FILE, name="Open Food Facts"):
    with system_engine().begin() as connection:
        return reference.keep(connection, name, parse(table).rows)


def test_a_file_as_open_food_facts_publishes_it_is_read_and_what_is_wrong_is_named():
    found = parse(FILE)
    assert [(row.name, row.brand, row.gtin14) for row in found.rows] == [
        ("Herring in mustard sauce", "Nordvik", GTIN),
        ("Smoked salmon", "Nordvik", None),
        ("Dried cod", None, None),
    ]
    assert (found.rows_read, found.rows_repeated, found.rows_rejected) == (5, 1, 1)
    assert found.ignored == ("ingredients_text",)
    told = [problem.told for problem in found.problems]
    assert told[0].startswith("Note: line 4, column code, “4006381333930”: Left out:")
    assert told[1] == "Note: line 5, “Herring”: Left out: line 2 has the same barcode."
    assert told[2].startswith("Rejected: line 6, column product_name: There is no name")


def test_lists_give_the_first_brand_and_the_narrowest_category():
    table = (
        "code\tproduct_name\tbrands\tcategories\n3017620422003\tNutella\tFerrero,Nutella\tSpreads,Sweet spreads,en:x\n"
    )
    (row,) = parse(table).rows
    assert (row.brand, row.category, row.gtin14) == ("Ferrero", "Sweet spreads", "03017620422003")


def test_a_shops_own_numbers_are_no_barcodes_of_everybody():
    (row,) = parse("code,name,ean\n12345670,Herring,4006381333931\n").rows
    assert row.gtin14 == GTIN
    found = parse("ean,name\n2000001000007,Herring\n")
    assert [row.gtin14 for row in found.rows] == [None]
    assert "a shop's own number" in found.problems[0].says


@pytest.mark.parametrize("table", ["", "code\n4006381333931\n", "a,b\n1,2\n"])
def test_a_file_without_names_is_refused_in_words(table):
    with pytest.raises(TableError, match=r"empty|needs “name”"):
        parse(table)


def test_the_same_file_again_changes_nothing_and_a_newer_one_what_is_new(in_app):
    first, again = kept(), kept()
    assert (first.inserted, first.total) == (3, 3)
    assert (again.inserted, again.updated, again.unchanged, again.total) == (0, 0, 3, 3)
    newer = kept(FILE.replace("Herring in mustard", "Herring in dill") + "\tSprats\t\t\n")
    assert (newer.inserted, newer.updated, newer.unchanged, newer.total) == (1, 1, 2, 4)


def test_every_client_finds_its_products_by_number_and_by_words(in_app):
    kept()
    for client in (factories.make_client(), factories.make_client()):
        with tenant(client.id):
            (record,) = ClientReference(uuid4()).by_gtin(GTIN)
            assert (record.source, record.origin, record.name) == (
                "reference",
                "Open Food Facts",
                "Herring in mustard sauce",
            )
            found = ClientReference(uuid4()).search("nordvik hering in mustard", 5)
            assert found[0].name == "Herring in mustard sauce"
            assert ClientReference(uuid4()).search("", 5) == []


def test_only_the_first_searches_for_a_product_go_through_them(in_app, count_queries):
    kept()
    with tenant(factories.make_client().id):
        known = ClientReference(uuid4())
        found = [known.search("herring", 5) for _ in range(REFERENCE_SEARCHES + 2)]
        assert [len(records) for records in found] == [1] * REFERENCE_SEARCHES + [0, 0]
        with count_queries() as statements:
            known.search("herring", 5)
        assert not any("reference" in statement for statement in statements)


def test_the_clients_own_record_comes_first(in_app):
    kept()
    client = factories.make_client()
    with tenant(client.id):
        factories.make_product(client, name="Our herring", gtin14=GTIN)
        assert [record.source for record in ClientReference(uuid4()).by_gtin(GTIN)] == ["catalog", "reference"]


def test_a_search_is_one_query_and_reads_by_the_index(in_app, count_queries):
    kept()
    with tenant(factories.make_client().id), reading() as session:
        with count_queries() as statements:
            reference.search(session, "herring")
        assert len(statements) == 1
        session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = session.execute(text("EXPLAIN SELECT id FROM reference_products WHERE search_text %> 'herring'")).all()
        assert any("ix_reference_products_search_text" in row[0] for row in plan)


def test_a_clients_login_reads_them_and_writes_none(in_app):
    kept()
    with tenant(factories.make_client().id), reading() as session:
        assert session.scalars(select(ReferenceProduct.name)).all()
        with pytest.raises(ProgrammingError, match="permission denied"):
            session.execute(text("DELETE FROM reference_products"))
        session.rollback()


def test_the_commands_write_say_record_and_remove(app, in_app, owner, tmp_path):
    file, run = tmp_path / "food.tsv", app.test_cli_runner().invoke
    file.write_text(FILE, encoding="utf-8")
    done = run(import_reference_command, [str(file), "--name", "Open Food Facts"])
    assert done.exit_code == 1
    assert "Columns that were not used: ingredients_text." in done.output
    assert "Rejected: line 6, column product_name" in done.output
    assert "Products: 3 new, 0 updated, 0 unchanged; “Open Food Facts” has 3." in done.output
    file.write_text("name\nSprats\n", encoding="utf-8")
    assert run(import_reference_command, [str(file)]).exit_code == 0
    db.session.rollback()
    counts = db.session.execute(select(ReferenceCatalog.name, ReferenceCatalog.product_count)).all()
    assert dict(map(tuple, counts)) == {"Open Food Facts": 3, "food": 1}

    assert "There are: Open Food Facts, food." in run(forget_reference_command, ["Fod"]).output
    done = run(forget_reference_command, ["Open Food Facts"])
    assert (done.exit_code, done.output) == (0, "Removed “Open Food Facts” with 3 products.\n")
    db.session.rollback()
    assert db.session.scalars(select(ReferenceProduct.name)).all() == ["Sprats"]
    rows = owner.execute(f"SELECT action FROM {AuditEntry.__tablename__} WHERE table_name = 'reference_catalogs'")
    assert sorted(action for (action,) in rows) == ["reference_forgotten", "reference_imported", "reference_imported"]


def test_a_file_that_cannot_be_read_is_said_so(app, in_app, tmp_path):
    file = tmp_path / "book.xlsx"
    file.write_bytes(b"PK\x03\x04 a workbook")
    done = app.test_cli_runner().invoke(import_reference_command, [str(file)])
    assert done.exit_code == 1
    assert "Excel workbook" in done.output
    db.session.rollback()
    assert db.session.scalars(select(ReferenceCatalog.id)).all() == []


def test_a_file_whose_name_is_no_text_is_taken_in_and_written_down(app, in_app, owner, tmp_path):
    file = tmp_path / "bad\udcffname.csv"
    file.write_bytes(b"name\nSprats\n")
    done = app.test_cli_runner().invoke(import_reference_command, [str(file)])
    assert done.exit_code == 0, done.output
    rows = owner.execute(
        f"SELECT details ->> 'file' FROM {AuditEntry.__tablename__} WHERE action = 'reference_imported'"
    )
    assert rows.fetchall() == [("badname.csv",)]
    long = "a" * 200
    assert app.test_cli_runner().invoke(import_reference_command, [str(file), "--name", long]).exit_code == 0
    assert app.test_cli_runner().invoke(forget_reference_command, [long]).exit_code == 0


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda file: file.write_text("name\n"), "no rows below"),
        (lambda file: os.mkfifo(file), "no file"),
        (lambda file: file.touch() or os.truncate(file, 2**40), "larger than 50 MB"),
    ],
)
def test_what_holds_nothing_or_too_much_is_told_and_makes_no_catalog(app, in_app, tmp_path, make, says):
    file = tmp_path / "known.csv"
    make(file)
    done = app.test_cli_runner().invoke(import_reference_command, [str(file)])
    assert done.exit_code == 1
    assert says in done.output
    db.session.rollback()
    assert db.session.scalars(select(ReferenceCatalog.id)).all() == []
