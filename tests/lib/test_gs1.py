"""GS1 element strings and Digital Links: every rule kept, and nothing taken from a text that breaks one."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.lib import gs1, gtin

NUMBER = "09521101530018"
TODAY = date(2026, 11, 28)
GS = gs1.GS


def said(text: str, *, is_element_string: bool = True) -> dict[str, str]:
    found = gs1.parse(text, is_element_string=is_element_string, today=TODAY)
    return {element.key: element.value for element in found}


def test_fixed_lengths_follow_each_other_and_variable_ones_end_at_a_separator():
    text = f"01{NUMBER}1726123110LOT-7{GS}2112345{GS}37005"
    assert said(text) == {"gtin": NUMBER, "expiry": "2026-12-31", "lot": "LOT-7", "serial": "12345", "count": "5"}
    assert said(GS + text) == said(text)


def test_a_separator_behind_a_fixed_length_does_no_harm():
    assert said(f"01{NUMBER}{GS}17261231{GS}10A") == {"gtin": NUMBER, "expiry": "2026-12-31", "lot": "A"}


@pytest.mark.parametrize(
    ("raw", "iso"),
    [
        ("260200", "2026-02-28"),
        ("280200", "2028-02-29"),
        ("261200", "2026-12-31"),
        ("770101", "1977-01-01"),
        ("760101", "2076-01-01"),
        ("991231", "1999-12-31"),
        ("000101", "2000-01-01"),
    ],
)
def test_day_00_is_the_months_last_and_a_year_lies_within_fifty_of_todays(raw, iso):
    assert said(f"17{raw}") == {"expiry": iso}


def test_a_year_of_the_next_century_is_one_near_its_end():
    (element,) = gs1.parse("17030101", is_element_string=True, today=date(2060, 1, 1))
    assert element.value == "2103-01-01"


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("3103001250", "net_weight", "1.250 kg"),
        ("3100000012", "net_weight", "12 kg"),
        ("3202000512", "net_weight", "5.12 lb"),
        ("3152000750", "net_volume", "7.50 l"),
        ("7003" + "2612311430", "expiry", "2026-12-31 14:30"),
        ("11260105", "produced", "2026-01-05"),
        ("13260105", "packed", "2026-01-05"),
        ("15260105", "best_before", "2026-01-05"),
        ("37012", "count", "12"),
        ("422756", "country_of_origin", "756"),
        ("00" + "340123450000000000"[:17] + str(gtin.check_digit("34012345000000000")), "sscc", None),
    ],
)
def test_other_facts_are_read_too(text, key, value):
    found = said(text)
    assert list(found) == [key]
    assert value is None or found[key] == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0109521101530019",  # check digit
        "010952110153001",  # too short
        "01" + "0" * 14,
        f"01{NUMBER}17261331",  # no thirteenth month
        f"01{NUMBER}17260230",  # no 30 February
        f"01{NUMBER}172612",
        f"01{NUMBER}10",  # a lot without a value
        f"01{NUMBER}10{'A' * 21}",
        f"01{NUMBER}10LOT 7",  # no blank in set 82
        f"01{NUMBER}10L\u00d6T",
        f"01{NUMBER}8912",  # not in the tables
        f"01{NUMBER}05123",
        f"01{NUMBER}3109000001",  # nine decimals of six digits
        f"01{NUMBER}{GS}{GS}10A",
        f"10A{GS}10B",  # contradicts itself
        "70032612312561",
        "01" + "\u0661" * 14,
        "x" * 500,
    ],
)
def test_what_breaks_a_rule_is_a_text_and_no_part_of_it_is_taken(text):
    assert gs1.parse(text, is_element_string=True, today=TODAY) == ()


def test_digits_without_the_carriers_word_are_no_element_string():
    assert gs1.parse(f"01{NUMBER}10LOT", today=TODAY) == ()


def test_brackets_are_read_where_nothing_stands_beside_them():
    assert said(f"(01){NUMBER}(10)AB12(17)270131", is_element_string=False) == {
        "gtin": NUMBER,
        "lot": "AB12",
        "expiry": "2027-01-31",
    }
    for text in (f"see (01){NUMBER}", f"(01){NUMBER} or so", f"(01){NUMBER}(99999)1", "(01)123", "(hello)", "(01)"):
        assert gs1.parse(text) == ()


@pytest.mark.parametrize(
    ("address", "found"),
    [
        (f"https://id.gs1.org/01/{NUMBER}", {"gtin": NUMBER}),
        (f"https://example.com/shop/01/{NUMBER}/10/AB%2F12/21/S1?17=270131&linkType=x", {
            "gtin": NUMBER, "lot": "AB/12", "serial": "S1", "expiry": "2027-01-31"}),
        ("HTTPS://example.com/01/9521101530018/", {"gtin": NUMBER}),
        ("https://example.com/01/9521101530018?3103=000500", {"gtin": NUMBER, "net_weight": "0.500 kg"}),
        ("https://id.gs1.org/01/96385074", {"gtin": "00000096385074"}),
        ("https://example.com/2026/01/96385074", {}),
        (f"https://example.com/01/{NUMBER}/reviews", {}),
        (f"https://example.com/01/{NUMBER}/21/S1/10/A", {}),  # not in this order
        (f"https://example.com/01/{NUMBER[:-1]}9", {}),
        (f"https://example.com/01/{NUMBER}?17=271331", {}),
        (f"ftp://example.com/01/{NUMBER}", {}),
        (f"https:///01/{NUMBER}", {}),
        ("https://[broken/01/1", {}),
        ("https://example.com/01", {}),
        ("https://example.com/", {}),
    ],
)  # fmt: skip
def test_a_digital_link_says_the_same_in_an_address(address, found):
    assert said(address, is_element_string=False) == found


def test_the_products_number_goes_before_that_of_what_is_inside():
    inside = "02" + NUMBER + "3710"
    assert gs1.gtin_of(gs1.parse(inside, is_element_string=True)) == NUMBER
    other = "0106291041500213"
    assert gs1.gtin_of(gs1.parse(other + inside, is_element_string=True)) == other[2:]
    assert gs1.gtin_of(()) is None


def test_elements_are_written_with_brackets():
    assert gs1.written(gs1.parse(f"01{NUMBER}10LOT-7", is_element_string=True)) == f"(01){NUMBER}(10)LOT-7"


@given(st.text(max_size=60), st.booleans())
def test_no_text_is_too_strange(text, is_element_string):
    found = gs1.parse(text, is_element_string=is_element_string)
    assert all(gtin.is_valid(element.raw) for element in found if element.key == "gtin")


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("10"), st.text("ABCxyz019-./", min_size=1, max_size=20)),
            st.tuples(st.just("21"), st.text("ABCxyz019-./", min_size=1, max_size=20)),
            st.tuples(st.just("17"), st.dates(date(1980, 1, 1), date(2070, 1, 1)).map(lambda day: f"{day:%y%m%d}")),
            st.tuples(st.just("3103"), st.from_regex(r"[0-9]{6}", fullmatch=True).filter(str.isascii)),
            st.just(("01", NUMBER)),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda pair: pair[0],
    )
)
def test_what_is_put_together_comes_apart_again(pairs):
    fixed = ("01", "17", "3103")
    text = "".join(ai + value + ("" if ai in fixed else GS) for ai, value in pairs).removesuffix(GS)
    assert [(element.ai, element.raw) for element in gs1.parse(text, is_element_string=True, today=TODAY)] == pairs
