"""Money: every way of writing an amount means one amount, or is refused with the reason."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.lib import money
from webapp.lib.money import AmountError


@pytest.mark.parametrize(
    ("written", "amount", "beside"),
    [
        ("12.50", "12.50", ""),
        ("12,50", "12.50", ""),
        ("1.234,56 €", "1234.56", "€"),
        ("$1,234.56", "1234.56", "$"),
        ("CHF 1'234.50", "1234.50", "CHF"),
        ("1 234,56 zł", "1234.56", "zł"),
        ("1\u00a0234,56\u00a0€", "1234.56", "€"),
        ("12,-", "12", ""),
        ("12.– EUR", "12", "EUR"),
        ("EUR 5", "5", "EUR"),
        ("0.999", "0.999", ""),
        ("$.50", "0.50", "$"),
        ("1.234.567", "1234567", ""),
        ("1,23,456.78", "123456.78", ""),
        ("٣٫٥", "3.5", ""),
        ("１２．５０", "12.50", ""),
        ("1.956000000000000e+02", "195.60", ""),
        ("Rs. 99", "99", "Rs"),
    ],
)
def test_amounts_as_people_write_them(written: str, amount: str, beside: str) -> None:
    assert money.parse(written) == (Decimal(amount), beside)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "empty"),
        ("abc", "no number"),
        ("5 for 10", "more than one number"),
        ("12-15", "more than one number"),
        ("-3", "negative"),
        ("−3,50", "negative"),
        ("1.234", "1234 or 1.234"),
        ("1,299", "1299 or 1.299"),
        ("3,01762E+12", "all digits"),
        ("12.11.2024", "do not make one number"),
        ("1.234,567,89", "do not make one number"),
        ("99999999999", "too large"),
        ("9" * 100, "too long"),
    ],
)
def test_what_is_not_one_clear_amount_is_refused_with_the_reason(written: str, reason: str) -> None:
    with pytest.raises(AmountError, match=reason):
        money.parse(written)


def test_a_known_decimal_mark_settles_what_is_ambiguous() -> None:
    assert money.parse("1.234", ".")[0] == Decimal("1.234")
    assert money.parse("1.234", ",")[0] == Decimal(1234)
    assert money.common_decimal_mark(["1.299", "5,50"]) == ","
    assert money.common_decimal_mark(["1.299.000"]) == ","
    assert money.common_decimal_mark(["1.5", "1,5"]) is None
    assert money.common_decimal_mark(["1.299", "abc", ""]) is None


@given(st.text(max_size=70))
def test_any_text_is_an_amount_that_is_not_negative_or_an_amount_error(written: str) -> None:
    with suppress(AmountError):
        assert 0 <= money.parse(written)[0] <= money.LARGEST


amounts = st.decimals(min_value=0, max_value=money.LARGEST, places=2)


@given(amounts)
def test_what_is_written_in_any_usual_way_is_read_back(amount: Decimal) -> None:
    english = f"{amount:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    for written in (english, german, english.replace(",", " "), english.replace(",", "'"), f"{amount:.2f}"):
        assert money.parse(written)[0] == amount


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("eur", "EUR"),
        ("€", "EUR"),
        ("$", "USD"),
        ("zł", "PLN"),
        ("Fr.", "CHF"),
        ("Euro", "EUR"),
        ("XXX", None),
        ("", None),
    ],
)
def test_currencies(written: str, code: str | None) -> None:
    assert money.currency_code(written) == code


def test_shared_signs_may_mean_several_currencies() -> None:
    assert money.may_mean("$", "CAD")
    assert not money.may_mean("USD", "CAD")
    assert not money.may_mean("€", "USD")


def test_amounts_are_kept_and_shown_with_the_digits_of_their_currency() -> None:
    assert money.decimal_string(Decimal("1234.5"), "EUR") == "1234.50"
    assert money.decimal_string(Decimal("1234.5"), "JPY") == "1235"
    assert money.decimal_string(Decimal("1.2345"), "KWD") == "1.235"
    assert money.shown(Decimal("1234.5"), "EUR") == "1,234.50 EUR"
