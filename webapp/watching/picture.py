"""The last hour as a picture: one bar per minute, laid out here and drawn by the template as SVG."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from webapp.watching.state import Minute

WIDTH, HEIGHT, GAP = 720, 120, 2
"""In units of the drawing."""


class Bar(NamedTuple):
    """One minute: what was done stands below, what failed on top of it."""

    at: datetime
    x: float
    width: float
    done: int
    done_y: float
    done_height: float
    failed: int
    failed_y: float
    failed_height: float


class Bars(NamedTuple):
    """The picture. `top`: what the upper edge stands for."""

    bars: list[Bar]
    top: int
    done: int
    failed: int


def bars(minutes: Sequence[Minute]) -> Bars:
    """The bars of these minutes, on a scale whose top is a round number."""
    top = _round_up(max((minute.done + minute.failed for minute in minutes), default=0))
    step = WIDTH / max(len(minutes), 1)
    drawn = []
    for place, minute in enumerate(minutes):
        done, failed = HEIGHT * minute.done / top, HEIGHT * minute.failed / top
        drawn.append(
            Bar(
                at=minute.at,
                x=round(place * step + GAP / 2, 2),
                width=round(step - GAP, 2),
                done=minute.done,
                done_y=round(HEIGHT - done, 2),
                done_height=round(done, 2),
                failed=minute.failed,
                failed_y=round(HEIGHT - done - failed, 2),
                failed_height=round(failed, 2),
            )
        )
    return Bars(drawn, top, sum(minute.done for minute in minutes), sum(minute.failed for minute in minutes))


def _round_up(most: int) -> int:
    """The next of 10, 20, 50, 100, 200, …"""
    top = 10
    while top < most:
        top = top * 5 // 2 if str(top).startswith("2") else top * 2
    return top
