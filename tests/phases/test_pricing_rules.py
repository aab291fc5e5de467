"""A catalog's pricing rules: margin, floor, ceiling and rounding, each step said in words."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.phases.known_offers import offer
from tests.phases.products import HEADPHONES, UNKNOWN, researched
from tests.phases.test_pricing import TITLE
from webapp.phases.facts import Condition
from webapp.phases.pricing import Proposal, propose
from webapp.phases.pricing_rules import PricingRules, Rounding, Terms, read_rules, shaped


def priced(asked: str, cost: str | None = None, cost_currency: str = "EUR", **rules: object) -> Proposal:
    """The proposal for a new item that the market asks this much for."""
    rules = {"currency": "EUR", "rounding": Rounding.EXACT} | rules
    terms = Terms(
        rules=msgspec.convert(rules, PricingRules),
        cost=Decimal(cost) if cost else None,
        cost_currency=cost_currency if cost else None,
    )
    return propose(Condition.NEW, researched(HEADPHONES, offer(TITLE, asked)), terms)


def test_without_rules_nothing_changes() -> None:
    market = researched(HEADPHONES, offer(TITLE, "250"))
    assert propose(Condition.NEW, market, Terms()) == propose(Condition.NEW, market)


def test_the_margin_on_cost_lifts_a_price_that_is_too_low() -> None:
    found = priced("100", cost="90", margin_percent="25")
    assert found.price == Decimal("112.50")
    assert found.reasons[-1] == "Cost 90.00 EUR plus 25% is 112.50 EUR: not below that."
    assert priced("150", cost="90", margin_percent="25").price == Decimal(150)


def test_a_cost_without_a_margin_and_a_margin_without_a_cost_say_nothing() -> None:
    assert priced("100", cost="90").price == Decimal(100)
    assert priced("100", margin_percent="25").price == Decimal(100)


def test_floor_and_ceiling_bound_the_price() -> None:
    low = priced("3", floor="5")
    assert (low.price, low.reasons[-1]) == (Decimal(5), "Your floor is 5.00 EUR: not below that.")
    high = priced("900", ceiling="500")
    assert (high.price, high.reasons[-1]) == (Decimal(500), "Not above your ceiling of 500.00 EUR.")


def test_what_it_must_not_be_below_goes_before_the_ceiling() -> None:
    found = priced("100", cost="90", margin_percent="25", ceiling="105")
    assert found.price == Decimal("112.50")
    assert "Your ceiling of 105.00 EUR is below that, so it does not hold here." in found.reasons


def test_amounts_in_other_money_are_not_looked_at_and_said_so() -> None:
    found = priced("3", floor="5", currency="USD")
    assert found.price == Decimal(3)
    assert "Floor and ceiling are in USD, so they are not looked at." in found.reasons
    other = priced("100", cost="900", cost_currency="USD", margin_percent="25")
    assert other.price == Decimal(100)
    assert "The cost is in USD, so the margin is not looked at." in other.reasons


@pytest.mark.parametrize(
    ("asked", "rules", "price", "word"),
    [
        ("250.30", {"rounding": "99"}, "249.99", "down"),
        ("250.60", {"rounding": "99"}, "250.99", "up"),
        ("250.60", {"rounding": "95"}, "250.95", "up"),
        ("250.50", {"rounding": "whole"}, "250.00", "down"),
        ("252.00", {"rounding": "step", "step": "5"}, "250.00", "down"),
        ("253.00", {"rounding": "step", "step": "5"}, "255.00", "up"),
        ("250.30", {"rounding": "step", "step": "0.25"}, "250.25", "down"),
        ("250.30", {"rounding": "charm"}, "249.99", "down"),
        ("0.30", {"rounding": "99"}, "0.99", "up"),
        ("0.30", {"rounding": "whole"}, "1.00", "up"),
    ],
)
def test_prices_get_the_form_that_is_asked_for(asked: str, rules: dict[str, str], price: str, word: str) -> None:
    found = priced(asked, **rules)
    assert str(found.price) == price
    assert found.reasons[-1] == f"Rounded {word} to {price} EUR."


def test_rounding_never_goes_below_the_floor_nor_above_the_ceiling() -> None:
    assert priced("3", floor="5.20", rounding="99").price == Decimal("5.99")
    assert priced("3", floor="5.20", rounding="charm").price == Decimal("5.20")
    assert priced("900", ceiling="500", rounding="99").price == Decimal("499.99")
    assert priced("900", ceiling="500", rounding="step", step="30").price == Decimal(480)
    squeezed = priced("3", floor="5.20", ceiling="5.50", rounding="99")
    assert squeezed.price == Decimal("5.20"), "no price of that form lies between: the floor holds"


def test_money_without_cents_has_no_endings() -> None:
    rules = PricingRules(rounding=Rounding.NINETY_NINE)
    assert shaped(Decimal("1234.4"), "JPY", rules) == Decimal(1234)


def test_without_any_offer_cost_and_margin_make_the_price() -> None:
    terms = Terms(rules=PricingRules(margin_percent=Decimal(50)), cost=Decimal(10), cost_currency="EUR")
    found = propose(None, researched(UNKNOWN), terms)
    assert (found.price, found.currency) == (Decimal("15.00"), "EUR")
    assert found.reasons[1] == "Cost 10.00 EUR plus 50% is 15.00 EUR: that is all there is to go by."
    only_floor = Terms(rules=PricingRules(floor=Decimal(5), currency="EUR"), cost=Decimal(10), cost_currency="EUR")
    assert propose(None, researched(UNKNOWN), only_floor).price is None, "a floor alone is no price"


@pytest.mark.parametrize("kept", [{}, {"rounding": "none such"}, {"floor": "a lot"}, {"something": "else"}, [], None])
def test_what_a_catalog_keeps_otherwise_is_no_rule(kept: object) -> None:
    assert read_rules(kept) == PricingRules()


amounts = st.decimals(min_value="0.01", max_value="99999", places=2)
bounds = st.integers(1, 99999).map(Decimal)


@given(
    amounts,
    st.none() | bounds,
    st.none() | bounds,
    st.sampled_from(Rounding),
    st.decimals(min_value="0.01", max_value="1000", places=2),
    st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_a_price_is_positive_and_within_bounds_that_agree(
    asked: Decimal, floor: Decimal | None, ceiling: Decimal | None, rounding: Rounding, step: Decimal, currency: str
) -> None:
    if floor is not None and ceiling is not None and ceiling < floor:
        floor, ceiling = ceiling, floor
    rules = PricingRules(floor=floor, ceiling=ceiling, currency=currency, rounding=rounding, step=step)
    market = researched(HEADPHONES, offer(TITLE, str(asked), currency=currency))
    price = propose(Condition.NEW, market, Terms(rules=rules)).price
    if price is not None:
        assert price > 0
        assert floor is None or price >= floor
        assert ceiling is None or price <= ceiling
