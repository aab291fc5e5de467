"""From witnesses to a probability, and from a probability to the number that people see.

A curve is beta calibration (Kull, Silva Filho, Flach 2017) of the default confidence, with the named witnesses beside
it, each bound to the direction that it speaks in. So the result rises with the default confidence and with every
witness for, and falls with every witness against.
"""

from collections.abc import Mapping
from math import exp, log

import msgspec

PROMISE = 0.95
"""At SURE and above, at least this share is right: the lower bound of it, not the guess."""
SURE = 80

BIAS, RISE, FALL = "bias", "rise", "fall"
"""Weights of the constant, of ln s and of −ln(1 − s), where s is the default confidence as a share."""

WITNESSES: dict[str, tuple[float, int]] = {
    "number": (100, 1),
    "votes": (10, 1),
    "runner_up": (5, -1),
    "decoders": (3, 1),
    "printed": (1, 1),
    "photos": (3, 1),
    "restricted": (1, -1),
    "catalog": (1, 1),
    "on_label": (1, 1),
    "typed": (1, 1),
    "matched": (100, 1),
    "model_seen": (1, 1),
    "model_typed": (1, 1),
    "denied": (1, -1),
    "lead": (1, 1),
    "digits": (13, 1),
    "picture": (1, 1),
    "rivals": (3, -1),
    "rule": (1, 1),
    "quality": (100, 1),
    "blurred": (1, -1),
}
"""By name: the value that counts as full, and whether the witness speaks for (1) or against (-1)."""
FEATURES = (BIAS, RISE, FALL, *WITNESSES)


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """The fitted curve of a path or a field.

    `weights`: by feature. `keeps`: probability from which the promise holds, None where it holds nowhere.
    `decisions`, `wrong`: what it was fitted on.
    """

    weights: dict[str, float]
    keeps: float | None
    decisions: int
    wrong: int

    def probability(self, raw: int, witnesses: Mapping[str, float]) -> float:
        """How likely it is to be right, 0..1."""
        told = zip(FEATURES, features(raw, witnesses), strict=True)
        height = sum(self.weights.get(name, 0.0) * value for name, value in told)
        return 1 / (1 + exp(-max(-30.0, min(30.0, height))))

    def confidence(self, raw: int, witnesses: Mapping[str, float]) -> int:
        """The number that people see: 0..99, in the order of the probability, SURE exactly where the promise begins.

        100 is for what a person settled.
        """
        return scale(self.probability(raw, witnesses), self.keeps)


class Calibrator(msgspec.Struct, frozen=True, kw_only=True):
    """What was learned from the decisions at one catalog. Paths and fields that are not here keep the defaults.

    `decisions`, `wrong`, `groups`: what it was fitted on, `fingerprint` of exactly that; `ece`: expected calibration
    error out of fold, 0..1; `accepted`, `precision`, `lower`: the share at SURE and above out of fold, how much of it
    was right, and the one-sided 95 % bound of that.
    """

    paths: dict[str, Curve]
    fields: dict[str, Curve]
    decisions: int
    wrong: int
    groups: int
    fingerprint: str
    ece: float
    accepted: float
    precision: float
    lower: float
    version: int = 0


def features(raw: int, witnesses: Mapping[str, float]) -> list[float]:
    """The values of FEATURES. A witness that was not there says nothing: 0."""
    share = min(0.99, max(0.01, raw / 100))
    told = [min(1.0, max(0.0, witnesses.get(name, 0.0) / full)) for name, (full, _) in WITNESSES.items()]
    return [1.0, log(share), -log(1 - share), *told]


def scale(probability: float, keeps: float | None) -> int:
    """A probability as the number that people see; without a `keeps` nothing reaches SURE."""
    if keeps is None:
        return min(SURE - 1, int(probability * SURE))
    if probability < keeps:
        return min(SURE - 1, int(SURE * probability / keeps))
    beyond = (probability - keeps) / (1 - keeps) if keeps < 1 else 0.0
    return min(99, SURE + int((100 - SURE) * beyond))
