"""Where the points of a picture lie: shares and scores to coordinates in an SVG of WIDTH by HEIGHT."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from webapp.phases.calibration.estimates import Bin, Point, Week

WIDTH, HEIGHT = 360, 240
LEFT, RIGHT, TOP, BOTTOM = 34, 10, 26, 34
TICKS = (0, 20, 40, 60, 80, 100)
FEW = 5
"""Decisions from which a share is drawn; of fewer it would mislead."""


class Mark(NamedTuple):
    """A share with its bounds at a place, and what it says."""

    x: float
    y: float
    low: float
    high: float
    radius: float
    says: str


class Column(NamedTuple):
    """A bar from the bottom up."""

    x: float
    y: float
    width: float
    height: float
    label: str


class Chart(NamedTuple):
    """A picture: `lines` and `band` as SVG paths."""

    marks: tuple[Mark, ...] = ()
    columns: tuple[Column, ...] = ()
    lines: dict[str, str] = {}  # noqa: RUF012 - a tuple's default, never changed
    band: str = ""


def across(score: float) -> float:
    """Place of a score or a share of 100 on the way to the right."""
    return round(LEFT + (WIDTH - LEFT - RIGHT) * score / 100, 1)


def up(share: float) -> float:
    """Place of a share 0..1 on the way up."""
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share, 1)


def reliability(bins: Iterable[Bin]) -> Chart:
    """Each bin at its mean score, as high as it was right."""
    return Chart(
        marks=tuple(
            Mark(
                across(each.shown),
                up(each.right.value),
                up(each.right.low),
                up(each.right.high),
                round(min(9.0, 3 + each.right.decisions**0.5 / 3), 1),
                f"{each.low}–{each.high}: {each.right.value:.0%} of {each.right.decisions}",
            )
            for each in bins
        )
    )


def thresholds(points: Sequence[Point]) -> Chart:
    """Precision with its bounds, and the share that goes on, over all thresholds."""
    told = [point for point in points if point.right.decisions >= FEW]
    upper = [(point.threshold, point.right.high) for point in told]
    lower = [(point.threshold, point.right.low) for point in reversed(told)]
    return Chart(
        lines={
            "right": _path((point.threshold, point.right.value) for point in told),
            "accepted": _path((point.threshold, point.accepted) for point in points),
        },
        band=_path([*upper, *lower]) + " Z" if told else "",
    )


def drift(weeks: Sequence[Week]) -> Chart:
    """Each week as a column of what went on by itself, and a mark of how much of that was right."""
    room = (WIDTH - LEFT - RIGHT) / max(1, len(weeks))
    columns, marks = [], []
    for at, week in enumerate(weeks):
        middle = LEFT + room * (at + 0.5)
        wide = min(26.0, room * 0.7)
        top = up(week.accepted)
        columns.append(
            Column(round(middle - wide / 2, 1), top, round(wide, 1), round(up(0) - top, 1), f"{week.monday:%d.%m.}")
        )
        if week.right.decisions:
            says = f"{week.monday:%d %b}: {week.right.value:.0%} of {week.right.decisions}"
            marks.append(Mark(round(middle, 1), up(week.right.value), up(week.right.low), up(week.right.high), 4, says))
    return Chart(marks=tuple(marks), columns=tuple(columns))


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{across(score)} {up(share)}" for score, share in points)
