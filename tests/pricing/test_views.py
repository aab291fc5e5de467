"""The page of pricing rules: who may, what is refused, what is tried and what is kept; and what a product cost."""

import re
from decimal import Decimal

import pytest
from sqlalchemy import select

from tests import factories
from tests.factories import make_member
from tests.pipeline.conftest import answer_bells, client, make_run  # noqa: F401 - fixtures
from tests.pipeline.test_market_panel import pen
from webapp.access.models import Client, Role
from webapp.audit.models import AuditEntry
from webapp.catalog.models import Catalog, Product
from webapp.database import reading, tenant, transaction
from webapp.phases.pricing_rules import PricingRules, Rounding, read_rules
from webapp.pipeline import findings
from webapp.pipeline.models import PhaseName
from webapp.pipeline.tasks import ENGINES
from webapp.pricing import preview
from webapp.providers import imports

GOOD = {"margin": "20", "floor": "5", "ceiling": "500,50", "rounding": "99", "step": ""}


@pytest.fixture
def admin(client, sign_in):  # noqa: F811
    with transaction() as session:
        place = session.get_one(Client, client.id)
    return sign_in(make_member(place, Role.ADMIN), place)


@pytest.fixture
def priced(app, client, make_run):  # noqa: F811
    """Makes a product with its market and its listing."""
    for name in (PhaseName.MARKET, PhaseName.SEO, PhaseName.LISTING):
        app.config["PHASE_ENGINES"][name] = ENGINES[name]
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = "tests.providers.test_market_asks.a_pen"

    def make():
        with tenant(client.id), transaction() as session:
            imports.upsert(session, client.id, [pen(1, "20.40")])
        run = make_run()
        answer_bells()
        return run

    return make


def kept(client, catalog_id=None):  # noqa: F811
    wanted = Catalog.is_default if catalog_id is None else Catalog.id == catalog_id
    with tenant(client.id), reading() as session:
        return read_rules(session.execute(select(Catalog.pricing_rules).where(wanted)).scalar_one())


def catalog_id(client):  # noqa: F811
    return str(factories.default_catalog_id(client))


def listing(run):
    with transaction() as session:
        return findings.read_all(session, run.id)[1][PhaseName.LISTING]


def test_rules_that_are_saved_are_kept_and_recorded(client, admin):  # noqa: F811
    answer = admin.submit("/pricing", GOOD | {"catalog": catalog_id(client)})
    assert answer.status_code == 303
    assert kept(client) == PricingRules(
        margin_percent=Decimal(20),
        floor=Decimal(5),
        ceiling=Decimal("500.50"),
        currency="USD",
        rounding=Rounding.NINETY_NINE,
    )
    with tenant(client.id), reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "pricing_rules_changed")).one()
    assert (entry.old, entry.new["floor"], entry.user_id is not None) == ({}, "5", True)
    page = admin.get("/pricing").text
    assert 'value="500.50"' in page
    admin.submit("/pricing", GOOD | {"catalog": catalog_id(client)})
    with tenant(client.id), reading() as session:
        changes = session.scalars(select(AuditEntry).where(AuditEntry.action == "pricing_rules_changed")).all()
    assert len(changes) == 1, "nothing changed the second time"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"margin": "lots"}, "Enter an amount from 0 to 1000"),
        ({"margin": "-5"}, "Enter an amount from 0 to 1000"),
        ({"margin": "1001"}, "Enter an amount from 0 to 1000"),
        ({"margin": "1e3"}, "Enter an amount"),
        ({"margin": "٢٠"}, "Enter an amount"),
        ({"floor": "0"}, "Enter an amount from 0.01"),
        ({"floor": "9.999"}, "Enter an amount"),
        ({"ceiling": "99999999999999"}, "Enter an amount"),
        ({"floor": "600"}, "must not be below the floor"),
        ({"rounding": "bogus"}, "Choose one of the forms."),
        ({"rounding": ""}, "Choose one of the forms."),
        ({"rounding": "step"}, "Say what prices are multiples of"),
        ({"rounding": "step", "step": "0"}, "Enter an amount from 0.01"),
    ],
)
def test_what_makes_no_sense_is_refused_beside_its_field_and_nothing_is_kept(client, admin, changes, says):  # noqa: F811
    for path in ("/pricing", "/pricing/preview"):
        answer = admin.submit(path, GOOD | changes | {"catalog": catalog_id(client)})
        assert answer.status_code == 422
        assert says in answer.text
        assert "nothing was tried" in answer.text
    assert kept(client) == PricingRules()


def test_trying_shows_the_difference_and_keeps_nothing(client, admin, priced):  # noqa: F811
    priced()
    answer = admin.submit("/pricing/preview", {"rounding": "whole", "floor": "25", "catalog": catalog_id(client)})
    assert answer.status_code == 200
    assert "These rules are not saved yet." in answer.text
    assert "Your floor is 25.00 USD: not below that." in answer.text
    assert '<b class="pricing-changed">25.00</b>' in answer.text.replace("\n", "")
    assert kept(client) == PricingRules()


def test_the_listing_follows_the_rules_of_its_catalog_and_says_so(client, admin, priced):  # noqa: F811
    before = listing(priced())
    admin.submit("/pricing", {"rounding": "step", "step": "5", "floor": "22", "catalog": catalog_id(client)})
    after = listing(priced())
    assert (before.price, after.price) == ("19.99", "25.00")
    assert after.price_reasons[-2:] == ("Your floor is 22.00 USD: not below that.", "Rounded up to 25.00 USD.")


def test_rules_of_another_catalog_do_not_count(client, admin, priced):  # noqa: F811
    other = factories.make_catalog(client, "Vendor goods")
    admin.submit("/pricing", {"rounding": "exact", "floor": "90", "catalog": str(other.id)})
    assert kept(client, other.id).floor == Decimal(90)
    assert listing(priced()).price == "19.99"
    assert "Vendor goods" in admin.get("/pricing").text
    assert 'value="90"' in admin.get(f"/pricing?catalog={other.id}").text


def test_what_a_product_cost_makes_the_margin_count(client, admin, priced):  # noqa: F811
    admin.submit("/pricing", {"margin": "50", "rounding": "exact", "catalog": catalog_id(client)})
    run = priced()
    assert listing(run).price == "20.40"
    assert admin.submit(f"/products/{run.product_id}/cost", {"cost": "20,00"}).status_code == 303
    assert "20.00 USD" in admin.get(f"/products/{run.product_id}").text
    admin.submit(f"/products/{run.product_id}/runs")
    answer_bells()
    with transaction() as session:
        product = session.get_one(Product, run.product_id, populate_existing=True)
        assert (product.price, product.cost, product.cost_currency) == (Decimal("30.00"), Decimal("20.00"), "USD")
    admin.submit(f"/products/{run.product_id}/cost", {"cost": ""})
    with transaction() as session:
        product = session.get_one(Product, run.product_id, populate_existing=True)
        assert (product.cost, product.cost_currency) == (None, None)


def test_a_price_below_what_cost_and_rules_ask_for_says_so_and_the_way_out(client, admin, priced, sign_in):  # noqa: F811
    """Neither a cost nor a rule changes a listing that is written; a new run does."""
    run = priced()
    pages = (f"/products/{run.product_id}", f"/products/{run.product_id}/listing")

    def said(browser):
        return [("This price is too low." in page) and page for page in (browser.get(path).text for path in pages)]

    assert said(admin) == [False, False]
    admin.submit("/pricing", {"margin": "20", "rounding": "exact", "catalog": catalog_id(client)})
    assert said(admin) == [False, False], "nobody knows what it cost"
    admin.submit(f"/products/{run.product_id}/cost", {"cost": "20"})
    for page in said(admin):
        assert "Cost 20.00 USD plus 20% is 24.00 USD." in page
        assert f'formaction="/products/{run.product_id}/runs"' in page.split("This price is too low.")[1]
    with transaction() as session:
        place = session.get_one(Client, client.id)
    assert said(sign_in(make_member(place), place)) == [False, False], "staff cannot change either"
    admin.submit(f"/products/{run.product_id}/runs")
    answer_bells()
    assert said(admin) == [False, False]
    admin.submit("/pricing", {"margin": "20", "floor": "90", "rounding": "exact", "catalog": catalog_id(client)})
    assert "Your floor is 90.00 USD." in said(admin)[0]


def test_a_price_that_a_person_wrote_is_theirs_to_change(client, admin, priced):  # noqa: F811
    run = priced()
    address = f"/products/{run.product_id}/listing/texts"
    form = admin.get(address).text
    found = listing(run)
    texts = {"title": found.title, "bullets": "\n".join(found.bullets), "description": found.description}
    seen = re.search(r'name="seen"\s+value="([^"]*)"', form)[1]
    assert admin.submit(address, {**texts, "category": "", "price": "5.47", "seen": seen}).status_code == 303
    admin.submit("/pricing", {"floor": "10", "rounding": "exact", "catalog": catalog_id(client)})
    warned = admin.get(f"/products/{run.product_id}").text.split("This price is too low.")[1]
    assert "A person wrote it, so no run changes it." in warned
    assert f'href="{address}"' in warned.split("</dl>")[0]


@pytest.mark.parametrize("cost", ["-1", "free", "1e9", "99999999999999999"])
def test_a_cost_that_is_none_is_refused_and_said_so(client, admin, make_run, cost):  # noqa: F811
    run = make_run()
    answer = admin.submit(f"/products/{run.product_id}/cost", {"cost": cost}, follow_redirects=True)
    assert "Enter an amount from 0" in answer.text
    with transaction() as session:
        assert session.get_one(Product, run.product_id).cost is None


@pytest.mark.parametrize("role", [Role.STAFF, Role.REVIEWER])
def test_only_admins_see_and_set_rules(client, sign_in, role):  # noqa: F811
    with transaction() as session:
        place = session.get_one(Client, client.id)
    browser = sign_in(make_member(place, role), place)
    assert browser.get("/pricing").status_code == 403
    for path in ("/pricing", "/pricing/preview"):
        assert browser.submit(path, GOOD | {"catalog": catalog_id(client)}).status_code == 403
    assert kept(client) == PricingRules()
    assert "Pricing rules" not in browser.get("/").text


def test_staff_do_not_say_what_a_product_cost(client, sign_in, make_run):  # noqa: F811
    run = make_run()
    with transaction() as session:
        place = session.get_one(Client, client.id)
    browser = sign_in(make_member(place), place)
    assert browser.submit(f"/products/{run.product_id}/cost", {"cost": "5"}).status_code == 403
    assert "Say what it cost" not in browser.get(f"/products/{run.product_id}").text


def test_another_clients_catalogs_and_products_are_not_there(client, admin):  # noqa: F811
    stranger = factories.make_client()
    product = factories.make_product(stranger)
    foreign = catalog_id(stranger)
    assert admin.get(f"/pricing?catalog={foreign}").status_code == 404
    assert admin.get("/pricing?catalog=nonsense").status_code == 404
    assert admin.submit("/pricing", GOOD | {"catalog": foreign}).status_code == 404
    assert admin.submit(f"/products/{product.id}/cost", {"cost": "5"}).status_code == 404
    assert kept(stranger) == PricingRules()


def test_a_form_without_its_token_changes_nothing(client, admin):  # noqa: F811
    assert admin.post("/pricing", data=GOOD | {"catalog": catalog_id(client)}).status_code == 400
    assert kept(client) == PricingRules()


def test_the_preview_costs_the_same_however_many_products_there_are(client, admin, priced, count_queries):  # noqa: F811
    counts = []
    for number in (1, 3):
        for _ in range(number):
            priced()
        with count_queries() as statements:
            assert admin.get("/pricing").status_code == 200
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_the_preview_is_bounded(client, priced, monkeypatch):  # noqa: F811
    monkeypatch.setattr(preview, "SHOWN", 2)
    for _ in range(3):
        priced()
    with tenant(client.id), reading() as session:
        found = preview.samples(session, factories.default_catalog_id(client), PricingRules(), PricingRules())
    assert len(found) == 2


def test_the_clients_currency_is_an_admins_setting(client, admin, priced):  # noqa: F811
    typed = {"name": "Harbour", "threshold": "80", "audits": "2"}
    assert admin.submit("/client", typed | {"currency": "quid"}).status_code == 422
    assert admin.submit("/client", typed | {"currency": "eur"}).status_code == 303
    with transaction() as session:
        assert session.get_one(Client, client.id, populate_existing=True).currency == "EUR"
