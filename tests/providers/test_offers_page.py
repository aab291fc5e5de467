"""The page of offers and sales: a file in, its bad rows named; where offers come from; who may."""

import io
import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import func, select, text

from tests import factories
from tests.factories import make_member
from tests.providers import ebay_server
from tests.providers.test_ebay import configured
from webapp.access.models import Role
from webapp.audit.models import AuditEntry
from webapp.database import reading, tenant, transaction
from webapp.engines import system_engine
from webapp.phases.rates_csv import DatedRate
from webapp.providers import rates
from webapp.providers.models import Offer

OFFERS = "title;price;currency;gtin\nKettle K-1;19,90;USD;4006381333931\n"
SALES = "order;title;price;currency;sold at\nA-1;Kettle K-1;21,00;USD;2026-03-01\n"


@pytest.fixture
def client(in_app):
    return factories.make_client("Harbour Trade")


@pytest.fixture
def admin(client, sign_in):
    return sign_in(make_member(client, Role.ADMIN), client)


def send(browser, table, *, kind="offers", name="list.csv", **more):
    data = table if isinstance(table, bytes) else table.encode()
    return browser.submit("/offers", {"kind": kind, "source": "", "file": (io.BytesIO(data), name)} | more)


def kept(client):
    with tenant(client.id), reading() as session:
        return [
            tuple(row) for row in session.execute(select(Offer.kind, Offer.title, Offer.source).order_by(Offer.kind))
        ]


def test_a_good_file_is_taken_in(client, admin):
    answer = send(admin, OFFERS)
    assert answer.status_code == 303
    assert kept(client) == [("offer", "Kettle K-1", "list")]
    page = admin.get("/offers").text
    assert "1 row was taken in." in page
    assert "1 new, 0 updated, 0 rejected" in " ".join(page.split())


def test_own_sales_are_taken_in_as_such(client, admin):
    send(admin, SALES, kind="sales", source="ignored")
    assert kept(client) == [("sale", "Kettle K-1", "Your sales")]
    with tenant(client.id), reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "sales_imported")).one()
    assert entry.user_id is not None


def test_where_offers_come_from_can_be_said(client, admin):
    send(admin, OFFERS, source="Fair 2026")
    assert kept(client)[0][2] == "Fair 2026"


def test_bad_rows_are_named_by_line_and_reason_and_the_others_are_kept(client, admin):
    answer = send(admin, OFFERS + "Lamp;cheap;EUR;\n<b>;12;EUR;123\n")
    assert answer.status_code == 200
    said = " ".join(answer.text.split())
    assert "3 rows read, 1 rejected" in said
    assert "There is no number in it." in said
    assert '<td data-label="Lines"> 3 </td>' in said
    assert "<b>;12" not in answer.text
    assert len(kept(client)) == 2


def test_only_checking_writes_nothing(client, admin):
    answer = send(admin, OFFERS, only_check="yes")
    assert "Checked; nothing was written." in answer.text
    assert "1 new" in answer.text
    assert kept(client) == []


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("", "The file is empty."),
        ("colour;size\nred;5\n", "The header needs"),
        (b"PK\x03\x04....", "This is an Excel workbook"),
        (b"\xff\xfe\x00", "The "),
    ],
)
def test_a_file_that_is_none_is_refused_beside_its_field(client, admin, table, says):
    answer = send(admin, table)
    assert answer.status_code == 422
    assert says in answer.text
    assert kept(client) == []


def test_without_a_file_or_a_kind_it_says_so(client, admin):
    assert "Choose a file." in admin.submit("/offers", {"kind": "offers", "source": ""}).text
    assert "Choose what the file holds." in send(admin, OFFERS, kind="secrets").text
    assert "Choose a file." in admin.submit("/offers", {"kind": "offers", "file": "not a file"}).text


def test_a_file_above_the_limit_is_too_large(client, admin):
    answer = send(admin, b"x" * (3 * 2**20))
    assert answer.status_code == 413
    assert "import-offers" in answer.text
    assert 'href="/offers"' in answer.text.split("<main")[1]
    assert "photos" not in answer.text.split("<main")[1]


def test_problems_that_say_the_same_are_told_once_with_their_lines(client, admin):
    answer = send(admin, "title;price;currency\n" + "Lamp;cheap;EUR\n" * 150 + "Pot;9;EUR\nLamp;dear;EUR\n")
    said = " ".join(answer.text.split())
    assert said.count("There is no number in it.") == 1
    assert '<td class="number" data-label="Rows">151</td> <td data-label="Lines"> 2–151, 153 </td>' in said
    assert "<td>cheap, dear</td>" in said


def test_more_problems_than_are_listed_are_counted(client, admin):
    said = " ".join(send(admin, "title;price;currency\n" + "Lamp;;EUR\n" * 1200).text.split())
    assert "These are the first 1000; 200 more follow further down in the file." in said


def test_a_file_without_rows_is_not_taken_for_one_that_was_read(client, admin):
    for kind, header in (("offers", OFFERS), ("sales", SALES)):
        answer = send(admin, header.splitlines()[0] + "\n\n", kind=kind)
        assert answer.status_code == 422
        assert "no rows below it" in answer.text
    assert "None yet." in admin.get("/offers").text


def test_rows_in_money_without_a_rate_are_counted(client, admin):
    """The client's money is USD. A rate of another day, or to other money, is none."""
    with system_engine().begin() as connection:
        known = [DatedRate(day=date(2026, 3, 2), base="EUR", quote=money, rate=Decimal(2)) for money in ("USD", "GBP")]
        rates.keep(connection, known)
    head = "title;price;currency;seen at\n"
    rows = "Cup;9;USD;2020-01-01\nPot;9;EUR;2026-03-03\nPan;9;EUR;2026-05-01\nLid;9;JPY;2026-03-03\n"
    for more in ({"only_check": "yes"}, {}):
        said = " ".join(send(admin, head + rows, **more).text.split())
        assert "2 rows are in money without an exchange rate to USD of their day (EUR, JPY): they do not count" in said
        assert "import-rates" in said
    assert len(kept(client)) == 4
    assert send(admin, head + "Pot;9;EUR;2026-03-04\n").status_code == 303


def check(browser, table):
    """As htmx does: the file stays chosen, and what comes back has a button to take it in. Its mark."""
    data = {"kind": "offers", "source": "", "file": (io.BytesIO(table.encode()), "list.csv"), "only_check": "yes"}
    answer = browser.submit("/offers", data, headers={"HX-Request": "true"})
    return re.search(r'name="checked"\s+value="(\w+)"', answer.text)


def test_what_was_checked_is_taken_in_without_being_chosen_again(client, admin):
    mark = check(admin, OFFERS)[1]
    assert kept(client) == []
    other = send(admin, OFFERS + "Lamp;5;EUR;\n", checked=mark)
    assert other.status_code == 422
    assert "This is not what was checked" in other.text
    assert send(admin, OFFERS, checked=mark, source="Somewhere else").status_code == 422
    assert kept(client) == []
    assert send(admin, OFFERS, checked=mark).status_code == 303
    assert len(kept(client)) == 1


def test_nothing_is_offered_to_be_taken_in_where_there_is_nothing(client, admin):
    assert check(admin, "title;price\nLamp;cheap\n") is None
    assert "choose the file once more" in send(admin, OFFERS, only_check="yes").text


@pytest.mark.parametrize("role", [Role.STAFF, Role.REVIEWER])
def test_only_admins_take_in_files(client, sign_in, role):
    browser = sign_in(make_member(client, role), client)
    assert browser.get("/offers").status_code == 403
    assert send(browser, OFFERS).status_code == 403
    assert kept(client) == []


def test_another_clients_files_are_not_shown(client, admin, sign_in):
    send(admin, OFFERS, name="secret-plan.csv")
    other = factories.make_client()
    page = sign_in(make_member(other, Role.ADMIN), other).get("/offers").text
    assert "secret-plan" not in page
    assert kept(other) == []


def test_sources_and_their_state_are_shown(app, client, admin, monkeypatch):
    assert "None yet. Whoever runs this installation can connect eBay" in admin.get("/offers").text
    with ebay_server.running() as server:
        monkeypatch.setitem(app.extensions, "lotline_sources", (configured(server),))
        assert "answers" in admin.get("/offers").text
    with transaction() as session:
        session.execute(
            text(
                "INSERT INTO circuits (name, label, state, opened_at, next_probe_at)"
                " VALUES ('ebay', 'eBay', 'open', now(), now())"
            )
        )
    assert "away" in admin.get("/offers").text


def test_it_says_how_far_rates_are_known_and_that_they_are_old(client, admin):
    def know(day):
        with system_engine().begin() as connection:
            rates.keep(
                connection, [DatedRate(day=day, base="EUR", quote=money, rate=Decimal(2)) for money in ("USD", "GBP")]
            )

    assert "No exchange rates are known" in admin.get("/offers").text
    know(date(2026, 1, 20))
    page = admin.get("/offers").text
    assert "Exchange rates are known up to 20 Jan 2026." in page
    assert "do not count until newer ones come in" in page
    know(datetime.now(UTC).date())
    assert "do not count until newer ones come in" not in admin.get("/offers").text


def test_the_page_costs_the_same_however_much_there_is(client, admin, count_queries):
    counts = []
    for number in (1, 4):
        for place in range(number):
            send(admin, OFFERS, name=f"list{number}{place}.csv")
        with count_queries() as statements:
            admin.get("/offers")
        counts.append(len(statements))
    assert counts[0] == counts[1]
    with tenant(client.id), reading() as session:
        assert session.execute(select(func.count()).select_from(AuditEntry)).scalar_one() >= 5
