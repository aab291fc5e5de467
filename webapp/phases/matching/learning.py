"""Learning from labelled pairs of two tables which records are the same product.

Two rounds of boosted trees. The first sees each pair by itself, its words, and how its records stand among the other
table's. The second sees also how sure the first was of the pair's rivals. All scores that anything is fitted to later
(second round, curve, thresholds) come from models that did not see the record on the left.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from webapp.lib.fingerprint import fingerprint
from webapp.phases.facts import Fact
from webapp.phases.matching.boosting import Floats, Forest, Growth, grow, merged
from webapp.phases.matching.calibration import Curve, accept_from, best_f1, calibration_error, fit_curve
from webapp.phases.matching.corpus import Corpus, corpus_of
from webapp.phases.matching.entry import Entry
from webapp.phases.matching.features import pair_table
from webapp.phases.matching.header import LEAST_OF_EACH, LEAST_RECORDS, VERSION
from webapp.phases.matching.neighbours import neighbour_table
from webapp.phases.matching.rivals import partner_table, rival_table
from webapp.phases.matching.wording import learn_wording, signs, wording_scores

FOLDS = 5
REPEATS = 4
"""Divisions into folds. The mean over more of them, each with fewer trees, is surer than over fewer with more."""
_RANKED_BY = ("title cosine", "gram cosine", "found", "text cosine", "left code begun in right", "ratio")


class TooFewPairs(ValueError):
    """There is not enough to learn from: so many pairs `same`, so many `different`, of so many `records` of ours."""

    def __init__(self, same: int, different: int, records: int) -> None:
        super().__init__(
            f"learning wants at least {LEAST_OF_EACH} pairs that are the same and as many that are not, of"
            f" {LEAST_RECORDS} records; there are {same} and {different}, of {records}"
        )
        self.same, self.different, self.records = same, different, records


@dataclass(frozen=True)
class Scene:
    """Pairs of two tables that are judged together: each is looked at among the others.

    `pairs`: places in `lefts` and `rights`. `labels` count where `known`. `one_sided`: only the left record's rivals
    are at hand (a product with the offers that may be for it), so nothing is asked of the right record's.
    """

    lefts: Sequence[Entry]
    rights: Sequence[Entry]
    pairs: NDArray[np.int64]
    labels: NDArray[np.int64]
    known: NDArray[np.bool_]
    one_sided: bool = False

    @property
    def sides(self) -> tuple[int, ...]:
        """The sides whose rivals are looked at."""
        return (0,) if self.one_sided else (0, 1)

    @cached_property
    def entries(self) -> list[tuple[Entry, Entry]]:
        """The records of each pair."""
        return [(self.lefts[left], self.rights[right]) for left, right in self.pairs.tolist()]

    @cached_property
    def signs(self) -> list[list[str]]:
        """What the words of each pair show."""
        return [signs(left, right) for left, right in self.entries]

    def table(self, corpus: Corpus) -> Floats:
        """All features that need no learning, a row for each pair."""
        names, own = pair_table(self.entries, corpus)
        ranks = [
            rival_table(self.pairs, np.nan_to_num(own[:, names.index(name)], nan=-1.0), self.sides)
            for name in _RANKED_BY
        ]
        neighbours = neighbour_table(self.lefts, self.rights, self.pairs, corpus, self.sides)
        partners = () if self.one_sided else (partner_table(self.pairs, self.labels, self.known),)
        return np.hstack([own, neighbours, *ranks, *partners])


class Learned(Fact, frozen=True, kw_only=True):
    """A learned matcher. `cut`: the probability from which a pair counts as the same product. `accept`: the one from
    which at least 95 % are right by the lower bound; None where no score is that sure. `source`: the fingerprint of
    the records and pairs it was learned from. `figures`: what it reached on pairs that were held out."""

    version: int
    source: str
    learned_at: datetime
    one_sided: bool
    corpus: Corpus
    wording: dict[str, float]
    first: Forest
    second: Forest
    curve: Curve
    cut: float
    accept: float | None
    figures: dict[str, float]

    def probabilities(self, scene: Scene) -> Floats:
        """The chance of each pair of the scene to be the same product, 0..1."""
        if not len(scene.pairs):
            return np.zeros(0)
        table = np.column_stack([scene.table(self.corpus), wording_scores(scene.signs, self.wording)])
        first = self.first.margin(table)
        return self.curve.probability((first + self.second.margin(_second_table(table, first, scene))) / 2)


@dataclass
class Lesson:
    """What came of learning: the matcher, and the probability of every pair of the scene. Those of known pairs come
    from models that did not see their left record."""

    learned: Learned
    probabilities: Floats = field(repr=False)


def learn(scene: Scene, now: datetime, *, seed: int = 0, growth: Growth | None = None) -> Lesson:
    """Learn from the known pairs of a scene; the others are only looked at. The same seed gives the same matcher.

    Raises:
        TooFewPairs: fewer than 20 known pairs of the same product, or of different ones, or of fewer than 10 records;
            or all of one kind are of one or two records.
    """
    growth = growth or Growth()
    known = np.flatnonzero(scene.known)
    labels = scene.labels[known]
    same, different = int(labels.sum()), int((1 - labels).sum())
    folds = [_folds(scene, seed + repeat) for repeat in range(REPEATS)]
    records = len(np.unique(scene.pairs[known, 0]))
    parts = [labels[fold_of[known] != fold] for fold_of in folds for fold in range(FOLDS)]
    is_mixed = all(0 < part.sum() < len(part) for part in parts)
    if min(same, different) < LEAST_OF_EACH or records < LEAST_RECORDS or not is_mixed:
        raise TooFewPairs(same, different, records)
    corpus = corpus_of((*scene.lefts, *scene.rights))
    wording, worded = _wording(scene, folds[0])
    table = np.column_stack([scene.table(corpus), worded])
    first, sure = _round(table, scene, folds, growth, seed)
    second, surer = _round(_second_table(table, sure, scene), scene, folds, growth, seed + 1000)
    margin = (sure + surer) / 2
    curve = fit_curve(margin[known], labels)
    probabilities = curve.probability(margin)
    best, cut = best_f1(probabilities[known], labels)
    learned = Learned(
        version=VERSION,
        source=source_of(scene),
        learned_at=now,
        one_sided=scene.one_sided,
        corpus=corpus,
        wording=wording,
        first=first,
        second=second,
        curve=curve,
        cut=cut,
        accept=accept_from(probabilities[known], labels),
        figures={
            "pairs": len(known),
            "same": same,
            "f1": round(best, 4),
            "ece": round(calibration_error(probabilities[known], labels), 4),
        },
    )
    return Lesson(learned, probabilities)


def source_of(scene: Scene) -> str:
    """The fingerprint of what is learned from: the known pairs with their records and labels."""
    entries = [scene.entries[row] for row in np.flatnonzero(scene.known)]
    return fingerprint("matcher", VERSION, scene.one_sided, entries, scene.labels[scene.known].tolist())


def _folds(scene: Scene, seed: int) -> NDArray[np.int64]:
    """The fold of each pair; all pairs of a left record share one."""
    shuffled = np.random.default_rng(seed).permutation(len(scene.lefts))
    return shuffled[scene.pairs[:, 0]] % FOLDS


def _wording(scene: Scene, folds: NDArray[np.int64]) -> tuple[dict[str, float], Floats]:
    total: dict[str, float] = {}
    scores = np.zeros(len(folds))
    for fold in range(FOLDS):
        seen = np.flatnonzero(scene.known & (folds != fold))
        weights = learn_wording([scene.signs[row] for row in seen], scene.labels[seen])
        found = wording_scores(scene.signs, weights)
        scores += np.where(scene.known, np.where(folds == fold, found, 0.0), found / FOLDS)
        for sign, weight in weights.items():
            total[sign] = total.get(sign, 0.0) + weight / FOLDS
    return total, scores


def _round(
    table: Floats, scene: Scene, folds: Sequence[NDArray[np.int64]], growth: Growth, seed: int
) -> tuple[Forest, Floats]:
    forests, margin = [], np.zeros(len(table))
    for repeat, fold_of in enumerate(folds):
        for fold in range(FOLDS):
            seen = scene.known & (fold_of != fold)
            forest = grow(table[seen], scene.labels[seen], growth, seed + repeat * FOLDS + fold)
            asked = ~seen
            share = np.where(scene.known[asked], 1.0, 1.0 / FOLDS) / len(folds)
            margin[asked] += share * forest.margin(table[asked])
            forests.append(forest)
    return merged(forests), margin


def _second_table(table: Floats, margin: Floats, scene: Scene) -> Floats:
    chance = 1 / (1 + np.exp(-np.clip(margin, -30, 30)))
    return np.column_stack([table, margin, rival_table(scene.pairs, chance, scene.sides)])
