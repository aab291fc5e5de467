"""Ties among offers, and a model that breaks them: within the margin, of those it was given, never beyond the least."""

import pytest

from tests.phases.fake_model import FakeModel
from webapp.phases.facts import Photo
from webapp.phases.market.ties import MARGIN, MOST_ASKED, TieBreaker
from webapp.phases.matching.entry import Entry
from webapp.phases.matching.judging import SAME, Match

KETTLE = Entry(id="", title="Philips HD9350 kettle", brand="Philips", model="HD9350")
OUT = Match(70, "Another size", ruled_out=True)


class Judge:
    """A matcher that has made up its mind."""

    source = "a judge"

    def __init__(self, *matches):
        self.matches = list(matches)

    def judge(self, ours, theirs):
        return list(self.matches)


def offers(many):
    return [Entry(id=str(n), title=f"Kettle {n}", price=9.0) for n in range(many)]


def broken(matches, same):
    model = FakeModel(None if same is None else {"same": same})
    return TieBreaker(Judge(*matches), model).judge(KETTLE, offers(len(matches))), model


def test_a_tie_is_asked_and_the_chosen_one_counts_just_so():
    matches = [Match(90, "Same barcode"), Match(79, "Alike"), Match(66, "Alike"), OUT, Match(SAME - MARGIN - 1, "Far")]
    found, model = broken(matches, [2])
    assert model.asked[0].known["offers"] == {"1": {"title": "Kettle 1"}, "2": {"title": "Kettle 2"}}
    assert found[2] == Match(SAME, "Tiny, a language model, takes it for the same product (Alike)")
    assert [found[0], found[1], *found[3:]] == [matches[0], matches[1], *matches[3:]]


@pytest.mark.parametrize("same", [[], None, [3], [0], [-1], [1, 99]])
def test_none_and_one_that_was_not_given_change_nothing(same):
    matches = [Match(79, "Alike"), Match(70, "Alike")]
    assert broken(matches, same)[0] == matches


def test_without_a_tie_nobody_is_asked_and_no_photo_is_read():
    matches = [Match(95, "Same"), OUT, Match(10, "Far")]
    found, model = broken(matches, [1])
    assert (found, model.asked) == (matches, [])
    TieBreaker(Judge(*matches), model, photos=lambda: pytest.fail("read")).judge(KETTLE, offers(3))


def test_the_model_is_shown_the_photos():
    model, shown = FakeModel({"same": []}), Photo(id="p1", file_name="kettle.jpg", data=b"jpeg")
    TieBreaker(Judge(Match(79, "Alike")), model, photos=lambda: [shown]).judge(KETTLE, offers(1))
    assert model.asked[0].photos == (shown,)


def test_of_whom_a_person_spoke_nobody_is_asked():
    matches, model = [Match(79, "Alike")] * 3, FakeModel({"same": [1]})
    found = TieBreaker(Judge(*matches), model, settled={"0", "2"}).judge(KETTLE, offers(3))
    assert model.asked[0].known["offers"] == {"1": {"title": "Kettle 1"}}
    assert [match.score for match in found] == [79, SAME, 79]
    TieBreaker(Judge(*matches), model, lambda: pytest.fail("read"), settled={"0", "1", "2"}).judge(KETTLE, offers(3))
    assert len(model.asked) == 1


def test_no_more_than_a_few_are_asked_about_the_nearest_first():
    matches = [Match(66 + n % 14, "Alike") for n in range(30)]
    found, model = broken(matches, [1])
    assert len(model.asked[0].known["offers"]) == MOST_ASKED
    assert found[13].same
    assert sum(match.same for match in found) == 1
