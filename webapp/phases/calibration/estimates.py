"""What decisions tell of the threshold: how honest scores were, and what another threshold would cost.

A score is the number that people were shown. Audits count for the products they stand for.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from webapp.phases.calibration.bounds import Share, share

BINS = tuple((low, min(100, low + 9 if low < 90 else 100)) for low in range(0, 100, 10))
"""Bounds of the bins of scores, both included."""
DAILY = 10
"""From so many products a day in between, figures are per day; of fewer, per month."""


class Judged(NamedTuple):
    """A product whose identity a person has judged. `week`: the Monday of the week of the decision."""

    shown: int
    right: bool
    weight: float
    week: date


class Bin(NamedTuple):
    """Products with scores from `low` to `high`: their mean score, and the share that was right."""

    low: int
    high: int
    shown: float
    right: Share


class Point(NamedTuple):
    """At a threshold: the share of products that go on by themselves, and the share of those that is right."""

    threshold: int
    accepted: float
    right: Share


class Simulation(NamedTuple):
    """Another threshold against today's, per `period` days.

    `reviews`: how many more products a person would see (fewer: negative). `errors`: how many errors that would catch
    (let through, when there are fewer), between `low` and `high`; from `judged` decisions in between.
    """

    threshold: int
    period: int
    reviews: float
    errors: float
    low: float
    high: float
    judged: int


class Week(NamedTuple):
    """One week: products analysed, the share of them that goes on by itself, the share of the judged among those that
    was right."""

    monday: date
    products: int
    accepted: float
    right: Share


def reliability(judged: Sequence[Judged]) -> list[Bin]:
    """How often products were right, by the score that they were shown with; bins without any are left out."""
    found = []
    for low, high in BINS:
        here = [entry for entry in judged if low <= entry.shown <= high]
        if here:
            weight = sum(entry.weight for entry in here)
            mean = sum(entry.shown * entry.weight for entry in here) / weight
            found.append(Bin(low, high, mean, _right(here)))
    return found


def expected_error(bins: Iterable[Bin], judged: Sequence[Judged]) -> float:
    """Expected calibration error, 0..1: how far scores and what was right lie apart on average."""
    total = sum(entry.weight for entry in judged)
    off = 0.0
    for each in bins:
        weight = sum(entry.weight for entry in judged if each.low <= entry.shown <= each.high)
        off += weight * abs(each.shown / 100 - each.right.value)
    return off / total if total else 0.0


def by_threshold(judged: Sequence[Judged], counts: Mapping[int, int], step: int = 1) -> list[Point]:
    """Every threshold from 0 to 100. `counts`: how many products had each score, judged or not."""
    total = sum(counts.values())
    points = []
    for threshold in range(0, 101, step):
        accepted = sum(count for shown, count in counts.items() if shown >= threshold)
        above = [entry for entry in judged if entry.shown >= threshold]
        points.append(Point(threshold, accepted / total if total else 0.0, _right(above)))
    return points


def simulate(
    judged: Sequence[Judged], counts: Mapping[int, int], days: float, *, now: int, threshold: int
) -> Simulation:
    """What `threshold` would change against `now`. `days`: the time in which the counted products came.

    Without decisions in between nothing is known of the errors: any number of them, from none to all.
    """
    low, high = sorted((now, threshold))
    between = sum(count for shown, count in counts.items() if low <= shown < high)
    period = 1 if between >= DAILY * days else 30
    products = between * period / max(days, 1.0)
    right = _right([entry for entry in judged if low <= entry.shown < high])
    sign = 1 if threshold >= now else -1
    return Simulation(
        threshold=threshold,
        period=period,
        reviews=sign * products,
        errors=products * (1 - right.value) if right.decisions else 0.0,
        low=products * (1 - right.high),
        high=products * (1 - right.low),
        judged=right.decisions,
    )


def by_week(judged: Sequence[Judged], counts: Mapping[date, Mapping[int, int]], threshold: int) -> list[Week]:
    """Drift: the weeks in order. `counts`: by Monday, how many products had each score."""
    weeks = []
    for monday in sorted(counts):
        products = sum(counts[monday].values())
        accepted = sum(count for shown, count in counts[monday].items() if shown >= threshold)
        sure = [entry for entry in judged if entry.week == monday and entry.shown >= threshold]
        weeks.append(Week(monday, products, accepted / products if products else 0.0, _right(sure)))
    return weeks


def _right(judged: Iterable[Judged]) -> Share:
    return share((entry.right, entry.weight) for entry in judged)
