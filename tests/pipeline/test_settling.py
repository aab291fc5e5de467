"""What a person's word makes of an analysis: their value, the machine's beside it, and nothing of another product."""

import msgspec
import pytest
from sqlalchemy import text

from tests.pipeline import judging
from tests.pipeline.conftest import fresh
from webapp.catalog.models import Product
from webapp.database import transaction
from webapp.phases.facts import Alternative, Carried, Evidence, Field
from webapp.pipeline.settling import CONFIRMED, apply_analysis, settle

OF_RECORD = (Evidence(kind="catalog", says="The catalog fits the words.", record_id="r1"),)
KETTLES_FOR_SURE = Field(value="Kettles", confidence=95, evidence=OF_RECORD)
ALL = ("name", "brand", "model", "condition", "gtin")


def analysis():
    return msgspec.structs.replace(
        judging.found(70),
        category=Field(value="Kettles", confidence=40, evidence=OF_RECORD),
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


def test_the_rejected_name_still_knows_its_records_number():
    found = analysis()
    of_record = {name: msgspec.structs.replace(getattr(found, name), evidence=OF_RECORD) for name in ("name", "gtin")}
    after = settle(msgspec.structs.replace(found, **of_record), said(name="Toaster", gtin=OTHER), "Ann confirmed it")
    assert after.name.alternatives[0].record == {"gtin": found.gtin.value}


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


OTHER = "00012345678905"


def test_what_belonged_to_another_number_goes():
    after = settle(analysis(), said(gtin=OTHER), "Ann confirmed it")
    assert (after.category.value, after.brands, after.carried) == (None, (), ())
    assert after.category.evidence
    assert after.size.value == "1.7 l", "that was read on this very label"


def test_another_name_takes_the_records_category_with_it_and_leaves_what_the_code_says():
    after = settle(analysis(), said(name="Toaster T2"), "Ann confirmed it")
    assert after.category.value is None
    assert after.carried == analysis().carried


@pytest.mark.parametrize("gtin", [judging.GTIN, None])
def test_a_number_that_is_filled_in_or_struck_out_makes_it_no_other_product(gtin):
    found = analysis() if gtin is None else msgspec.structs.replace(analysis(), gtin=Field())
    after = settle(found, said(gtin=gtin), "Ann confirmed it")
    assert (after.category.value, after.carried) == ("Kettles", found.carried)


@pytest.mark.parametrize("name", ["KETTLE", " kettle ", "Acme Kettle", "Kettle K1 1.7 l"])
def test_a_name_that_is_only_made_longer_is_the_same_product(name):
    after = settle(analysis(), said(name=name), "Ann confirmed it")
    assert after.category.value == "Kettles"
    is_equal = name.strip().casefold() == "kettle"
    assert (after.category.confidence == CONFIRMED) is is_equal, "confirmed only by whoever left the name as it was"


def test_the_product_itself_loses_the_category_of_what_it_is_not(client, make_run):
    run = make_run()
    with transaction() as session:
        apply_analysis(session, run.product_id, msgspec.structs.replace(analysis(), category=KETTLES_FOR_SURE))
    assert fresh(Product, run.product_id).category == "Kettles"
    corrected = settle(analysis(), said(name="Toaster T2"), "Ann confirmed it")
    with transaction() as session:
        apply_analysis(session, run.product_id, corrected, fixed=ALL)
    assert fresh(Product, run.product_id).category is None
    with transaction() as session:
        apply_analysis(session, run.product_id, msgspec.structs.replace(corrected, category=KETTLES_FOR_SURE))
        session.execute(text("UPDATE products SET listing_texts = '{\"category\": \"Mine\"}', category = 'Mine'"))
        apply_analysis(session, run.product_id, corrected, fixed=ALL)
    assert fresh(Product, run.product_id).category == "Mine"


def test_what_a_newer_run_is_not_sure_of_goes_unless_a_person_settled_it(client, make_run):
    run = make_run()
    sure = {name: Field(value=value, confidence=90) for name, value in (("brand", "Acme"), ("model", "K1"))}
    with transaction() as session:
        apply_analysis(session, run.product_id, msgspec.structs.replace(judging.found(90), **sure))
    assert (fresh(Product, run.product_id).brand, fresh(Product, run.product_id).model) == ("Acme", "K1")
    another = msgspec.structs.replace(judging.found(90, name="Toaster", brand=None, gtin=None), model=Field())
    with transaction() as session:
        session.get_one(Product, run.product_id).fixed_fields = ["brand"]
        apply_analysis(session, run.product_id, another)
    product = fresh(Product, run.product_id)
    assert (product.name, product.brand, product.model, product.gtin14) == ("Toaster", "Acme", None, None)
