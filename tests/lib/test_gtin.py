"""GTINs: every written form comes to the same 14 digits, and what is none is refused with its reason."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from webapp.lib import gtin


def body(length: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=length, max_size=length).filter(lambda text: text.strip("0") != "")


def complete(body: str) -> str:
    return body + str(gtin.check_digit(body))


def test_check_digit_of_the_worked_example():
    assert gtin.check_digit("629104150021") == 3


@given(st.sampled_from([7, 11, 12, 13]).flatmap(body))
def test_a_complete_number_is_padded_to_14_digits(start):
    number = complete(start)
    assert number.zfill(14) in gtin.readings(number)
    assert gtin.is_valid(gtin.normalise(number))


@given(body(12), st.integers(0, 12), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(start, place, shift):
    number = complete(start)
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    assert not gtin.is_valid(wrong)
    if wrong.strip("0"):
        with pytest.raises(gtin.GtinError, match="last digit"):
            gtin.normalise(wrong)


@given(body(12), st.sampled_from([" ", "-", "\u2013", "\u00a0", "\u2011"]), st.lists(st.integers(1, 12), max_size=4))
def test_spaces_and_dashes_do_not_count(start, sign, places):
    number = complete(start)
    decorated = number
    for place in sorted(set(places), reverse=True):
        decorated = decorated[:place] + sign + decorated[place:]
    assert gtin.normalise(f" {decorated} ") == number.zfill(14)


@given(body(13))
def test_what_stands_under_the_bars_reads_back(start):
    number = complete(start)
    assert number in gtin.readings(gtin.written(number))


@pytest.mark.parametrize(
    ("upce", "upca"),
    [
        ("04252614", "042100005264"),
        ("06543217", "065100004327"),
        ("01234565", "012345000065"),
        ("01234531", "012300000451"),
        ("01234543", "012340000053"),
        ("05096893", "050968000093"),
    ],
)
def test_upce_expands(upce, upca):
    assert gtin.expand_upce(upce) == upca
    assert gtin.normalise(upce) == upca.zfill(14)


@given(st.sampled_from("01"), body(6))
def test_an_expanded_upce_is_a_valid_upca(system, middle):
    found = [code for check in "0123456789" if (code := gtin.expand_upce(system + middle + check))]
    assert len(found) == 1  # exactly one check digit fits
    assert len(found[0]) == 12
    assert gtin.is_valid(found[0])


def test_eight_digits_can_have_two_readings_and_both_are_tried():
    both = next(
        readings
        for number in range(1_000_000, 1_100_000)
        if len(readings := _readings_or_none(complete(f"{number:07d}"))) == 2
    )
    assert len(set(both)) == 2
    assert all(gtin.is_valid(reading) for reading in both)


def _readings_or_none(text: str) -> tuple[str, ...]:
    try:
        return gtin.readings(text)
    except gtin.GtinError:
        return ()


def test_isbn_10_becomes_978():
    assert gtin.normalise("0-306-40615-2") == "09780306406157"
    assert gtin.normalise("080442957X") == "09780804429573"


@pytest.mark.parametrize("text", ["4.00638E+12", "4,00638E+12", "4E+12", "4.006381333931e12"])
def test_a_spreadsheets_scientific_notation_is_refused_with_the_reason(text):
    with pytest.raises(gtin.GtinError, match="spreadsheet") as caught:
        gtin.normalise(text)
    assert caught.value.proposal is None


def test_dropped_leading_zeros_are_proposed_not_assumed():
    with pytest.raises(gtin.GtinError, match="has 11") as caught:
        gtin.normalise("49000042566")
    assert caught.value.proposal == "00049000042566"


def test_a_number_turned_into_an_amount_is_proposed_back():
    with pytest.raises(gtin.GtinError, match="amount") as caught:
        gtin.normalise("4006381333931.0")
    assert caught.value.proposal == "04006381333931"


@pytest.mark.parametrize("text", ["", "   ", "abc", "12345", "0000000000000", "400638133393X", "1" * 40])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(gtin.GtinError) as caught:
        gtin.normalise(text)
    assert caught.value.says.endswith(".")
    assert gtin.try_normalise(text) is None


@given(st.text(max_size=30) | st.text("0123456789 -X.", max_size=16))
def test_any_text_gives_14_valid_digits_or_a_reason(text):
    found = _readings_or_none(text)
    if not found:
        with pytest.raises(gtin.GtinError) as caught:
            gtin.readings(text)
        assert caught.value.says
        found = (caught.value.proposal,) if caught.value.proposal else ()
    assert all(len(number) == 14 and gtin.is_valid(number) for number in found)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("2012345000016", "in_store"),
        ("0212345000012", "in_store"),
        ("0412345000010", "in_store"),
        ("0512345000019", "coupon"),
        ("9812345000012", "coupon"),
        ("9912345000011", "coupon"),
        ("4006381333931", "worldwide"),
        ("9780306406157", "worldwide"),
        ("20123451", "in_store"),
        ("96385074", "worldwide"),
    ],
)
def test_circulation_follows_the_prefix(number, kind):
    assert gtin.circulation(complete(number[:-1]).zfill(14)) == kind


@given(body(12), st.integers(0, 8))
def test_the_packaging_level_does_not_change_the_circulation(start, level):
    assume(not start.startswith("00000"))
    unit = complete(start).zfill(14)
    case = complete(str(level) + unit[1:13])
    assert gtin.circulation(case) == gtin.circulation(unit)
