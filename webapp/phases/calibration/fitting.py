"""Fitting curves to people's decisions: penalised towards the defaults, judged out of fold, folds by product."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webapp.lib.fingerprint import fingerprint
from webapp.phases.calibration.bounds import ONE_SIDED_95, wilson
from webapp.phases.calibration.curves import (
    BIAS,
    FALL,
    FEATURES,
    PROMISE,
    RISE,
    SURE,
    WITNESSES,
    Calibrator,
    Curve,
    features,
)
from webapp.phases.calibration.decisions import MIN_DECISIONS, MIN_PER_PATH, MIN_SURE, Decision, NotEnough

FOLDS = 5
BINS = 10

Vector = NDArray[np.float64]

_PRIOR = np.array([1.0 if name in (RISE, FALL) else 0.0 for name in FEATURES])
_STIFFNESS = np.array([0.05 if name == BIAS else 1.0 for name in FEATURES])
"""How firmly each weight is held at its default; in decisions' worth."""
_SIGNS = np.array([0 if name == BIAS else 1 if name in (RISE, FALL) else WITNESSES[name][1] for name in FEATURES])
_LOW = np.where(_SIGNS > 0, 0.0, -np.inf)
_HIGH = np.where(_SIGNS < 0, 0.0, np.inf)
STEPS = 60


@dataclass(frozen=True)
class Sample:
    """Decisions on one path or field as arrays, one row each."""

    inputs: Vector
    right: Vector
    weight: Vector
    fold: NDArray[np.int64]


def fit(decisions: Sequence[Decision], version: int = 0) -> Calibrator:
    """Learn from the decisions at one catalog.

    Raises:
        NotEnough: fewer than MIN_DECISIONS, or MIN_SURE, on paths that have MIN_PER_PATH each.
    """
    by_path: dict[str, list[Decision]] = {}
    for decision in decisions:
        by_path.setdefault(decision.assessment.path.value, []).append(decision)
    kept = {path: found for path, found in sorted(by_path.items()) if len(found) >= MIN_PER_PATH}
    used = [decision for found in kept.values() for decision in found]
    sure = sum(decision.assessment.raw >= SURE for decision in used)
    if len(used) < MIN_DECISIONS or sure < MIN_SURE:
        raise NotEnough(len(used), sure)
    samples = {path: _of_product(found) for path, found in kept.items()}
    told = np.concatenate([_out_of_fold(sample) for sample in samples.values()])
    right = np.concatenate([sample.right for sample in samples.values()])
    weight = np.concatenate([sample.weight for sample in samples.values()])
    keeps = promise_holds_from(told, right, weight)
    above = told >= keeps if keeps is not None else np.zeros(len(told), bool)
    precision, lower = _precision(right[above], weight[above])
    return Calibrator(
        paths={path: _curve(sample, keeps) for path, sample in samples.items()},
        fields=_fields(used),
        decisions=len(used),
        wrong=int(len(right) - right.sum()),
        groups=len({decision.group for decision in used}),
        fingerprint=fingerprint([[d.assessment, d.right, d.weight, d.group] for d in used]),
        ece=round(calibration_error(told, right, weight), 4),
        accepted=round(float(weight[above].sum() / weight.sum()), 4),
        precision=round(precision, 4),
        lower=round(lower, 4),
        version=version,
    )


def _fields(decisions: Sequence[Decision]) -> dict[str, Curve]:
    names = sorted({name for decision in decisions for name in decision.rights})
    curves = {}
    for name in names:
        found = [d for d in decisions if name in d.rights and name in d.assessment.fields]
        if len(found) < MIN_PER_PATH:
            continue
        inputs = np.array([features(d.assessment.fields[name], {}) for d in found])
        sample = _sample(found, inputs, [d.rights[name] for d in found])
        curves[name] = _curve(sample, promise_holds_from(_out_of_fold(sample), sample.right, sample.weight))
    return curves


def _of_product(found: Sequence[Decision]) -> Sample:
    inputs = np.array([features(d.assessment.raw, d.assessment.witnesses) for d in found])
    return _sample(found, inputs, [d.right for d in found])


def _sample(found: Sequence[Decision], inputs: Vector, right: Sequence[bool]) -> Sample:
    return Sample(
        inputs=inputs,
        right=np.array(right, float),
        weight=np.array([d.weight for d in found]),
        fold=np.array([fold_of(d.group) for d in found]),
    )


def fold_of(group: str) -> int:
    """Which fold a product belongs to: always the same, whatever the other products."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:4]) % FOLDS


def _curve(sample: Sample, keeps: float | None) -> Curve:
    weights = weights_for(sample.inputs, sample.right, sample.weight)
    return Curve(
        weights={name: round(float(value), 6) for name, value in zip(FEATURES, weights, strict=True) if value},
        keeps=keeps,
        decisions=len(sample.right),
        wrong=int(len(sample.right) - sample.right.sum()),
    )


def _out_of_fold(sample: Sample) -> Vector:
    """The probability of each decision by a curve that saw nothing of its product."""
    told = np.zeros(len(sample.right))
    for fold in range(FOLDS):
        here = sample.fold == fold
        weights = weights_for(sample.inputs[~here], sample.right[~here], sample.weight[~here])
        told[here] = _sigmoid(sample.inputs[here] @ weights)
    return told


def weights_for(inputs: Vector, right: Vector, weight: Vector) -> Vector:
    """Weights of FEATURES that make the decisions likely, held towards the defaults and within their signs.

    Projected Newton steps with halving; the loss is convex, so there is one answer.
    """
    current = _PRIOR.copy()
    if not len(right):
        return current
    # Weighted decisions count for as many as they tell, not for as many as they stand for.
    effective = weight * (weight.sum() / (weight**2).sum())

    def loss(weights: Vector) -> float:
        height = inputs @ weights
        fitting = np.logaddexp(0.0, height) - right * height
        return float(effective @ fitting + 0.5 * _STIFFNESS @ (weights - _PRIOR) ** 2)

    for _ in range(STEPS):
        told = _sigmoid(inputs @ current)
        slope = inputs.T @ (effective * (told - right)) + _STIFFNESS * (current - _PRIOR)
        bound = ((current <= _LOW) & (slope > 0)) | ((current >= _HIGH) & (slope < 0))
        free = ~bound
        bend = (inputs.T * (effective * told * (1 - told))) @ inputs + np.diag(_STIFFNESS)
        step = np.zeros_like(current)
        step[free] = np.linalg.solve(bend[np.ix_(free, free)], slope[free])
        before, size = loss(current), 1.0
        while size > 1e-6 and loss(np.clip(current - size * step, _LOW, _HIGH)) > before:
            size /= 2
        following = np.clip(current - size * step, _LOW, _HIGH)
        if np.abs(following - current).max() < 1e-8:
            break
        current = following
    return current


def promise_holds_from(told: Vector, right: Vector, weight: Vector) -> float | None:
    """The smallest probability from which the lower bound of precision keeps the promise, None where none does."""
    order = np.argsort(-told, kind="stable")
    told, right, weight = told[order], right[order], weight[order]
    total, squares, true = np.cumsum(weight), np.cumsum(weight**2), np.cumsum(weight * right)
    last = np.append(told[1:] != told[:-1], True)
    found = None
    for at in np.flatnonzero(last):
        if wilson(true[at] / total[at], total[at] ** 2 / squares[at], ONE_SIDED_95)[0] >= PROMISE:
            found = float(told[at])
    return found


def _precision(right: Vector, weight: Vector) -> tuple[float, float]:
    if not len(right):
        return 0.0, 0.0
    share = float(weight @ right / weight.sum())
    return share, wilson(share, float(weight.sum() ** 2 / (weight**2).sum()), ONE_SIDED_95)[0]


def calibration_error(told: Vector, right: Vector, weight: Vector) -> float:
    """Expected calibration error over bins of equal size, 0..1."""
    order = np.argsort(told, kind="stable")
    error = 0.0
    for part in np.array_split(order, BINS):
        if len(part):
            error += abs(float(weight[part] @ (told[part] - right[part])))
    return error / float(weight.sum())


def _sigmoid(height: Vector) -> Vector:
    return 1 / (1 + np.exp(-np.clip(height, -30, 30)))
