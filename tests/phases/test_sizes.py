"""Net content, dimensions and pieces: from the record, what was typed, and the label."""

import pytest

from tests.phases.photos import Known
from webapp.phases.analysis.identity import identify
from webapp.phases.analysis.sizes import quantity_field, size_field
from webapp.phases.analysis.words import Label
from webapp.phases.facts import Barcode, Box, Hints, Record, TextLine

JUICE = Record(source="catalog", id="r1", name="Nordvik Apple Juice 6 x 330 ml", gtin14="04006381333931")
CODE = Barcode(photo_id="p", text="4006381333931", format="EAN13", gtin14=JUICE.gtin14, votes=9, decoders=("a", "b"))


def line(text, height=0.04):
    return TextLine(photo_id="p", text=text, confidence=95, box=Box(left=0.1, top=0.1, width=0.6, height=height))


def found(*label, known=(), typed=None):
    hints = Hints(name=typed)
    codes = [CODE] if known else []
    return identify(codes, [], {}, Label([line(text) for text in label]), hints, Known(*known)), hints


def test_the_records_size_is_taken_and_the_label_bears_it_out():
    size = size_field(*found("Apple Juice", "330 ml", known=[JUICE]))
    assert size.value == "330 ml"
    assert {entry.kind for entry in size.evidence} == {"catalog", "text"}
    assert size.confidence > size_field(*found("Apple Juice", known=[JUICE])).confidence
    assert quantity_field(*found(known=[JUICE])).value == "6"


def test_another_size_on_the_label_is_told():
    size = size_field(*found("Apple Juice", "250 ml", known=[JUICE]))
    assert size.value == "330 ml"
    assert [other.value for other in size.alternatives] == ["250 ml"]


def test_what_was_typed_comes_next():
    size = size_field(*found("1 l", typed="Apple Juice 1 l"))
    assert (size.value, size.confidence) == ("1 l", 90)
    assert size_field(*found(typed="Apple Juice 1 l")).confidence == 75


@pytest.mark.parametrize("content", ["Net weight 450 g", "Poids net : 450 g", "INHALT 450 g"])
def test_what_the_label_calls_its_content_goes_before_larger_letters(content):
    size = size_field(*found("30 g", content))
    assert (size.value, size.trusted) == ("450 g", "450 g")
    assert size.evidence[0].box is not None


@pytest.mark.parametrize("table", ["Energy per 100 g", "Fat 3,2g", "pour 100 ml", "230 V", "1.1g"])
def test_nutrition_and_voltages_are_no_content(table):
    size = size_field(*found(table))
    assert size.value is None
    assert size.evidence[0].kind == "rule"


@pytest.mark.parametrize(
    "other",
    ["NET CARBS 3 g", "Contenido de sodio 20 mg", "Peso máximo 150 kg", "Max. Gewicht 120 kg"],
)
def test_what_only_sounds_like_a_content_reaches_no_listing(other):
    assert size_field(*found(other)).trusted is None


@pytest.mark.parametrize("name", ["Monster Energy 500 ml", "Protein Shake 500 ml", "Storage Box 500 ml"])
def test_words_that_stand_in_names_as_well_hide_no_size(name):
    assert size_field(*found(name)).value == "500 ml"


@pytest.mark.parametrize("text", ["1 LİTRE", "5 lıter", "12 pıeces", "½ l"])
@pytest.mark.parametrize("typed", [False, True])
def test_letters_that_only_look_like_a_units_are_none_and_no_error(text, typed):
    """And hide no size that stands beside them."""
    said = {"typed": f"{text} 500 g"} if typed else {}
    size = size_field(*found(f"{text} 500 g", **said))
    assert size.value == "500 g"
    assert quantity_field(*found(text, **said)).value is None


@pytest.mark.parametrize("name", ["Hair Repair of Damaged Ends", "Lego 1234 Set", "Soap 1 pack"])
def test_no_number_in_a_name_is_taken_for_pieces(name):
    assert quantity_field(*found(typed=name)).value is None


def test_pieces_are_found_on_the_label_and_one_is_no_quantity():
    pack = quantity_field(*found("Pack of 4"))
    assert (pack.value, pack.confidence < 60) == ("4", True)
    assert quantity_field(*found("Apple Juice")).value is None
