"""Arithmetic of market prices: how much an offer weighs, which prices are outliers, what a competitive price is.

All prices handed in are positive and of one currency.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from webapp.phases.calibration.bounds import ONE_SIDED_95, wilson

HALF_LIFE_DAYS = 90
"""An offer that was seen this long ago weighs half as much as one of today."""

LIST_HALF_LIFE_DAYS = 365
"""Makers change their list prices about once a year."""

OUTLIER_SCORE = 3.5
"""Modified z-score beyond which a price is an outlier (Iglewicz and Hoaglin, "How to Detect and Handle Outliers",
1993), here on logarithms: prices scatter by factors."""

USUAL_FACTOR = 1.5
"""Prices within this factor of the median are never outliers, however close together the others are."""

SALE_WEIGHT = 2.0
"""A price that was paid says more than one that is asked."""

INTERVAL_PERCENT = 90
INTERVAL_OFFERS = 8.0
"""Effective offers from which there is an interval: the cheapest of eight is below the first quartile, which the
competitive price is about, in 90 of 100 cases, of seven only in 87."""

_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class Weighed:
    """A price, its weight (freshness times match squared, 0..1) and the place of its offer in the caller's list."""

    price: Decimal
    weight: float
    index: int


def freshness(age_days: int, half_life_days: int = HALF_LIFE_DAYS) -> float:
    """1 today, a half after the half-life, and so on."""
    return float(0.5 ** (max(age_days, 0) / half_life_days))


def weight(age_days: int, match: int) -> float:
    """How much an offer counts. The match is squared: a doubtful offer should hardly move the price."""
    return freshness(age_days) * (match / 100) ** 2


def outliers(prices: Sequence[Decimal]) -> set[int]:
    """The places of the prices that are too far from the others to be for the same thing; needs three prices."""
    if len(prices) < 3:
        return set()
    logs = [math.log(price) for price in prices]
    middle = median(logs)
    spread = median(abs(value - middle) for value in logs)
    limit = max(OUTLIER_SCORE * _MAD_TO_SIGMA * spread, math.log(USUAL_FACTOR))
    return {place for place, value in enumerate(logs) if abs(value - middle) > limit + 1e-9}


def at_share(prices: Sequence[Weighed], share: float) -> Weighed:
    """The cheapest price at which this share of all weight is reached: always a price that somebody asks. A share of
    a half gives the weighted median."""
    ranked = sorted(prices, key=lambda item: (item.price, item.index))
    wanted = share * sum(item.weight for item in ranked)
    reached = 0.0
    for item in ranked:
        reached += item.weight
        if reached >= wanted - 1e-12:
            return item
    return ranked[-1]


def competitive(asked: Sequence[Weighed], sold: Sequence[Weighed] = ()) -> Weighed:
    """The price to compete with: the weighted median of the cheaper half of the offers and all own sales.

    Buyers see the cheaper half first; its middle is low enough to sell and not the one desperate offer. Up to three
    prices have no halves: of two the cheaper, of three the middle one, unless it is much staler or more doubtful.
    """
    ranked = sorted(asked, key=lambda item: (item.price, item.index))
    if len(asked) + len(sold) <= 3:
        return at_share([*ranked, *sold], 0.4)
    cheaper = ranked if len(ranked) <= 3 else ranked[: (len(ranked) + 1) // 2]
    return at_share([*cheaper, *sold], 0.5)


def interval(prices: Sequence[Weighed], price: Decimal) -> tuple[Decimal, Decimal] | None:
    """Where a price that is a quantile of these lies in INTERVAL_PERCENT of 100 samples like this one; None for fewer
    than INTERVAL_OFFERS effective offers.

    Woodruff's way (Woodruff, "Confidence Intervals for Medians and Other Position Measures", JASA 47, 1952): the
    bounds of the share of weight up to the price, read off the same distribution; one offer wider on each side, since
    the price that is looked for may lie between two. The share's bounds are Wilson's, by Kish's effective number of
    offers (Σw)² / Σw², which is what weights leave of the number.
    """
    total = sum(item.weight for item in prices)
    squares = sum(item.weight**2 for item in prices)
    effective = total * total / squares if squares else 0.0
    if effective < INTERVAL_OFFERS - 1e-9:
        return None
    low, high = wilson(sum(item.weight for item in prices if item.price <= price) / total, effective, ONE_SIDED_95)
    return at_share(prices, low - 1 / effective).price, at_share(prices, min(high + 1 / effective, 1.0)).price


def confidence(prices: Sequence[Weighed], ages: Sequence[int], matches: Sequence[int]) -> int:
    """0..100 from four shares that are multiplied: number of offers, freshness, agreement, match.

    Number: 1 - 0.5^n. Freshness: of the median age. Agreement: 1 / (1 + spread), the spread being the middle half of
    the prices by their median; a single offer agrees with nobody (0.75). Match: the mean. Never 100: prices move.
    """
    count = len(prices)
    values = sorted(item.price for item in prices)
    spread = (values[(3 * (count - 1)) // 4] - values[(count - 1) // 4]) / values[(count - 1) // 2]
    agreement = 0.75 if count == 1 else 1 / (1 + float(spread))
    shares = (1 - 0.5**count, freshness(int(median(ages))), agreement, sum(matches) / count / 100)
    return min(99, round(100 * math.prod(shares)))
