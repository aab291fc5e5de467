"""The learned matcher: features, trees, collective features, calibration, learning from tables."""

import json
import math
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.phases.matching_sets import matching_set, write_set
from webapp.phases.matching.boosting import Growth, grow, merged
from webapp.phases.matching.calibration import (
    accept_from,
    best_f1,
    calibration_error,
    fit_curve,
    wilson_lower,
)
from webapp.phases.matching.corpus import corpus_of
from webapp.phases.matching.entry import Entry
from webapp.phases.matching.features import pair_features
from webapp.phases.matching.learning import Lesson, TooFewPairs, learn
from webapp.phases.matching.neighbours import Index
from webapp.phases.matching.rivals import partner_table, rival_table
from webapp.phases.matching.tables import BadTable, Pair, read_set, scene_of
from webapp.phases.matching.wording import learn_wording, wording_scores

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SMALL = Growth(trees=30, depth=3)
ENTRIES = st.builds(
    Entry,
    id=st.just("1"),
    title=st.text(max_size=40) | st.sampled_from(["Sony WH-1000XM4 black", "sony wh1000xm4/b", "2 x 400 ml shampoo"]),
    description=st.text(max_size=40),
    brand=st.sampled_from(["", "Sony", "L'Oréal"]),
    model=st.text(max_size=10),
    price=st.none() | st.floats(0.01, 1e6),
)
EQUAL_BOTH_WAYS = (
    "ratio",
    "title cosine",
    "gram jaccard",
    "codes shared",
    "model equal",
    "digits shared",
    "digits ratio",
    "price gap",
    "colours",
    "found",
)


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    lefts, rights, pairs = matching_set()
    return learn(scene_of(lefts, rights, pairs), NOW, growth=SMALL)


@given(ENTRIES, ENTRIES)
def test_any_two_records_can_be_compared_and_some_features_do_not_ask_which_is_which(left: Entry, right: Entry) -> None:
    corpus = corpus_of([left, right])
    one, other = pair_features(left, right, corpus), pair_features(right, left, corpus)
    assert list(one) == list(other)
    assert all(math.isfinite(value) or math.isnan(value) for value in one.values())
    for name in EQUAL_BOTH_WAYS:
        assert one[name] == pytest.approx(other[name], abs=1e-9, nan_ok=True), name


def test_a_model_number_is_found_however_it_is_written() -> None:
    left, right = Entry(id="1", title="Sony WH-1000XM4"), Entry(id="2", title="sony headphones wh 1000 xm4")
    features = pair_features(left, right, corpus_of([left, right]))
    assert features["left code in right"] == len("wh1000xm4")
    assert features["left code begun in right"] == 1.0


def test_the_digits_of_a_model_number_are_found_among_other_letters_and_zeros() -> None:
    left, right = Entry(id="1", title="Acclaim disk", model="VER0097185"), Entry(id="2", title="acclaim 97185-us disk")
    features = pair_features(left, right, corpus_of([left, right]))
    assert (features["codes shared"], features["digits shared"]) == (0, 1)
    assert (features["left digits in right"], features["left digits missed"]) == (len("97185"), 0)
    other = pair_features(left, Entry(id="3", title="acclaim 97186-us disk"), corpus_of([left, right]))
    assert (other["left digits in right"], other["left digits missed"]) == (0, len("97185"))
    assert math.isnan(pair_features(left, Entry(id="4", title="disk"), corpus_of([left]))["right digits missed"])


def test_trees_learn_what_no_single_column_shows_and_give_the_same_twice() -> None:
    table = np.random.default_rng(1).random((600, 4))
    table[::7, 2] = np.nan
    labels = ((table[:, 0] > 0.5) ^ (table[:, 1] > 0.5)).astype(np.int64)
    forest = grow(table[:400], labels[:400], Growth(trees=60, columns=1.0, rate=0.2), seed=3)
    margin = forest.margin(table[400:])
    assert ((margin > 0) == labels[400:]).mean() > 0.9
    assert grow(table[:400], labels[:400], Growth(trees=60, columns=1.0, rate=0.2), seed=3) == forest
    assert merged([forest, forest]).margin(table[400:]) == pytest.approx(margin, abs=1e-4)


def test_trees_refuse_a_table_of_another_width() -> None:
    table = np.random.default_rng(1).random((50, 4))
    forest = grow(table, (table[:, 0] > 0.5).astype(np.int64), SMALL, seed=1)
    with pytest.raises(ValueError, match="grown on 4 columns, not on 3"):
        forest.margin(table[:, :3])


def test_a_pair_is_ranked_among_the_pairs_of_both_its_records() -> None:
    pairs = np.array([[0, 0], [0, 1], [1, 1]])
    table = rival_table(pairs, np.array([0.9, 0.4, 0.8]), (0, 1))
    rank, lead, best_other, others, count = table[:, :5].T
    assert rank.tolist() == [0, 1, 0]
    assert lead[:2] == pytest.approx([0.5, -0.5])
    assert math.isnan(lead[2])
    assert best_other[:2] == pytest.approx([0.4, 0.9])
    assert others == pytest.approx([0.4, 0.9, 0.0])
    assert count.tolist() == [2, 2, 1]
    assert table[:, -1].tolist() == [1, 0, 1]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.booleans(), st.booleans()), min_size=1, max_size=20))
def test_a_pairs_own_label_never_reaches_its_features(rows: list[tuple[int, int, bool, bool]]) -> None:
    pairs = np.array([row[:2] for row in rows])
    labels, known = np.array([int(row[2]) for row in rows]), np.array([row[3] for row in rows])
    told = partner_table(pairs, labels, known)
    for row in range(len(rows)):
        turned = labels.copy()
        turned[row] = 1 - turned[row]
        assert partner_table(pairs, turned, known)[row].tolist() == told[row].tolist()


def test_words_that_part_products_are_learned() -> None:
    shown = [["=paint", ">refill"], ["=paint"]] * 40
    weights = learn_wording(shown, np.array([0, 1] * 40))
    apart, same = wording_scores([["=paint", ">refill"], ["=paint", ">unseen"]], weights)
    assert apart < 0 < same


def test_the_nearest_records_come_first_and_strangers_not_at_all() -> None:
    entries = [Entry(id=str(at), title=title) for at, title in enumerate(["red kettle", "red kettle steel", "lamp"])]
    index = Index(entries, lambda entry: entry.words, corpus_of(entries).word)
    assert index.nearest(entries[1], 5).tolist() == [1, 0]
    assert index.similarities(entries[0])[0] == pytest.approx(1.0)


@given(st.lists(st.tuples(st.floats(-8, 8), st.booleans()), min_size=2, max_size=60))
def test_calibration_never_turns_the_order_and_stays_within_0_and_1(points: list[tuple[float, bool]]) -> None:
    margin, labels = np.array([point[0] for point in points]), np.array([int(point[1]) for point in points])
    said = fit_curve(margin, labels).probability(np.sort(margin))
    assert np.all(np.diff(said) >= 0)
    assert np.all((said >= 0) & (said <= 1))


def test_calibration_mends_scores_that_are_too_sure() -> None:
    draw = np.random.default_rng(2)
    truth = draw.normal(-1, 2, 4000)
    labels = (draw.random(4000) < 1 / (1 + np.exp(-truth))).astype(np.int64)
    boasting = 1 / (1 + np.exp(-3 * truth))
    said = fit_curve(3 * truth, labels).probability(3 * truth)
    assert calibration_error(said, labels) < calibration_error(boasting, labels) / 2


@given(st.integers(0, 400), st.integers(1, 400))
def test_the_lower_bound_lies_below_the_share_and_rises_with_the_number(right: int, of: int) -> None:
    right = min(right, of)
    assert 0 <= wilson_lower(right, of) <= right / of
    assert wilson_lower(2 * right, 2 * of) >= wilson_lower(right, of)


def test_what_is_accepted_unseen_is_right_often_enough_or_nothing_is() -> None:
    scores = np.linspace(1, 0, 200)
    labels = (np.arange(200) < 100).astype(np.int64)
    limit = accept_from(scores, labels)
    assert limit is not None
    accepted = labels[scores >= limit]
    assert wilson_lower(int(accepted.sum()), len(accepted)) >= 0.95
    assert len(accepted) >= 100
    assert accept_from(scores[:20], labels[:20]) is None  # twenty right ones prove too little
    assert best_f1(scores, labels)[0] == 1.0


def test_a_matcher_learns_from_labelled_pairs(lesson: Lesson) -> None:
    lefts, rights, pairs = matching_set(seed=2)
    scene = scene_of(lefts, rights, (), pairs)
    chances = lesson.learned.probabilities(scene)
    assert np.all((chances >= 0) & (chances <= 1))
    assert best_f1(chances, scene.labels)[0] > 0.8
    assert lesson.learned.figures["same"] == 60


def test_the_labels_of_what_is_asked_change_nothing() -> None:
    lefts, rights, pairs = matching_set()
    told, asked = pairs[:180], pairs[180:]
    lies = [pair._replace(same=not pair.same) for pair in asked]
    one, other = (learn(scene_of(lefts, rights, told, some), NOW, growth=SMALL) for some in (asked, lies))
    assert one.probabilities.tolist() == other.probabilities.tolist()
    assert one.learned.source == other.learned.source


def test_too_few_pairs_are_refused() -> None:
    lefts, rights, pairs = matching_set(count=16)
    with pytest.raises(TooFewPairs, match="at least 20 pairs"):
        learn(scene_of(lefts, rights, pairs), NOW, growth=SMALL)


def test_tables_are_read_by_the_names_of_their_columns(tmp_path: Path) -> None:
    test = write_set(tmp_path / "set")
    lefts, rights, labelled, asked = read_set(tmp_path / "set", test)
    assert lefts[0].brand
    assert rights[0].price
    assert lefts[0].price == pytest.approx(matching_set()[0][0].price, abs=0.01)
    assert len(labelled) + len(asked) == 240


def test_pairs_may_hold_their_records_themselves(tmp_path: Path) -> None:
    lines = "title_left,price_left,Right Title,label\n"
    (tmp_path / "train_small.csv").write_text(f"{lines}Drill X1,10,Drill X 1,1\nDrill X1,10,Saw,0\n")
    (tmp_path / "valid_small.csv").write_text(f"{lines}Drill X1,12,Saw,0\n")
    test = tmp_path / "test.csv"
    test.write_text(f"{lines}Drill X1,10,Pump,0\n")
    lefts, rights, labelled, asked = read_set(tmp_path, test)
    assert [(entry.title, entry.price) for entry in lefts] == [("Drill X1", 10.0), ("Drill X1", 12.0)]
    assert [entry.title for entry in rights] == ["Drill X 1", "Saw", "Pump"]
    names = {entry.id: entry.title for entry in rights}
    told = [(names[pair.right], pair.same) for pair in labelled]
    assert told == [("Drill X 1", True), ("Saw", False), ("Saw", False)]
    assert {pair.left for pair in labelled} == {entry.id for entry in lefts}
    assert [(names[pair.right], pair.same) for pair in asked] == [("Pump", False)]
    assert scene_of(lefts, rights, labelled, asked).known.tolist() == [True, True, True, False]


def test_a_folder_of_neither_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("ltable_id,rtable_id,label\n1,2,1\n")
    with pytest.raises(BadTable, match=r"has no tableA\.csv and tableB\.csv, and train\.csv no columns title_left"):
        read_set(tmp_path)
    (tmp_path / "things.csv").write_text("id,title\n1,2\n")
    with pytest.raises(BadTable, match=r"wants two tables, tableA\.csv and tableB\.csv, or none"):
        read_set(tmp_path)
    (tmp_path / "train.csv").unlink()
    with pytest.raises(BadTable, match=r"has no train\.csv"):
        read_set(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("tableA.csv", "id,price\n1,2\n", "no column named title"),
        ("tableA.csv", "id,title\n1,a\n1,b\n", "has the id 1 twice"),
        ("train.csv", "a_thing,label\n1,1\n", "wants columns named ltable_id"),
        ("train.csv", "ltable_id,rtable_id,label\nnobody,r1,1\n", "nobody, which is not in the tables"),
    ],
)
def test_a_bad_table_is_named_with_its_fault(tmp_path: Path, name: str, content: str, says: str) -> None:
    write_set(tmp_path / "set")
    (tmp_path / "set" / name).write_text(content)
    with pytest.raises(BadTable, match=says):
        scene_of(*read_set(tmp_path / "set"))


def test_the_benchmark_prints_its_figures(tmp_path: Path) -> None:
    test = write_set(tmp_path / "set")
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.bench_match"],
        env={**os.environ, "TABLES": str(tmp_path / "set"), "TEST": str(test)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["f1"] > 0.8
    assert {"precision", "recall", "precision_at_threshold", "recall_at_threshold", "ece"} <= figures.keys()
    assert {"train_s", "pairs_per_s"} <= figures.keys()


def test_what_is_likelier_to_be_wrong_is_never_accepted() -> None:
    """Where pairs are easy to tell apart, nearly all scores are right by their mean."""
    scores = np.concatenate([np.full(200, 0.99), np.full(4, 0.02)])
    labels = np.concatenate([np.ones(200, np.int64), np.zeros(4, np.int64)])
    assert accept_from(scores, labels) == pytest.approx(0.99)
    assert accept_from(scores[200:], 1 - labels[200:]) is None


def test_pairs_of_one_record_teach_nothing_of_the_next() -> None:
    lefts, rights, _ = matching_set(60)
    pairs = [Pair(lefts[0].id, right.id, same=number < 30) for number, right in enumerate(rights)]
    with pytest.raises(TooFewPairs, match="of 10 records; there are 30 and 30, of 1"):
        learn(scene_of(lefts, rights, pairs), NOW)
    pairs += [Pair(left.id, rights[0].id, same=False) for left in lefts[1:20]]
    with pytest.raises(TooFewPairs):  # all that are the same are still of one record
        learn(scene_of(lefts, rights, pairs), NOW)
