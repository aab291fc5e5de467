"""Market research beyond the competitive price: other money, own sales, shipping, an interval, conditions, the past."""

import math
from collections.abc import Collection
from datetime import date, timedelta
from decimal import Decimal

import msgspec
import pytest

from tests.phases.known_offers import NOW, KnownOffers, offer, silent, used
from tests.phases.test_market import GTIN, XM4, reason
from webapp.phases import market
from webapp.phases.facts import Condition, Market, Offer, PastPrice, Rate, Rates
from webapp.phases.market import prices
from webapp.phases.market.summaries import MOST_DOTS

TITLE = "Sony WH-1000XM4"


class Table:
    """`Rates` that know one rate per currency, into whatever is asked for."""

    def __init__(self, **rates: str) -> None:
        self.rates = rates
        self.asked: list[Collection[tuple[str, date]]] = []

    def into(self, currency: str, wanted: Collection[tuple[str, date]]) -> dict[tuple[str, date], Rate]:
        self.asked.append(wanted)
        return {
            (money, day): Rate(rate=Decimal(self.rates[money]), day=day - timedelta(days=1))
            for money, day in wanted
            if money in self.rates
        }


def research(
    *offers: Offer, past: list[PastPrice] | None = None, rates: Rates | None = None, **changes: object
) -> Market:
    identity = msgspec.structs.replace(XM4, **changes)
    return market.research(identity, KnownOffers(offers, past or []), silent, NOW, "EUR", rates=rates)


def sale(price: str, **more: object) -> Offer:
    return offer(TITLE, price, kind="sale", **more)  # type: ignore[arg-type]


# --- other money ----------------------------------------------------------------------------------------------------


def test_other_money_is_converted_by_the_rate_of_its_day_and_kept_beside() -> None:
    found = research(offer(TITLE, "300", currency="USD", id="dollars"), rates=Table(USD="0.8"))
    assert found.competitive_price.value == "240.00"
    assert found.currency == "EUR"
    (dollars,) = found.offers
    assert (dollars.price, dollars.currency, dollars.compared) == (Decimal(300), "USD", Decimal("240.00"))
    assert dollars.rate_day == (NOW - timedelta(days=4)).date()
    says = found.competitive_price.evidence[1].says
    assert "300.00 USD, that is 240.00 EUR at the rate of 16 Nov 2026" in says


def test_money_without_a_rate_is_left_out_and_said_so() -> None:
    found = research(offer(TITLE, "220"), offer(TITLE, "30000", currency="JPY", id="yen"), rates=Table(USD="0.8"))
    assert reason(found, "yen") == "In JPY, and no exchange rate into EUR is known for 17 Nov 2026"
    assert next(one for one in found.offers if one.id == "yen").compared is None
    assert found.competitive_price.value == "220.00"


def test_rates_are_asked_for_once_and_not_at_all_for_ones_own_money() -> None:
    table = Table(USD="0.8", GBP="1.2")
    research(
        *(offer(TITLE, str(200 + n), currency=money) for n, money in enumerate(("USD", "GBP", "EUR"))), rates=table
    )
    (asked,) = table.asked
    assert {money for money, _ in asked} == {"USD", "GBP"}
    own = Table()
    research(offer(TITLE, "220"), rates=own)
    assert own.asked == []


# --- shipping -------------------------------------------------------------------------------------------------------


def test_what_a_buyer_pays_is_compared_with_shipping() -> None:
    found = research(
        offer(TITLE, "200", shipping=Decimal("50.00"), marketplace="eBay"),
        offer(TITLE, "230", shipping=Decimal(0), marketplace="eBay", link="https://e.example/free"),
    )
    assert found.competitive_price.value == found.marketplace_price.value == "230.00"
    assert found.marketplace_link == "https://e.example/free"
    assert any("200.00 EUR and 50.00 EUR shipping" in one.says for one in found.competitive_price.evidence)


# --- own sales ------------------------------------------------------------------------------------------------------


def test_own_sales_are_witnesses_that_count_twice() -> None:
    asked = [offer(TITLE, price) for price in ("200", "210", "220", "230", "240", "250")]
    assert research(*asked).competitive_price.value == "210.00"
    found = research(*asked, sale("240", marketplace="Own shop"), sale("240", marketplace="Own shop", id="again"))
    assert found.competitive_price.value == "240.00"
    assert (found.sales_used, found.offers_used) == (2, 8)
    rule, first, *_ = found.competitive_price.evidence
    assert rule.says.startswith("Middle of the cheaper half of 6 offers and 2 of your own sales (a sale counts twice)")
    assert first.says.startswith("Sold by you (Own shop), 240.00 EUR, new, 3 days ago")


def test_sales_alone_are_enough_for_a_price() -> None:
    found = research(sale("240"), sale("250", id="b"), sale("245", id="c"), sale("260", id="d"))
    assert found.competitive_price.value == "245.00"
    assert found.marketplace_price.value is None, "a sale cannot be bought"
    assert found.competitive_price.evidence[0].says.startswith("Middle of 4 of your own sales")


def test_equal_sales_of_one_day_and_earlier_ones_all_count() -> None:
    found = research(sale("240", id="a"), sale("240", id="b"), sale("240", id="c", days=90))
    assert found.sales_used == 3


# --- the interval ---------------------------------------------------------------------------------------------------


def test_fewer_than_eight_offers_give_no_interval() -> None:
    assert research(*(offer(TITLE, str(200 + n), days=0) for n in range(7))).interval is None
    found = research(*(offer(TITLE, str(200 + 10 * n), days=0, gtin14=GTIN) for n in range(8))).interval
    assert found is not None
    assert found.low <= Decimal(210) < found.high
    assert found.percent == prices.INTERVAL_PERCENT


def test_more_offers_make_the_interval_narrower() -> None:
    def width(number: int) -> Decimal:
        step = Decimal(100) / number
        found = research(*(offer(TITLE, str(200 + step * n), days=0, gtin14=GTIN) for n in range(number))).interval
        assert found is not None
        return found.high - found.low

    assert width(100) < width(40) < width(10)


@pytest.mark.parametrize("number", range(8, 121))
def test_the_interval_holds_the_first_quartile_as_often_as_it_says(number: int) -> None:
    ranked = [prices.Weighed(Decimal(place), 1.0, place) for place in range(1, number + 1)]
    bounds = prices.interval(ranked, prices.competitive(ranked).price)
    assert bounds is not None
    low, high = map(int, bounds)
    # So many of the offers are below the market's quartile: enough for the lower bound, not too many for the upper one.
    held = sum(math.comb(number, below) * 0.25**below * 0.75 ** (number - below) for below in range(low, high))
    assert held >= 0.895


# --- conditions apart -----------------------------------------------------------------------------------------------


def test_new_second_hand_and_broken_are_each_summed_up_by_themselves() -> None:
    found = research(
        *(offer(TITLE, str(price)) for price in (250, 260, 270)),
        *(used(TITLE, str(price)) for price in (150, 155, 160)),
        offer(f"{TITLE} for parts", "40"),
        condition=Condition.USED,
    )
    summed = {one.kind: (one.offers, one.low, one.middle, one.high, one.compared) for one in found.conditions}
    assert summed == {
        "new": (3, Decimal(250), Decimal(260), Decimal(270), False),
        "second_hand": (3, Decimal(150), Decimal(155), Decimal(160), True),
        "for_parts": (1, Decimal(40), Decimal(40), Decimal(40), False),
    }


# --- the past -------------------------------------------------------------------------------------------------------


def past(offer_id: str, days: int, price: str, currency: str = "EUR") -> PastPrice:
    return PastPrice(
        offer_id=offer_id, day=(NOW - timedelta(days=days)).date(), price=Decimal(price), currency=currency
    )


def test_the_history_is_what_offers_asked_before_and_ask_now_oldest_first() -> None:
    now = offer(TITLE, "230", id="a", days=1)
    found = research(now, past=[past("a", 10, "240"), past("a", 40, "250"), past("another", 5, "1")])
    assert [(dot.price, dot.used) for dot in found.history] == [
        (Decimal(250), True), (Decimal(240), True), (Decimal(230), True)
    ]  # fmt: skip
    assert [dot.day for dot in found.history] == sorted(dot.day for dot in found.history)


def test_former_prices_in_other_money_are_converted_or_left_out() -> None:
    now = offer(TITLE, "230", id="a")
    found = research(now, past=[past("a", 10, "300", "USD"), past("a", 20, "9", "JPY")], rates=Table(USD="0.8"))
    assert [dot.price for dot in found.history] == [Decimal("240.00"), Decimal(230)]


def test_what_is_not_compared_leaves_no_dots() -> None:
    odd = [used(TITLE, "100", id="used"), offer(TITLE, "349", kind="list", id="list")]
    asked = [offer(TITLE, price) for price in ("210", "220", "230")]
    found = research(*asked, offer(TITLE, "2300", id="far"), *odd)
    assert {dot.price for dot in found.history} == {Decimal(210), Decimal(220), Decimal(230)}


def test_a_long_history_keeps_its_newest_dots() -> None:
    found = research(offer(TITLE, "230", id="a", days=0), past=[past("a", day, "230") for day in range(1, 900)])
    assert len(found.history) == MOST_DOTS
    assert found.history[-1].day == NOW.date()
