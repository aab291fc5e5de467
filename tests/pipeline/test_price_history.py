"""The price history as a picture: everything inside it, bands where there is enough, the same in words."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.phases.facts import Field, Market, SeenPrice
from webapp.pipeline import price_history
from webapp.pipeline.price_history import BOTTOM, FEW, PERIODS, TOP, picture

FIRST = date(2026, 3, 1)


def market(*dots, currency="EUR"):
    seen = [
        SeenPrice(day=FIRST + timedelta(days=day), price=Decimal(price), kind="offer", used=True) for day, price in dots
    ]
    nothing = {name: Field() for name in ("competitive_price", "list_price", "marketplace_price", "brand", "category")}
    return Market(currency=currency, history=tuple(seen), **nothing)


def test_no_history_is_no_picture():
    assert picture(market()) is None


def test_later_is_further_right_and_dearer_is_higher():
    early, late = picture(market((0, "10"), (30, "20"))).dots
    assert early.x < late.x
    assert early.y > late.y
    assert early.says == "1 Mar 2026: 10.00 EUR"


def test_one_day_stands_in_the_middle_and_is_one_period():
    made = picture(market((0, "10"), (0, "11"), (0, "12")))
    assert len({dot.x for dot in made.dots}) == 1
    assert (made.first, made.last, len(made.periods)) == (FIRST, FIRST, 1)
    assert len(made.bands) == 1


def test_a_period_with_few_prices_has_no_band():
    dots = [(day, str(10 + n)) for day in (0, 100) for n in range(FEW - (day == 100))]
    made = picture(market(*dots))
    assert [period.number for period in made.periods] == [FEW, FEW - 1]
    assert len(made.bands) == 1


def test_the_table_says_the_quartiles_and_the_median_in_the_moneys_own_digits():
    (period,) = picture(market(*((0, str(price)) for price in (10, 20, 30, 40, 50)), currency="JPY")).periods
    assert (period.number, period.low, period.middle, period.high) == (5, "20", "30", "40")


def test_a_single_price_has_a_grid_too():
    made = picture(market((0, "10")))
    assert 2 <= len(made.lines) <= 5
    assert made.lowest == made.highest == "10.00"


@pytest.mark.parametrize("days", [1, 5, 40, 730])
def test_there_are_never_more_than_so_many_periods(days):
    made = picture(market(*((day, "10") for day in range(days))))
    assert len(made.periods) <= PERIODS
    assert sum(period.number for period in made.periods) == days
    assert made.periods[-1].last == made.last


prices = st.decimals(min_value="0.01", max_value="9999999", places=2)


@given(st.lists(st.tuples(st.integers(0, 800), prices), min_size=1, max_size=60))
def test_whatever_was_seen_is_drawn_inside(dots):
    made = picture(market(*dots))
    for dot in made.dots:
        assert 0 <= dot.x <= 100
        assert TOP - 1 <= dot.y <= BOTTOM + 1
    for band in made.bands:
        assert band.x >= 0
        assert band.x + band.width <= 100
        assert TOP - 1 <= band.top <= band.middle + 1
        assert band.height > 0
    assert 1 <= len(made.lines) <= 6
    assert all(TOP - 1 <= line.y <= BOTTOM + 1 for line in made.lines)
    assert price_history.HEIGHT > BOTTOM
