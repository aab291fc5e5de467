"""Dates: ISO, spreadsheets', people's; what is ambiguous is refused unless the column tells."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.lib.dates import DateError, day_first, read_moment

DAY = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    ["2026-11-20", "20261120", "20.11.2026", "20.11.26", "20/11/2026", "11/20/2026", "20 Nov 2026", "Nov 20, 2026",
     "20 November 2026", "2026-11-20T00:00:00Z", "2026-11-20 01:00:00+01:00", "2026-11-20 00:00 UTC", "46346",
     "1795132800"],
)  # fmt: skip
def test_one_day_in_many_spellings(written: str) -> None:
    assert read_moment(written) == DAY


def test_times_are_kept() -> None:
    assert read_moment("20.11.2026 14:05") == datetime(2026, 11, 20, 14, 5, tzinfo=UTC)


def test_day_and_month_that_cant_be_told_apart_need_the_column() -> None:
    with pytest.raises(DateError, match="told apart"):
        read_moment("05/11/2026")
    assert read_moment("05/11/2026", day_comes_first=True) == datetime(2026, 11, 5, tzinfo=UTC)
    assert read_moment("05/11/2026", day_comes_first=False) == datetime(2026, 5, 11, tzinfo=UTC)
    assert read_moment("05.11.2026") == datetime(2026, 11, 5, tzinfo=UTC)
    assert day_first(["05/11/2026", "20/11/2026"]) is True
    assert day_first(["05/11/2026", "11/20/2026"]) is False
    assert day_first(["20/11/2026", "11/20/2026"]) is None
    assert day_first(["05/06/2026", "x"]) is None


@pytest.mark.parametrize("written", ["", "soon", "31.02.2026", "2026-13-01", "12345", "0026-11-20", "20.11.1026"])
def test_what_is_no_date_is_refused(written: str) -> None:
    with pytest.raises(DateError):
        read_moment(written)


@given(st.text(max_size=40) | st.from_regex(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}( \d\d:\d\d)?", fullmatch=True))
def test_any_text_is_a_moment_or_a_date_error(written: str) -> None:
    with suppress(DateError):
        assert read_moment(written).tzinfo is UTC
