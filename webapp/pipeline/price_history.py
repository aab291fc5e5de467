"""The price history as a picture: where each dot and each period's band lie, and the same in words.

Across everything is in per cent of the width and down in pixels, so that text keeps its size on any screen.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from math import ceil, floor, log10
from typing import NamedTuple

from webapp.lib.money import decimal_string
from webapp.phases.facts import Market, SeenPrice

HEIGHT, TOP, BOTTOM = 216, 20, 184
LEFT, RIGHT = 14.0, 98.0
"""Left of it stand the prices of the grid."""
PERIODS = 12
FEW = 3
"""A period with fewer prices has dots, but no band: it would say more than is known."""


class Dot(NamedTuple):
    """One price on one day. `kind`: `offer` or `sale`."""

    x: float
    y: float
    kind: str
    used: bool
    says: str


class Band(NamedTuple):
    """The middle half of a period's prices, and its median."""

    x: float
    width: float
    top: float
    height: float
    middle: float


class Period(NamedTuple):
    """A period in figures. `low` and `high`: quartiles where there are FEW or more, else the extremes."""

    first: date
    last: date
    number: int
    low: str
    middle: str
    high: str


class Line(NamedTuple):
    """A line of the grid with its price."""

    y: float
    label: str


class Picture(NamedTuple):
    """All of it: dots, bands and grid to draw, periods to read, and what the picture spans."""

    dots: tuple[Dot, ...]
    bands: tuple[Band, ...]
    lines: tuple[Line, ...]
    periods: tuple[Period, ...]
    first: date
    last: date
    lowest: str
    highest: str
    currency: str
    has_sales: bool


def picture(market: Market) -> Picture | None:
    """The picture of a market's history; None where there is none."""
    dots, currency = market.history, market.currency
    if not dots or currency is None:
        return None
    first, last = min(dot.day for dot in dots), max(dot.day for dot in dots)
    prices = [dot.price for dot in dots]
    scale = _Scale(first, last, min(prices), max(prices))
    groups = _groups(dots, first, last)
    return Picture(
        dots=tuple(_dot(dot, scale, currency) for dot in dots),
        bands=tuple(_band(group, scale) for group in groups if len(group.prices) >= FEW),
        lines=tuple(Line(scale.down(price), decimal_string(price, currency)) for price in scale.steps()),
        periods=tuple(_period(group, currency) for group in groups),
        first=first,
        last=last,
        lowest=decimal_string(min(prices), currency),
        highest=decimal_string(max(prices), currency),
        currency=currency,
        has_sales=any(dot.kind == "sale" for dot in dots),
    )


class _Group(NamedTuple):
    """The prices of a period, cheapest first."""

    first: date
    last: date
    prices: list[Decimal]


class _Scale:
    """From days and prices to places. One day alone stands in the middle."""

    def __init__(self, first: date, last: date, low: Decimal, high: Decimal) -> None:
        self._first, self._days = first, (last - first).days
        air = max(float(high - low) * 0.08, float(high) * 0.02)
        self._low, self._high = max(float(low) - air, 0.0), float(high) + air

    def across(self, day: date, share_of_day: float = 0.5) -> float:
        if not self._days:
            return (LEFT + RIGHT) / 2
        days = (day - self._first).days + share_of_day
        return round(LEFT + (RIGHT - LEFT) * days / (self._days + 1), 2)

    def down(self, price: Decimal) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (float(price) - self._low) / (self._high - self._low), 1)

    def steps(self) -> list[Decimal]:
        """Two to five round prices within the picture."""
        rough = (self._high - self._low) / 4
        power = 10.0 ** floor(log10(rough))
        step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
        count = range(ceil(self._low / step), floor(self._high / step) + 1)
        return [Decimal(repr(round(step * place, 6))) for place in count]


def _groups(dots: Sequence[SeenPrice], first: date, last: date) -> list[_Group]:
    """The dots in at most PERIODS periods of equal length, without those that are empty."""
    length = max(ceil(((last - first).days + 1) / PERIODS), 1)
    found: dict[int, list[Decimal]] = {}
    for dot in dots:
        found.setdefault((dot.day - first).days // length, []).append(dot.price)
    return [
        _Group(
            first + timedelta(days=place * length),
            min(first + timedelta(days=(place + 1) * length - 1), last),
            sorted(prices),
        )
        for place, prices in sorted(found.items())
    ]


def _quartiles(prices: Sequence[Decimal]) -> tuple[Decimal, Decimal, Decimal]:
    """Always prices that somebody asked; of very few the extremes."""
    most = len(prices) - 1
    if len(prices) < FEW:
        return prices[0], prices[most // 2], prices[-1]
    return prices[most // 4], prices[most // 2], prices[ceil(most * 3 / 4)]


def _dot(dot: SeenPrice, scale: _Scale, currency: str) -> Dot:
    says = f"{dot.day:%-d %b %Y}: {decimal_string(dot.price, currency)} {currency}"
    return Dot(scale.across(dot.day), scale.down(dot.price), dot.kind, dot.used, says)


def _band(group: _Group, scale: _Scale) -> Band:
    low, middle, high = _quartiles(group.prices)
    left, right = scale.across(group.first, 0.0), scale.across(group.last, 1.0)
    if left == right:
        left, right = left - 4.0, right + 4.0
    top = scale.down(high)
    return Band(left, round(right - left, 2), top, round(max(scale.down(low) - top, 2.0), 1), scale.down(middle))


def _period(group: _Group, currency: str) -> Period:
    low, middle, high = (decimal_string(price, currency) for price in _quartiles(group.prices))
    return Period(group.first, group.last, len(group.prices), low, middle, high)
