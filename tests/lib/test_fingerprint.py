"""Fingerprints: equal facts are equal on every machine, different facts differ."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.lib.fingerprint import fingerprint
from webapp.phases.facts import Condition, Identity

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def test_it_is_the_same_in_every_release() -> None:
    """A change here re-runs every phase of every product: only on purpose."""
    identity = Identity(name="Tea", condition=Condition.USED, image_urls=("/a",))
    facts = ("market", 1, identity, Decimal("1.50"), datetime(2026, 11, 20, tzinfo=UTC))
    assert fingerprint(*facts) == "e629e786d1898b89faf816a63726bc70d063cadf37625aab14a791e22b3b7d75"


@given(values, values)
def test_different_facts_differ_and_equal_ones_do_not(one: object, other: object) -> None:
    assert fingerprint(one) == fingerprint(one)
    if repr(one) != repr(other) and one != other:
        assert fingerprint(one) != fingerprint(other)


def test_what_is_equal_in_meaning_is_equal() -> None:
    utc = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert fingerprint(Decimal("1.5")) == fingerprint(Decimal("1.50"))
    assert fingerprint(Decimal(0)) == fingerprint(Decimal("-0.00"))
    assert fingerprint(Decimal(100)) == fingerprint(Decimal("1E+2"))
    assert (
        fingerprint(utc)
        == fingerprint(utc.astimezone(timezone(timedelta(hours=9))))
        == fingerprint(utc.replace(tzinfo=None))
    )
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({3, 1}) == fingerprint({1, 3})
    assert fingerprint((1, 2)) == fingerprint([1, 2])


def test_what_differs_in_kind_or_place_differs() -> None:
    different = [
        1,
        "1",
        Decimal(1),
        True,
        None,
        [1],
        {"1": 1},
        {1: 1},
        {1},
        b"1",
        date(2026, 1, 1),
        UUID(int=1),
        ["a", "b"],
        ["b", "a"],
    ]
    prints = [fingerprint(value) for value in different]
    assert len(set(prints)) == len(prints)
    assert fingerprint("a", "b") != fingerprint("ab")


def test_an_optional_field_that_is_added_later_changes_no_fingerprint() -> None:
    class Thing(msgspec.Struct):
        name: str

    old = fingerprint(Thing("a"))

    class Thing(msgspec.Struct):  # type: ignore[no-redef]
        name: str
        colour: str | None = None
        tags: list[str] = []

    assert fingerprint(Thing("a")) == old
    assert fingerprint(Thing("a", colour="red")) != old


def test_enums_count_as_their_value_and_lone_surrogates_do_not_hurt() -> None:
    class Letter(StrEnum):
        A = "a"

    assert fingerprint(Letter.A) == fingerprint("a")
    assert len(fingerprint("\ud800")) == 64


@pytest.mark.parametrize("value", [Decimal("NaN"), float("inf"), object(), Decimal("Infinity")])
def test_what_has_no_stable_form_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        fingerprint(value)
