"""Which words tell products apart in this trade, learned from labelled pairs: that `upgrade` or `refill` stands in one
title only says more than that `the` does. Logistic regression over shared and unshared words."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from webapp.phases.matching.boosting import Floats
from webapp.phases.matching.entry import Entry

_LEAST_SEEN = 3
_STEPS = 120
_RIDGE = 3.0
_MEMORY = 0.9


def signs(left: Entry, right: Entry) -> list[str]:
    """What a pair shows: `=word` in both titles, `<word` only in the left one, `>word` only in the right one,
    `!word` in one of the two."""
    mine, other = sorted(left.words - right.words), sorted(right.words - left.words)
    both = sorted(left.words & right.words)
    return [
        *(f"={word}" for word in both),
        *(f"<{word}" for word in mine),
        *(f">{word}" for word in other),
        *(f"!{word}" for word in (*mine, *other)),
    ]


def learn_wording(shown: Sequence[Sequence[str]], labels: NDArray[np.int64]) -> dict[str, float]:
    """Log-odds that each sign adds; the sign '' is the constant. Signs of fewer than three pairs are left out."""
    counts = Counter(sign for each in shown for sign in each)
    kept = {sign: place for place, sign in enumerate(sign for sign, n in counts.items() if n >= _LEAST_SEEN)}
    places = [[kept[sign] for sign in each if sign in kept] for each in shown]
    rows = np.repeat(np.arange(len(shown)), [len(each) for each in places])
    columns = np.array([place for each in places for place in each], np.int64)
    share = float(np.clip(labels.mean(), 1e-3, 1 - 1e-3))
    constant = float(np.log(share / (1 - share)))
    weights = np.zeros(len(kept))
    # Accelerated gradient descent; a column's step is bounded by its curvature.
    lengths = np.bincount(rows, minlength=len(shown)).astype(float)
    curve = np.bincount(columns, lengths[rows] / 4, len(kept)) + _RIDGE
    ahead = weights
    for _ in range(_STEPS):
        margin = constant + np.bincount(rows, ahead[columns], len(shown))
        chance = 1 / (1 + np.exp(-margin))
        error = chance - labels
        slope = np.bincount(columns, error[rows], len(kept)) + _RIDGE * ahead
        fresh = ahead - slope / curve
        ahead = fresh + _MEMORY * (fresh - weights)
        weights = fresh
        constant -= float(error.sum() / (np.sum(chance * (1 - chance)) + 1.0)) * 0.5
    return {"": constant, **{sign: float(weights[place]) for sign, place in kept.items()}}


def wording_scores(shown: Iterable[Sequence[str]], weights: dict[str, float]) -> Floats:
    """The log-odds of each pair by its words."""
    return np.array([weights[""] + sum(weights.get(sign, 0.0) for sign in each) for each in shown])
