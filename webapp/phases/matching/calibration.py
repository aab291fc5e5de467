"""Scores that keep their word: of what is said to be 90 % sure, nine in ten are right."""

import math

import numpy as np
from numpy.typing import NDArray

from webapp.phases.facts import Fact
from webapp.phases.matching.boosting import Floats

PRECISION = 0.95
"""What is accepted unseen has to be right at least so often, by its lower bound."""
_SURE = 1.6448536269514722
"""Normal quantile of a one-sided 95 % bound."""
_TRIES = 60


class Curve(Fact, frozen=True, kw_only=True):
    """Turns log-odds into probability: logistic with a slope of its own on either side of zero, never falling."""

    below: float
    above: float
    constant: float

    def probability(self, margin: Floats) -> Floats:
        """The chance, 0..1, that pairs of these log-odds are the same product."""
        bent = self.below * np.minimum(margin, 0) + self.above * np.maximum(margin, 0) + self.constant
        return 1 / (1 + np.exp(-np.clip(bent, -30, 30)))


def fit_curve(margin: Floats, labels: NDArray[np.int64]) -> Curve:
    """The curve of the greatest likelihood, by Newton's method. Wants margins of pairs that were held out."""
    table = np.column_stack([np.minimum(margin, 0), np.maximum(margin, 0), np.ones(len(margin))])
    weights = np.array([1.0, 1.0, 0.0])
    ridge = np.diag([1.0, 1.0, 1e-3])
    for _ in range(_TRIES):
        chance = 1 / (1 + np.exp(-np.clip(table @ weights, -30, 30)))
        slope = table.T @ (labels - chance) - ridge @ (weights - [1.0, 1.0, 0.0])
        bend = (table * (chance * (1 - chance))[:, None]).T @ table + ridge
        step = np.linalg.solve(bend, slope)
        weights = weights + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-8:
            break
    return Curve(below=max(float(weights[0]), 1e-3), above=max(float(weights[1]), 1e-3), constant=float(weights[2]))


def wilson_lower(right: int, of: int) -> float:
    """One-sided 95 % lower bound of a share, 0 when there is nothing to go by."""
    if of == 0:
        return 0.0
    share, square = right / of, _SURE**2
    middle = share + square / (2 * of)
    spread = _SURE * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return min(share, max(0.0, (middle - spread) / (1 + square / of)))  # rounding must not lift it above the share


LEAST_ACCEPT = 0.5
"""What is likelier to be wrong is not accepted, however few there were of the kind among the pairs: where those are
easy to tell apart, nearly all scores are right by their mean."""


def accept_from(scores: Floats, labels: NDArray[np.int64], precision: float = PRECISION) -> float | None:
    """The smallest score, LEAST_ACCEPT at least, at and above which enough held-out pairs are right by the lower bound;
    None without one."""
    order = np.argsort(-scores, kind="stable")
    ranked, right = scores[order], np.cumsum(labels[order])
    found = None
    for place in range(len(ranked)):
        last_of_equals = place + 1 == len(ranked) or ranked[place + 1] < ranked[place]
        if ranked[place] < LEAST_ACCEPT:
            break
        if last_of_equals and wilson_lower(int(right[place]), place + 1) >= precision:
            found = float(ranked[place])
    return found


def best_f1(scores: Floats, labels: NDArray[np.int64]) -> tuple[float, float]:
    """The largest F1, and the score halfway below the last pair that counts as the same."""
    order = np.argsort(-scores, kind="stable")
    ranked, right = scores[order], np.cumsum(labels[order])
    values = 2 * right / (np.arange(1, len(ranked) + 1) + max(int(labels.sum()), 1))
    place = int(values.argmax())
    below = float(ranked[place + 1]) if place + 1 < len(ranked) else 0.0
    return float(values[place]), (float(ranked[place]) + below) / 2


def calibration_error(scores: Floats, labels: NDArray[np.int64], bins: int = 10) -> float:
    """Expected calibration error: the gap between mean score and share of right pairs, over bins of equal width."""
    place = np.minimum((scores * bins).astype(int), bins - 1)
    gap = np.bincount(place, scores - labels, bins)
    return float(np.abs(gap).sum() / max(len(scores), 1))
