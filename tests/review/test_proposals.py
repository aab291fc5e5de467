"""What is offered at one press: a known product's name with its own number, never with another's."""

import re

import msgspec
import pytest

from tests.pipeline import engines
from tests.pipeline.conftest import answer_bells, client, make_run  # noqa: F401 - fixtures
from webapp.phases.facts import Alternative, Analysis, Evidence, Field
from webapp.pipeline.models import PhaseName
from webapp.review.forms import ReviewForm, prefill
from webapp.review.proposals import proposals

TORN = engines.torn((), None, None, None)


def offered(found: Analysis, own: ReviewForm | None = None):
    return proposals(found, own or prefill(found, {}))


def test_another_products_name_brings_its_own_number_and_empties_what_was_the_firsts_alone():
    first, other, typed = offered(TORN)["name"]
    assert first.brings == {}
    assert other.brings == {"gtin": "9521101530025", "brand": "Zeta", "model": "Z2", "size": ""}
    assert typed.brings == {}


def test_without_a_number_of_its_own_it_does_not_keep_anothers_but_what_the_item_shows():
    name = msgspec.structs.replace(
        TORN.name, alternatives=(Alternative(value="Zeta kettle", confidence=50, record={"model": "Z2"}),)
    )
    [_, other] = offered(msgspec.structs.replace(TORN, name=name))["name"]
    assert other.brings == {"model": "Z2", "size": "", "gtin": ""}  # the label says the brand
    read = Evidence(kind="barcode", says="EAN-13 was read twice.")
    gtin = msgspec.structs.replace(TORN.gtin, evidence=(read, *TORN.gtin.evidence))
    [_, other] = offered(msgspec.structs.replace(TORN, name=name, gtin=gtin))["name"]
    assert "gtin" not in other.brings


def test_a_guess_of_a_record_that_is_not_in_its_field_brings_the_records_number_as_well():
    name = msgspec.structs.replace(TORN.name, confidence=30, alternatives=())
    gtin = msgspec.structs.replace(TORN.gtin, confidence=30)
    [guess] = offered(msgspec.structs.replace(TORN, name=name, gtin=gtin))["name"]
    assert (guess.brings["gtin"], guess.brings["brand"]) == ("9521101530018", "Acme")


def test_what_stood_in_a_field_can_be_gone_back_to():
    by_field = offered(TORN)
    assert [entry.value for entry in by_field["gtin"]] == ["9521101530018"]  # another name may take its place
    assert by_field["quantity"] == []
    typed = prefill(msgspec.structs.replace(TORN, model=Field(value="K9", confidence=30)), {"model": "typed model"})
    [guess, first] = offered(msgspec.structs.replace(TORN, model=Field(value="K9", confidence=30)), typed)["model"]
    assert (guess.value, first.value, first.confidence) == ("K9", "typed model", None)


def test_findings_from_before_alternatives_knew_their_record_still_load():
    kept = msgspec.to_builtins(TORN)
    for other in kept["name"]["alternatives"]:
        del other["record"]
    [_, other, _] = offered(msgspec.convert(kept, Analysis))["name"]
    assert (other.value, other.brings) == ("Zeta kettle", {})


@pytest.fixture
def torn(app, client, make_run):  # noqa: F811
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = "tests.pipeline.engines.torn"
    run = make_run()
    answer_bells()
    return run


def test_without_scripts_the_others_stand_there_with_their_numbers(reviewer, torn):
    page = reviewer.get(f"/reviews/{torn.id}").text
    [others] = re.findall(r'<p class="needs-no-js faint">(.*?)</p>', page, re.DOTALL)  # none where there is no other
    assert " ".join(others.split()) == "Could also be: Zeta kettle (with 9521101530025); What was typed"
