"""What the product page says of the market: price with its interval, conditions apart, sales, other money, the past."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from tests.factories import make_member
from tests.pipeline.conftest import answer_bells
from webapp.access.models import Client
from webapp.database import tenant, transaction
from webapp.engines import system_engine
from webapp.phases.facts import Condition, Market, Offer
from webapp.phases.rates_csv import DatedRate
from webapp.pipeline.models import PhaseName
from webapp.pipeline.tasks import ENGINES
from webapp.providers import imports, rates

NOW = datetime.now(UTC)


@pytest.fixture
def page(app, client, make_run, sign_in):
    """The product page of a pen, after the client came to know these offers, one sighting after the other."""

    def show(*sightings):
        app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = "tests.providers.test_market_asks.a_pen"
        app.config["PHASE_ENGINES"][PhaseName.MARKET] = ENGINES[PhaseName.MARKET]
        for offers in sightings:
            with tenant(client.id), transaction() as session:
                imports.upsert(session, client.id, offers)
        run = make_run()
        answer_bells()
        with transaction() as session:
            place = session.get_one(Client, client.id)
        return sign_in(make_member(place), place).get(f"/products/{run.product_id}").text

    return show


def pen(number, price, days=0, **changes):
    return Offer(
        **{
            "id": str(number),
            "source": "eBay",
            "title": "Stabilo point 88 pen",
            "price": Decimal(price),
            "currency": "USD",
            "gtin14": "04006381333931",
            "condition": Condition.NEW,
            "link": f"https://shop.example/{number}",
            "seen_at": NOW - timedelta(days=days),
        }
        | changes
    )


def test_the_price_stands_with_its_interval(page):
    shown = page([pen(n, str(20 + n)) for n in range(12)])
    assert "in 90 of 100 cases like this" in shown
    assert "12 of 12 offers used" in shown


def test_who_told_which_offers_are_the_same_product_is_said_once(page):
    shown = page([pen(1, "20"), pen(2, "21")])
    assert shown.count("was judged by the built-in rules") == 1


def test_findings_from_before_it_was_kept_say_nothing_of_it():
    nothing = {name: {} for name in ("competitive_price", "list_price", "marketplace_price", "brand", "category")}
    assert msgspec.convert(nothing, Market).judge is None


def test_few_offers_promise_no_interval(page):
    assert "too few offers to say how sure this is" in page([pen(1, "20")])


def test_conditions_stand_apart(page):
    shown = page([pen(1, "20"), pen(2, "12", condition=Condition.USED)])
    assert "Second-hand" in shown
    assert "12.00 – 12.00" in shown


def test_former_prices_are_drawn_and_told_in_a_table(page):
    shown = page([pen(1, "22", 30), pen(2, "21", 30)], [pen(1, "20", 1), pen(2, "19", 1)])
    assert len(re.findall(r'history-dot is-used" cx="[\d.]+%"', shown)) == 4
    assert "4 prices from" in shown
    assert "The same as a table" in shown


def test_one_day_says_that_there_is_no_past_yet(page):
    assert "All prices were seen on one day so far." in page([pen(1, "20"), pen(2, "21")])


def test_without_a_price_that_counts_there_is_nothing_to_draw(page):
    shown = page([pen(1, "20", condition=Condition.USED)])
    assert "there is no history to draw" in shown


def test_own_sales_are_named_as_such(page):
    sale = pen(9, "23", 20, kind="sale", source="Your sales", link=None)
    shown = page([pen(1, "20"), sale])
    assert "1 of them is your own sale" in shown
    assert 'class="history-sale is-used"' in shown


def test_other_money_shows_its_own_amount_and_what_it_was_compared_by(page):
    day = (NOW - timedelta(days=2)).date()
    with system_engine().begin() as connection:
        rates.keep(connection, [DatedRate(day=day, base="EUR", quote="USD", rate=Decimal("1.25"))])
    shown = page([pen(1, "20", currency="EUR", shipping=Decimal("4.00"))])
    assert "30.00 USD at the rate of" in shown
    assert "and 4.00 shipping" in shown
