"""Accepted rules in an analysis: one more witness, never over what a person fixed."""

from datetime import date

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.phases.test_calibration import history
from tests.pipeline import judging
from webapp.phases.calibration import calibrated
from webapp.phases.calibration.fitting import fit
from webapp.phases.facts import Field
from webapp.phases.rules import KeyKind, Ruling, keys_of, ruled, used_in


def ruling(new="Kettle K1", *, old="Kettle", kind=KeyKind.BRAND, key="acme", field="name", number=1) -> Ruling:
    return Ruling(
        id=str(number),
        field=field,
        old=old,
        new=new,
        key_kind=kind,
        key_value=key,
        by="Ann",
        on=date(2026, 11, 28),
    )


def test_a_rule_changes_its_field_and_says_who_accepted_it():
    after = ruled(judging.found(70), [ruling()])
    assert after.name.value == "Kettle K1"
    assert after.name.evidence[0].kind == "rule"
    assert "accepted by Ann on 28 Nov 2026" in after.name.evidence[0].says
    assert after.name.alternatives[0].value == "Kettle"
    assert after.assessment.witnesses["rule"] == 1.0
    assert after.confidence == 70
    assert used_in(after) == {"1"}


def test_a_rule_for_another_key_or_value_changes_nothing():
    found = judging.found(70)
    for other in (ruling(key="other"), ruling(old="Toaster"), ruling(kind=KeyKind.GTIN, key="0" * 14)):
        assert ruled(found, [other]) == found
    assert used_in(found) == set()


def test_what_a_person_settled_stays():
    fixed = Field(value="Kettle", confidence=100, written_by="reviewer")
    found = msgspec.structs.replace(judging.found(70), name=fixed)
    assert ruled(found, [ruling()]).name == fixed


def test_the_number_goes_before_the_brand():
    by_number = ruling("By number", kind=KeyKind.GTIN, key=judging.GTIN, number=2)
    assert ruled(judging.found(70), [ruling(), by_number]).name.value == "By number"


def test_a_product_without_number_and_brand_has_no_keys():
    assert keys_of(judging.found(70, brand=None, gtin=None)) == {}


@given(
    st.permutations([ruling("Other", field="brand", old="Acme", number=3), ruling(), ruling("Second", old="Kettle K1")])
)
def test_the_order_of_rules_makes_no_difference_and_none_builds_on_another(rules):
    after = ruled(judging.found(70), rules)
    assert (after.name.value, after.brand.value) == ("Kettle K1", "Other")


def test_a_calibrator_leaves_what_a_rule_put_there_as_it_is():
    """It was fitted to values that the machine found itself."""
    found = ruled(judging.found(70), [ruling()])
    fitted = fit(history(400, worth=0.6), version=7)
    assert calibrated(found, fitted, 80).name == found.name
    assert calibrated(judging.found(70), fitted, 80).name != judging.found(70).name
