"""Which offers are for the same product. The pairs are the ones that ruin a price when they are judged wrongly."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webapp.phases.facts import Condition
from webapp.phases.market.conditions import condition_said, read_condition
from webapp.phases.matching.judging import compare
from webapp.phases.matching.profile import Profile

HEADPHONES = Profile("Sony WH-1000XM4 Wireless Headphones Black", "Sony", "WH-1000XM4", "04548736112001")
NUTELLA = Profile("Nutella Hazelnut Spread 450 g", "Ferrero", None)
PHONE = Profile("Apple iPhone 12 128GB Blue", "Apple", "A2403")
SHAMPOO = Profile("L'Oréal Paris Elvive Shampoo 2x 400ml", "L'Oréal", None)


@pytest.mark.parametrize(
    ("ours", "title"),
    [
        (HEADPHONES, "SONY WH1000XM4 Bluetooth Kopfhörer schwarz"),
        (HEADPHONES, "Sony WH 1000 XM4"),
        (HEADPHONES, "Sony WH-1000XM4/B over-ear with case"),
        (HEADPHONES, "Sony WH-1000XM4 headphones for iPhone"),
        (NUTELLA, "Ferrero Nutella hazelnut spread 450g jar"),
        (PHONE, "Apple iPhone 12 128 GB blue unlocked"),
        (SHAMPOO, "Loreal Elvive Shampoo 400ml twin pack"),
        (Profile("Bosch Akku-Bohrschrauber GSR 12V-15", "Bosch", "GSR 12V-15"), "Bosch GSR 12V-15 Akkubohrschrauber"),
        (Profile("Brembo P 85 020 brake pad set", "Brembo", "P 85 020"), "BREMBO P85020 Brake Pads Front VW Golf"),
        (Profile("CLP-500RB OPC Drum", "Samsung", "CLP-500RB"), "Samsung OPC drum for CLP-500 series CLP-500RB"),
    ],
)
def test_the_same_product_is_recognised(ours: Profile, title: str) -> None:
    match = compare(ours, Profile(title, None, None))
    assert match.same, match


@pytest.mark.parametrize(
    ("ours", "title", "why"),
    [
        (HEADPHONES, "Sony WH-1000XM3 Wireless Headphones Black", "Other model number"),
        (HEADPHONES, "Leather case for Sony WH-1000XM4", "accessory"),
        (HEADPHONES, "Ear pads fits WH-1000XM4", "accessory"),
        (HEADPHONES, "Sony WH-1000XM4 earpads black", "accessory"),
        (HEADPHONES, "Sony WH-1000XM4 empty box only", "accessory"),
        (HEADPHONES, "2x Sony WH-1000XM4", "Sold as 2 together"),
        (NUTELLA, "Ferrero Nutella Hazelnut Spread 750 g", "Other size: 750 g instead of 450 g"),
        (NUTELLA, "Ferrero Nutella Hazelnut Spread 6 x 450 g", "Sold as 6 together"),
        (PHONE, "Apple iPhone 12 Pro 128GB Blue", "Another version: pro"),
        (PHONE, "Apple iPhone 13 128GB Blue", "Other number in its name: 13 instead of 12"),
        (PHONE, "Apple iPhone 12 64GB Blue", "Other size"),
        (SHAMPOO, "L'Oréal Paris Elvive Shampoo 400 ml", "Not said to be 2 together"),
        (Profile("Espresso cups", None, None), "IKEA espresso cups", "too short to tell"),
        (Profile("", None, None), "Anything", ""),
        (HEADPHONES, "", ""),
    ],
)
def test_another_product_is_told_apart_with_the_reason(ours: Profile, title: str, why: str) -> None:
    match = compare(ours, Profile(title, None, None))
    assert not match.same, match
    assert why in match.why


def test_brands_that_differ_rule_out_and_those_that_are_spelled_differently_do_not() -> None:
    ours = Profile("Acme Toaster TA 200 steel", "Acme", None)
    assert compare(ours, Profile("Toaster TA 200 steel", "Bosch", None)).why == "Other brand: bosch"
    assert compare(ours, Profile("Toaster TA 200 steel", "ACME GmbH", None)).same


def test_one_barcode_is_one_product_and_two_barcodes_are_two() -> None:
    same = Profile("Something else entirely 2 kg", "Other", None, "04548736112001")
    assert compare(HEADPHONES, same).score == 100
    other = Profile("Sony Wireless Headphones Black", "Sony", None, "03017620422003")
    assert compare(HEADPHONES, other).why == "Other barcode"
    region = compare(HEADPHONES, Profile("Sony WH-1000XM4", "Sony", None, "03017620422003"))
    assert region.same
    assert "other barcode" in region.why


def test_a_shops_own_barcode_proves_nothing() -> None:
    ours = Profile("Apples loose", None, None, "02000000000008")
    theirs = Profile("Minced beef", None, None, "02000000000008")
    assert not compare(ours, theirs).same


names = st.text(max_size=200) | st.sampled_from(
    ["Sony 5 kg", "6 x 330 ml", "for for for", "iPhone 12+", "🎧" * 50, "a" * 5000]
)


@example("0000:000", "", "A", None)  # nothing in common but penalties
@given(names, names, st.none() | names, st.none() | names)
def test_any_two_names_can_be_compared(ours: str, theirs: str, brand: str | None, model: str | None) -> None:
    one, other = Profile(ours, brand, model, model), Profile(theirs, model, brand, brand)
    match = compare(one, other)
    assert 0 <= match.score <= 100
    assert match.why
    assert compare(one, other) == match


@pytest.mark.parametrize(
    ("written", "condition"),
    [
        ("new", Condition.NEW), ("NEU", Condition.NEW), ("Brand New", Condition.NEW), ("1000", Condition.NEW),
        ("https://schema.org/UsedCondition", Condition.USED), ("Used - Very Good", Condition.USED),
        ("like_new", Condition.LIKE_NEW), ("3000", Condition.USED), ("generalüberholt", Condition.REFURBISHED),
        ("For parts or not working", Condition.FOR_PARTS), ("7000", Condition.FOR_PARTS), ("perfect", None),
        ("", None), ("9999999999", None), ("9" * 5000, None), ("²", None),
    ],
)  # fmt: skip
def test_conditions_as_feeds_state_them(written: str, condition: Condition | None) -> None:
    assert read_condition(written) is condition


def test_conditions_that_a_title_names() -> None:
    assert condition_said("Sony XM4 - for parts, not working") is Condition.FOR_PARTS
    assert condition_said("Sony XM4 REFURBISHED") is Condition.REFURBISHED
    assert condition_said("Kopfhörer gebraucht") is Condition.USED
    assert condition_said("Sony XM4 headphones") is None
