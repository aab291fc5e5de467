"""Sizes and packs: what tells two products apart that share every other word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.phases import measures


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Nutella 450 g", [("weight", 450)]),
        ("Nutella 1,5 kg Glas", [("weight", 1500)]),
        ("Olive oil 1.000 ml", [("volume", 1000)]),
        ("Flour 1.500 kg", [("weight", 1500)]),
        ('LG 27" Monitor 5 in 1', [("length", 685.8)]),
        ("Wrench 1/2 inch drive", [("length", 12.7)]),
        ("Samsung A52 5G 128GB", [("storage", 128)]),
        ("Drill 18V 2.0Ah", [("voltage", 18), ("charge", 2000)]),
        ("Nivea 75ml (2.5 fl oz)", [("volume", 75), ("volume", 73.925)]),
        ("LEGO 1,254 pieces", [("count", 1254)]),
        ("Pans 20/24/28 cm", []),
        ("WH-1000XM4", []),
        ("", []),
    ],
)
def test_sizes_in_a_name(name: str, expected: list[tuple[str, float]]) -> None:
    found = [(measure.dimension, round(measure.amount, 3)) for measure in measures.measures(name)]
    assert found == expected


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("Pack of 6 towels", 6), ("Duracell AA 4-Pack", 4), ("Cola 6 x 330 ml", 6), ("330ml x 6", 6), ("3x Soap", 3),
        ("Set 6er-Pack", 6), ("Twin Pack brush", 2), ("Screws x100", 100), ("Lens (2x)", 2), ("BMW X5", None),
        ("iPhone X", None), ("Towel 50 x 100 cm", None), ("Binoculars 10x42", None), ("Lot of 0", None), ("", None),
    ],
)  # fmt: skip
def test_packs_in_a_name(name: str, count: int | None) -> None:
    assert measures.pack_size(name) == count


def test_what_is_left_without_sizes_and_packs_names_the_thing() -> None:
    assert measures.without("L'Oréal Elvive Shampoo 2x 400ml Twin Pack") == "L'Oréal Elvive Shampoo"


def test_sizes_contradict_only_within_one_dimension() -> None:
    def clash(one: str, other: str) -> bool:
        return measures.conflict(measures.measures(one), measures.measures(other)) is not None

    assert clash("Tea 250 g", "Tea 500 g")
    assert clash('TV 27"', 'TV 28"')
    assert not clash("Tea 250 g", "Tea 0.25 kg")
    assert not clash("Juice 12 oz", "Juice 340 g")
    assert not clash("Tea 250 g", "Tea 20 bags")
    assert not clash("Tea", "Tea 250 g")


@given(st.text(max_size=300))
def test_any_text_has_sizes_above_zero_or_none(text: str) -> None:
    assert all(measure.amount > 0 for measure in measures.measures(text))
    count = measures.pack_size(text)
    assert count is None or count >= 1
    measures.without(text)
