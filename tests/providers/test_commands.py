"""`flask import-offers`: what it says, what it writes, how it ends."""

import pytest
from sqlalchemy import select

from tests import factories
from webapp.audit.models import AuditEntry
from webapp.database import db, reading, tenant
from webapp.providers.commands import import_offers_command
from webapp.providers.models import Offer

GOOD = "title;price;seen_at;gtin\nKettle K-1;19,90;2026-03-01;4006381333931\nToaster;25,00;2026-03-02;\n"
MIXED = GOOD + "Lamp;cheap;2026-03-02;\n;12,00;2026-03-02;\nRadio;30,00;2026-03-03;123\n"


@pytest.fixture
def client(in_app):
    made = factories.make_client("Harbour Trade", currency="EUR")
    db.session.expunge(made)  # the command's rollback is not the test's
    return made


@pytest.fixture
def run(app, client, tmp_path):
    """Runs the command on a file with this text."""

    def invoke(text: str, *options: str, slug: str = "harbour-trade"):
        file = tmp_path / "prices.csv"
        file.write_text(text, encoding="utf-8")
        return app.test_cli_runner().invoke(import_offers_command, [str(file), "--client", slug, *options])

    return invoke


def offers(client) -> list[Offer]:
    with tenant(client.id), reading() as session:
        rows = session.scalars(select(Offer).order_by(Offer.title)).all()
        session.expunge_all()
    return list(rows)


def test_good_file_is_written_and_said_so(client, run):
    done = run(GOOD)
    assert done.exit_code == 0
    assert "Offers: 2 new, 0 updated, 0 unchanged. Rows: 0 repeated, 0 rejected." in done.output
    kettle, toaster = offers(client)
    assert (kettle.title, str(kettle.price), kettle.currency, kettle.gtin14) == (
        "Kettle K-1",
        "19.90",
        "EUR",
        "04006381333931",
    )
    assert toaster.source == "prices"


def test_same_file_again_changes_nothing(client, run):
    run(GOOD)
    done = run(GOOD)
    assert done.exit_code == 0
    assert "0 new, 0 updated, 2 unchanged" in done.output
    assert len(offers(client)) == 2


def test_rejected_rows_are_named_the_others_are_written_and_the_exit_code_tells(client, run):
    done = run(MIXED)
    assert done.exit_code == 1
    assert "Rejected: line 4, column price, “cheap”:" in done.output
    assert "Rejected: line 5, column title:" in done.output
    assert "Note: line 6, column gtin, “123”:" in done.output
    assert "3 new" in done.output
    assert "2 rejected" in done.output
    assert [offer.title for offer in offers(client)] == ["Kettle K-1", "Radio", "Toaster"]


def test_dry_run_says_the_same_and_writes_nothing(client, run):
    done = run(MIXED, "--dry-run")
    assert done.exit_code == 1
    assert "3 new" in done.output
    assert "nothing was written" in done.output
    assert offers(client) == []
    with tenant(client.id), reading() as session:
        assert "offers_imported" not in session.scalars(select(AuditEntry.action)).all()


def test_rows_in_money_without_a_rate_are_told(run):
    done = run("title;price;currency;seen_at\nKettle;19,90;GBP;2026-03-01\nToaster;9,90;EUR;2026-03-01\n")
    assert done.exit_code == 0
    assert "until there is an exchange rate into EUR of their day: 1 (in GBP)" in done.output
    assert "exchange rate" not in run(GOOD).output


def test_import_is_in_the_audit(client, run):
    run(MIXED)
    with tenant(client.id), reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "offers_imported")).one()
        assert entry.details == {"file": "prices.csv", "inserted": 3, "updated": 0, "unchanged": 0, "rejected": 2}


def test_source_can_be_named(client, run):
    run(GOOD, "--source", "Fair 2026")
    assert {offer.source for offer in offers(client)} == {"Fair 2026"}


def test_only_the_named_client_gets_them(client, run):
    run(GOOD)
    assert offers(factories.make_client()) == []


def test_unknown_client_and_unreadable_file_are_told(client, run):
    stranger = run(GOOD, slug="nobody")
    assert (stranger.exit_code, "no client with the short name 'nobody'" in stranger.output) == (1, True)
    broken = run("colour;size\nred;5\n")
    assert (broken.exit_code, "prices.csv: The header needs" in broken.output) == (1, True)
    assert offers(client) == []


def test_missing_file_is_told(app, client):
    done = app.test_cli_runner().invoke(import_offers_command, ["/no/such.csv", "--client", "harbour-trade"])
    assert done.exit_code == 2
    assert "does not exist" in done.output
