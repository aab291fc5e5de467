"""How much a share of few tells: Wilson's score interval (Wilson 1927), also for weighted counts."""

from collections.abc import Iterable
from math import sqrt
from typing import NamedTuple

ONE_SIDED_95 = 1.6448536
TWO_SIDED_95 = 1.9599640


class Share(NamedTuple):
    """A share 0..1 with its bounds, from `decisions` decisions; without any it is (0, 0, 1)."""

    value: float
    low: float
    high: float
    decisions: int


def wilson(share: float, effective: float, z: float) -> tuple[float, float]:
    """Lower and upper bound of a share that was seen among `effective` independent decisions."""
    if effective <= 0:
        return 0.0, 1.0
    middle = share + z * z / (2 * effective)
    spread = z * sqrt(share * (1 - share) / effective + z * z / (4 * effective * effective))
    whole = 1 + z * z / effective
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)


def share(votes: Iterable[tuple[bool, float]], z: float = TWO_SIDED_95) -> Share:
    """The weighted share of the true among (true, weight).

    Weights are inverse sampling rates. They make the decisions count for less than their number (Kish's effective
    sample size, (Σw)² / Σw²), and the bounds wider.
    """
    total = squares = true = 0.0
    count = 0
    for is_true, weight in votes:
        total, squares, count = total + weight, squares + weight * weight, count + 1
        true += weight * is_true
    if not count:
        return Share(0.0, 0.0, 1.0, 0)
    value = true / total
    return Share(value, *wilson(value, total * total / squares, z), count)
