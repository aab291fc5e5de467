"""Curves fitted to decisions: in bounds, monotone, judged on products they never saw, 80 where the promise begins."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from webapp.phases.calibration import (
    MIN_DECISIONS,
    MIN_SURE,
    PROMISE,
    SURE,
    Curve,
    Decision,
    NotEnough,
    calibrated,
    rightness,
)
from webapp.phases.calibration.bounds import ONE_SIDED_95, share, wilson
from webapp.phases.calibration.curves import FEATURES, WITNESSES, scale
from webapp.phases.calibration.fitting import FOLDS, _out_of_fold, _sample, fit, fold_of, promise_holds_from
from webapp.phases.facts import Analysis, Assessment, Field, Path

NOW = datetime(2026, 11, 1, tzinfo=UTC)
shares = st.floats(0, 1)


def decision(
    raw: int, *, right: bool, group: str, path: Path = Path.BARCODE_RECORD, weight: float = 1.0, **witnesses: float
) -> Decision:
    return Decision(
        assessment=Assessment(path=path, raw=raw, shown=raw, witnesses=witnesses, fields={"name": raw}),
        rights={"name": right},
        right=right,
        weight=weight,
        group=group,
        at=NOW,
    )


def history(count: int, seed: int = 1, worth: float = 1.0) -> list[Decision]:
    """Decisions of which `raw * worth` per cent are right, more where the label agrees."""
    dice = np.random.default_rng(seed)
    made = []
    for number in range(count):
        raw, on_label = int(dice.integers(40, 99)), float(dice.random())
        chance = min(0.995, worth * (raw / 100) * (0.8 + 0.3 * on_label))
        made.append(decision(raw, right=bool(dice.random() < chance), group=f"g{number}", on_label=on_label))
    return made


# --- bounds -----------------------------------------------------------------------------------------


@given(shares, st.floats(0.5, 1e5), st.sampled_from([1.0, ONE_SIDED_95, 2.5]))
def test_wilsons_bounds_hold_the_share_and_stay_within_nought_and_one(value, effective, z):
    low, high = wilson(value, effective, z)
    assert 0 <= low <= value + 1e-9
    assert value - 1e-9 <= high <= 1


def test_wilsons_bound_is_the_published_one():
    assert wilson(0.95, 100, 1.96)[0] == pytest.approx(0.8882, abs=2e-4)  # 95 of 100, Newcombe 1998
    assert wilson(1.0, 51, ONE_SIDED_95)[0] < PROMISE < wilson(1.0, 52, ONE_SIDED_95)[0]


def test_weights_widen_the_bounds():
    even = share([(True, 1.0)] * 50 + [(False, 1.0)] * 50)
    uneven = share([(True, 1.0)] * 49 + [(True, 50.0)] + [(False, 1.0)] * 49 + [(False, 50.0)])
    assert even.value == uneven.value == 0.5
    assert uneven.high - uneven.low > 2 * (even.high - even.low)


# --- what was right ---------------------------------------------------------------------------------


def test_a_filled_in_field_and_another_spelling_are_not_errors():
    before = {"name": "Café Kettle K-1", "brand": None, "model": "K1", "condition": None, "gtin": None}
    after = {"name": "cafe kettle k1", "brand": "Acme", "model": "K1", "condition": "used", "gtin": "0" * 14}
    assert rightness(before, after) == ({"name": True, "model": True}, True)
    assert rightness(before, {**after, "model": None}) == ({"name": True, "model": False}, False)


def test_where_nothing_was_claimed_nothing_was_wrong():
    assert rightness({"name": None, "brand": None}, {"name": "Kettle"}) == ({}, None)


# --- curves -----------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from([0.6, 0.9, 1.0, 1.1]), st.data())
def test_confidence_stays_in_bounds_and_never_falls_with_better_evidence(seed, worth, data):
    try:
        curve = fit(history(250, seed, worth)).paths[Path.BARCODE_RECORD]
    except NotEnough:  # too few of them were sure, by chance
        reject()
    witnesses = {name: data.draw(st.floats(0, full)) for name, (full, _) in WITNESSES.items()}
    raws = [curve.confidence(raw, witnesses) for raw in range(101)]
    assert raws == sorted(raws)
    assert all(0 <= value <= 99 for value in raws)
    for name, (full, sign) in WITNESSES.items():
        least, most = (curve.probability(70, {**witnesses, name: value}) for value in (0, full))
        assert (most - least) * sign >= -1e-12, name


@given(st.lists(shares, min_size=2, max_size=20), st.one_of(st.none(), shares))
def test_the_scale_keeps_the_order_and_puts_the_promise_at_eighty(told, keeps):
    told = sorted(told)
    shown = [scale(probability, keeps) for probability in told]
    assert shown == sorted(shown)
    for probability, number in zip(told, shown, strict=True):
        assert 0 <= number <= 99
        assert (number >= SURE) == (keeps is not None and probability >= keeps)


@given(st.integers(0, 10**6))
def test_the_promise_holds_above_and_breaks_just_below(seed):
    dice = np.random.default_rng(seed)
    told = np.round(dice.random(400), 2)
    right = (dice.random(400) < 0.6 + 0.45 * told).astype(float)
    weight = np.where(told > 0.8, 3.0, 1.0)

    def lower(least):
        kept = told >= least
        total, squares = weight[kept].sum(), (weight[kept] ** 2).sum()
        return wilson(weight[kept] @ right[kept] / total, total**2 / squares, ONE_SIDED_95)[0]

    keeps = promise_holds_from(told, right, weight)
    if keeps is not None:
        assert lower(keeps) >= PROMISE
    smaller = [value for value in np.unique(told) if keeps is None or value < keeps]
    assert all(lower(value) < PROMISE for value in smaller)


def test_a_curve_learns_what_scores_are_worth():
    modest = fit(history(600, worth=1.0)).paths[Path.BARCODE_RECORD]
    boastful = fit(history(600, worth=0.6)).paths[Path.BARCODE_RECORD]
    assert boastful.probability(90, {"on_label": 0.5}) < modest.probability(90, {"on_label": 0.5}) - 0.2
    assert boastful.probability(90, {"on_label": 0.5}) == pytest.approx(0.6 * 0.9 * 0.95, abs=0.08)


def test_eighty_means_ninety_five_per_cent_on_products_never_seen():
    """Evidence that agrees is nearly always right, evidence that does not is right half the time."""

    def made(count, seed):
        dice = np.random.default_rng(seed)
        draws = [(int(dice.integers(60, 99)), float(dice.random()), float(dice.random())) for _ in range(count)]
        return [
            decision(raw, right=luck < (0.985 if on_label > 0.4 else 0.5), group=f"{seed}.{at}", on_label=on_label)
            for at, (raw, on_label, luck) in enumerate(draws)
        ]

    seen, right = 0, 0
    for seed in range(5):
        curve = fit(made(400, seed)).paths[Path.BARCODE_RECORD]
        for d in made(1000, 100 + seed):
            if curve.confidence(d.assessment.raw, d.assessment.witnesses) >= SURE:
                seen, right = seen + 1, right + d.right
    assert seen > 2000
    assert right / seen >= PROMISE


def test_where_no_score_keeps_the_promise_everything_goes_to_a_person():
    fitted = fit(history(300, worth=0.7))
    curve = fitted.paths[Path.BARCODE_RECORD]
    assert curve.keeps is None
    assert max(curve.confidence(raw, {"on_label": 1.0}) for raw in range(101)) < SURE
    assert scale(1.0, None) == SURE - 1
    assert fitted.accepted == 0


def test_audits_count_for_the_products_they_stand_for():
    """Reviews alone would say that half of all is wrong; audits, each for fifty, say otherwise."""
    reviewed = [decision(70, right=number % 2 == 0, group=f"r{number}") for number in range(100)]
    audited = [decision(90, right=True, group=f"a{number}", weight=50.0) for number in range(100)]
    fitted = fit(reviewed + audited)
    assert fitted.accepted > 0.9
    assert fitted.wrong == 50


# --- folds ------------------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=20), min_size=1, max_size=50))
def test_a_product_is_always_in_the_same_fold(groups):
    assert [fold_of(group) for group in groups] == [fold_of(group) for group in groups]
    assert all(0 <= fold_of(group) < FOLDS for group in groups)


def test_decisions_of_one_product_never_train_and_test_each_other():
    """Flipping every decision of a product leaves its own out-of-fold probabilities as they were."""
    made = history(200)
    made = [d if number % 4 else decision(88, right=True, group="same") for number, d in enumerate(made)]

    def told(right_of_same):
        inputs = np.array([[1.0, *np.zeros(len(FEATURES) - 1)] for _ in made])
        right = [right_of_same if d.group == "same" else d.right for d in made]
        mine = [number for number, d in enumerate(made) if d.group == "same"]
        return _out_of_fold(_sample(made, inputs, right))[mine]

    assert np.array_equal(told(True), told(False))


# --- enough or not ----------------------------------------------------------------------------------


def test_too_few_decisions_fit_nothing():
    sure = [decision(85, right=True, group=f"s{number}") for number in range(MIN_DECISIONS - 1)]
    with pytest.raises(NotEnough) as few:
        fit(sure)
    assert (few.value.decisions, few.value.sure) == (MIN_DECISIONS - 1, MIN_DECISIONS - 1)


def test_reviews_alone_prove_nothing_about_what_goes_on_by_itself():
    reviewed = [decision(70, right=number % 3 > 0, group=f"r{number}") for number in range(300)]
    with pytest.raises(NotEnough):
        fit(reviewed)
    audited = [decision(90, right=True, group=f"a{number}", weight=50) for number in range(MIN_SURE)]
    assert fit(reviewed + audited).lower >= PROMISE


def test_a_path_with_few_decisions_keeps_the_defaults():
    fitted = fit([*history(250), decision(85, right=True, group="x", path=Path.BARCODE_ONLY)])
    assert set(fitted.paths) == {Path.BARCODE_RECORD}
    found = analysis(Assessment(path=Path.BARCODE_ONLY, raw=85, shown=85))
    assert calibrated(found, fitted, 80).confidence == 85


def test_the_same_decisions_give_the_same_calibrator_and_others_another_fingerprint():
    one, same, other = fit(history(250)), fit(history(250)), fit(history(250, seed=2))
    assert one == same
    assert one.fingerprint != other.fingerprint


# --- applied ----------------------------------------------------------------------------------------


def analysis(assessment: Assessment | None, confidence: int = 85) -> Analysis:
    nothing = Field()
    return Analysis(
        name=Field(value="Kettle", confidence=confidence),
        model=nothing,
        brand=nothing,
        condition=nothing,
        gtin=nothing,
        confidence=confidence,
        assessment=assessment,
    )


def test_a_score_that_lost_its_worth_asks_a_person_and_says_why():
    fitted = fit(history(400, worth=0.6), version=7)
    found = analysis(
        Assessment(path=Path.BARCODE_RECORD, raw=85, shown=85, fields={"name": 85}, witnesses={"on_label": 0.5})
    )
    after = calibrated(found, fitted, 80)
    assert after.confidence < 80
    assert after.name.confidence < 80
    assert "corrected too often" in after.reasons[0]
    assert after.assessment is not None
    assert (after.assessment.raw, after.assessment.shown, after.assessment.calibrator) == (85, after.confidence, 7)


def test_a_records_category_is_as_sure_as_its_record():
    fitted = fit(history(400, worth=0.6), version=7)
    told = Assessment(path=Path.BARCODE_RECORD, raw=85, shown=85, fields={"name": 85}, witnesses={"on_label": 0.5})
    found = msgspec.structs.replace(analysis(told), category=Field(value="Kettles", confidence=85))
    after = calibrated(found, fitted, 80)
    assert after.category.confidence == after.confidence < 80


def test_what_a_person_settled_is_left_alone():
    fitted = fit(history(250))
    assert calibrated(analysis(None, 100), fitted, 80) == analysis(None, 100)


def test_nothing_found_stays_nothing():
    fitted = fit(history(250))
    found = analysis(Assessment(path=Path.NOTHING, raw=0, shown=0, doubts=("Nothing was found.",)), 0)
    assert calibrated(found, fitted, 80).confidence == 0
    assert calibrated(found, fitted, 80).reasons == ("Nothing was found.",)


def test_an_unknown_feature_of_an_older_version_does_no_harm():
    curve = Curve(weights={"bias": 1.0, "gone": 3.0}, keeps=0.9, decisions=100, wrong=3)
    assert 0 <= curve.confidence(70, {"gone": 1.0, "also_gone": 2.0}) <= 99
