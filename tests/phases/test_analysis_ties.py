"""Ties between known products in phase 1: a model may say which of them it is, and nobody is surer for it."""

import pytest

from tests.phases.fake_model import FakeModel
from tests.phases.photos import Known
from tests.phases.test_analysis_identity import lines
from webapp.phases.analysis import fields
from webapp.phases.analysis.identity import identify
from webapp.phases.analysis.ties import chooser, nobody
from webapp.phases.analysis.words import Label
from webapp.phases.facts import Evidence, Hints, Path, Record

NAMES = ("Acme Garden Hose green", "Acme Garden Hose blue", "Acme Garden Hose red", "Something Else Entirely")
RECORDS = [Record(source="catalog", id=f"r{place}", name=name, sku=f"S{place}") for place, name in enumerate(NAMES)]
LABEL = Label(lines("ACME", "GARDEN HOSE"))


def found(model=None, *records):
    choose = chooser(model, (), LABEL, Hints()) if model else nobody
    return identify((), (), {}, LABEL, Hints(), Known(*(records or RECORDS)), choose=choose)


def tied_names(model):
    return {number: about["name"] for number, about in model.asked[0].known["candidates"].items()}


def test_the_one_that_a_model_takes_is_proposed_and_no_surer():
    model = FakeModel({"candidate": 3})
    before, after = found(), found(model)
    assert before.path is after.path is Path.WORDS_RECORD
    assert set(tied_names(model).values()) == set(NAMES[:3]), "those that nearly fit, and no others"
    assert after.best.record.name == tied_names(model)["3"]
    assert after.weight.confidence <= before.weight.confidence < 80
    assert after.weight.reasons == before.weight.reasons
    assert before.best.record in [entry.record for entry in after.others]
    says = fields.name_field(after, Hints()).evidence
    assert (
        Evidence(
            kind="model",
            says="Tiny takes it among several known products that fit about equally well.",
            weight=0.3,
            record_id=after.best.record.id,
        )
        in says
    )


@pytest.mark.parametrize("candidate", [None, 0, -1, 4, 10**12])
def test_none_and_one_that_it_was_not_given_change_nothing(candidate):
    assert found(FakeModel({"candidate": candidate})) == found()


def test_without_a_tie_nobody_is_asked():
    model = FakeModel({"candidate": 1})
    assert found(model, RECORDS[0], RECORDS[3]).best.record is RECORDS[0]
    assert model.asked == []


def test_a_model_that_says_nothing_changes_nothing():
    assert found(FakeModel(None)) == found()
