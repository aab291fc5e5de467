"""What a person's word makes of an analysis: their value, the machine's beside it, and nothing of another product."""

import msgspec
import pytest

from tests.pipeline import judging
from webapp.phases.facts import Alternative, Carried, Field
from webapp.pipeline.settling import CONFIRMED, settle

ALL = ("name", "brand", "model", "condition", "gtin")


def analysis():
    return msgspec.structs.replace(
        judging.found(70),
        category=Field(value="Kettles", confidence=40),
        size=Field(value="1.7 l", confidence=70),
        brands=(Alternative(value="Acme", confidence=70),),
        carried=(Carried(key="lot", field=Field(value="L1", confidence=97)),),
    )


def said(**values):
    found = analysis()
    return {name: getattr(found, name).value for name in ALL} | values


def test_the_rejected_value_stays_as_an_alternative_and_the_chosen_one_is_none():
    found = analysis()
    name = msgspec.structs.replace(found.name, alternatives=(Alternative(value="Kettle K1", confidence=30),))
    after = settle(msgspec.structs.replace(found, name=name), said(name="Kettle K1"), "Ann confirmed it")
    assert (after.name.value, after.name.written_by) == ("Kettle K1", "reviewer")
    assert [other.value for other in after.name.alternatives] == [found.name.value]


def test_what_a_model_had_written_is_still_marked_when_a_person_chose_otherwise():
    found = analysis()
    name = msgspec.structs.replace(found.name, written_by="model")
    after = settle(msgspec.structs.replace(found, name=name), said(name="Other"), "Ann confirmed it")
    assert after.name.alternatives[0].written_by == "model"


def test_with_the_product_its_category_is_confirmed():
    after = settle(analysis(), said(), "Ann confirmed it")
    assert (after.category.trusted, after.category.confidence) == ("Kettles", CONFIRMED)
    assert after.category.evidence[0].kind == "reviewer"
    assert after.carried == analysis().carried


@pytest.mark.parametrize("values", [{"gtin": "00012345678905"}, {"gtin": None}])
def test_what_belonged_to_another_number_goes(values):
    after = settle(analysis(), said(**values), "Ann confirmed it")
    assert (after.category.value, after.size.value, after.brands, after.carried) == (None, None, (), ())
    assert after.category.evidence


def test_without_a_number_another_name_is_another_product():
    found = msgspec.structs.replace(analysis(), gtin=Field())
    corrected = settle(found, said(gtin=None, name="Toaster T2"), "Ann confirmed it")
    spelled = settle(found, said(gtin=None, name=f" {(found.name.value or '').upper()}"), "Ann confirmed it")
    assert corrected.category.value is None
    assert spelled.category.value == "Kettles"


def test_a_number_that_is_only_filled_in_makes_it_no_other_product():
    found = msgspec.structs.replace(analysis(), gtin=Field())
    assert settle(found, said(gtin=judging.GTIN), "Ann confirmed it").category.value == "Kettles"
