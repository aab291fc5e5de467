"""The two matchers behind one interface, and a learned one as a file."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.phases.matching_sets import matching_set
from webapp.phases.matching.boosting import Growth
from webapp.phases.matching.entry import Entry
from webapp.phases.matching.header import UnusableMatcher
from webapp.phases.matching.judging import SAME
from webapp.phases.matching.keeping import from_bytes, to_bytes
from webapp.phases.matching.learning import Learned, learn
from webapp.phases.matching.matchers import Rules
from webapp.phases.matching.tables import scene_of
from webapp.phases.matching.trained import Trained, score_of

NOW = datetime(2026, 5, 1, tzinfo=UTC)
LEFTS, RIGHTS, PAIRS = matching_set()
NUTELLA = Entry(id="", title="Nutella Hazelnut Spread 450 g", brand="Ferrero", gtin14="03017620422003")


@pytest.fixture(scope="module")
def learned() -> Learned:
    scene = scene_of(LEFTS, RIGHTS, PAIRS, one_sided=True)
    return learn(scene, NOW, growth=Growth(trees=30, depth=3)).learned


def offer(title: str, **facts: str) -> Entry:
    return Entry(id=title, title=title, price=5.0, **facts)


def test_a_matcher_read_from_its_file_judges_as_before(learned: Learned) -> None:
    again = from_bytes(to_bytes(learned))
    scene = scene_of(LEFTS, RIGHTS, (), PAIRS, one_sided=True)
    assert again.probabilities(scene).tolist() == learned.probabilities(scene).tolist()
    assert (again.source, again.learned_at, again.accept) == (learned.source, NOW, learned.accept)


def test_a_matcher_of_another_version_is_refused(learned: Learned) -> None:
    with pytest.raises(UnusableMatcher, match=r"another version of Lotline \(features 99"):
        from_bytes(to_bytes(msgspec.structs.replace(learned, version=99)))


def test_a_matcher_that_was_changed_is_refused(learned: Learned) -> None:
    said = f'"cut":{msgspec.json.encode(learned.cut).decode()}'.encode()
    data = to_bytes(learned)
    assert said in data
    with pytest.raises(UnusableMatcher, match="was changed or cut since"):
        from_bytes(data.replace(said, b'"cut":0.001'))


@pytest.mark.parametrize("data", [b"", b"{}", b"not json", b"\xff\x00", b'{"version":1,"checksum":"","learned":{}}'])
def test_what_is_no_matcher_is_refused(data: bytes) -> None:
    with pytest.raises(UnusableMatcher):
        from_bytes(data)


def test_the_source_names_the_records_and_labels_it_was_learned_from(learned: Learned) -> None:
    other = [PAIRS[0]._replace(same=not PAIRS[0].same), *PAIRS[1:]]
    changed = learn(scene_of(LEFTS, RIGHTS, other, one_sided=True), NOW, growth=Growth(trees=3, depth=2)).learned
    assert changed.source != learned.source


def test_the_learned_matcher_tells_the_right_offer_from_its_rivals(learned: Learned) -> None:
    offers = [offer(right.title, model=right.model) for right in RIGHTS[:24]]
    right = 0
    for place, left in enumerate(LEFTS[:24]):
        matches = Trained(learned).judge(Entry(id="", title=left.title, brand=left.brand), offers)
        right += max(range(len(offers)), key=lambda at: matches[at].score) == place
    assert right >= 18


def test_a_barcode_in_common_decides_and_a_contradiction_stays_out(learned: Learned) -> None:
    offers = [
        offer("Something else", gtin14="03017620422003"),
        offer("Ferrero Nutella Hazelnut Spread 750 g"),
        offer("Ferrero Nutella Hazelnut Spread 6 x 450 g"),
    ]
    same, larger, six = Trained(learned).judge(NUTELLA, offers)
    assert (same.score, same.why) == (100, "Same barcode")
    assert not larger.same
    assert not six.same
    assert "Other size" in larger.why


@pytest.mark.parametrize("of", ["rules", "learned"])
def test_no_offers_no_matches(of: str, learned: Learned) -> None:
    matcher = Rules() if of == "rules" else Trained(learned)
    assert matcher.judge(NUTELLA, []) == []


@given(st.floats(0, 1), st.floats(0, 1), st.none() | st.floats(0.01, 1))
def test_scores_rise_with_the_probability_and_reach_80_where_it_may_be_accepted(
    one: float, other: float, accept: float | None
) -> None:
    low, high = sorted((one, other))
    assert 0 <= score_of(low, accept) <= score_of(high, accept) <= 99
    assert (score_of(one, accept) >= SAME) == (accept is not None and one >= accept)
