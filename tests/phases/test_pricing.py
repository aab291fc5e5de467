"""The price proposal: every step said, not above a fresh list price, never negative, charming where it costs little."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.phases.known_offers import offer, used
from tests.phases.products import HEADPHONES, UNKNOWN, researched
from webapp.lib.money import minor_digits
from webapp.phases.facts import Condition, Offer
from webapp.phases.pricing import Proposal, propose
from webapp.phases.pricing_rules import CHARM_LOSS, charm

TITLE = "Sony WH-1000XM4"


def proposed(condition: Condition | None, *offers: Offer) -> Proposal:
    item = msgspec.structs.replace(HEADPHONES, condition=condition)
    return propose(condition, researched(item, *offers))


def test_a_new_item_takes_the_competitive_price() -> None:
    found = proposed(Condition.NEW, offer(TITLE, "250.00"))
    assert (found.price, found.currency) == (Decimal("249.99"), "EUR")
    assert found.reasons == ("Competitive price 250.00 EUR, from 1 offer.", "Rounded down to 249.99 EUR.")


def test_a_used_item_is_priced_by_used_offers_without_a_discount() -> None:
    assert proposed(Condition.LIKE_NEW, used(TITLE, "150")).price == Decimal("149.99")


def test_without_offers_of_its_kind_the_condition_takes_its_share() -> None:
    found = proposed(Condition.USED, offer(TITLE, "200"))
    assert found.price == Decimal("129.99")
    assert "That is for new items; this one is used: 65% of it is 130.00 EUR." in found.reasons
    broken = proposed(Condition.FOR_PARTS, used(TITLE, "130"))
    assert broken.price == Decimal("49.99")
    assert any("second-hand items; this one is for parts or not working: 38%" in reason for reason in broken.reasons)


def test_an_unknown_condition_takes_nothing_off_and_says_so() -> None:
    found = proposed(None, offer(TITLE, "200"))
    assert found.price == Decimal("199.99")
    assert "The item's condition is not known, so nothing is taken off for it." in found.reasons


def test_the_list_price_is_a_ceiling_while_it_is_fresh() -> None:
    dear = offer(TITLE, "300")
    assert proposed(Condition.NEW, dear, offer(TITLE, "250", kind="list", days=30)).price == Decimal("249.99")
    assert proposed(Condition.NEW, dear, offer(TITLE, "250", kind="list", days=3000)).price == Decimal("299.99")


def test_without_any_offer_the_list_price_less_a_tenth() -> None:
    found = proposed(Condition.USED, offer(TITLE, "200", kind="list"))
    assert found.price == Decimal("116.99")
    assert found.reasons[0] == "No offer to compare with: 90% of the list price of 200.00 EUR is 180.00 EUR."


def test_without_anything_no_price_and_the_reason() -> None:
    found = propose(None, researched(UNKNOWN))
    assert found.price is None
    assert found.reasons[-1] == "No price is proposed: set one under “Edit the listing”."


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("250", "EUR", "249.99"), ("249.97", "EUR", "249.95"), ("249.99", "EUR", "249.99"), ("8.50", "EUR", "8.50"),
        ("8.05", "EUR", "7.99"), ("0.99", "EUR", "0.99"), ("0.40", "EUR", "0.40"), ("0.001", "EUR", "0.01"),
        ("1234.56", "JPY", "1230"), ("9", "JPY", "9"), ("12.5", "KWD", "11.990"),
    ],
)  # fmt: skip
def test_charm(amount: str, currency: str, expected: str) -> None:
    assert str(charm(Decimal(amount), currency)) == expected


@given(st.decimals(min_value="0.01", max_value="9999999", places=2), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_charm_rounds_down_a_little_and_never_to_zero(amount: Decimal, currency: str) -> None:
    price = charm(amount, currency)
    assert price > 0
    assert price == round(price, minor_digits(currency))
    if amount >= 1:
        assert amount * (1 - CHARM_LOSS) - 1 <= price <= round(amount, 0) + 1
