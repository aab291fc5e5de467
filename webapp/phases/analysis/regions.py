"""Where on a photo bars stand: areas whose brightness changes strongly in one direction and hardly across it."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from webapp.phases.analysis.pictures import Pixels, Points
from webapp.phases.analysis.views import Matrix, View
from webapp.phases.resizing import resized

Places = NDArray[np.intp]

SEARCH_SIDE = 720
WINDOW = 15
"""Side of the neighbourhood over which direction is measured, in pixels of the search picture."""
COHERENCE = 0.55
BUSY = 0.35
"""Square of the mean gradient over the mean square: 1 for edges all over the window, near 0 for a single edge."""
MIN_CONTRAST = 60.0
"""Mean square of the gradient (grey levels a pixel) below which an area is called smooth."""
MIN_AREA = 200
MAX_REGIONS = 4
QUIET = 0.14
"""Share of the width added on both sides, for the quiet zones."""
STRIP_WIDTH = (420, 900)
STRIP_HEIGHT = (24, 120)


@dataclass(frozen=True)
class Region:
    """A rotated rectangle in the photo's pixels: centre, the direction across the bars (radians), its extents."""

    x: float
    y: float
    angle: float
    across: float
    along: float
    strength: float


def bar_regions(grey: Pixels) -> list[Region]:
    """Up to MAX_REGIONS places where bars seem to stand, the most striking first.

    Structure tensor: its eigenvalues differ much where all edges run in one direction (Bigün and Granlund, 1987).
    Each direction is searched on its own, so that a label's text and edges do not grow together with its bars.
    """
    factor = min(1.0, SEARCH_SIDE / max(grey.shape))
    small = resized(grey, factor) if factor < 1 else grey
    gx = cv2.Scharr(small, cv2.CV_32F, 1, 0) / 16
    gy = cv2.Scharr(small, cv2.CV_32F, 0, 1) / 16
    window = (WINDOW, WINDOW)
    xx, yy, xy = (cv2.boxFilter(product, -1, window) for product in (gx * gx, gy * gy, gx * gy))
    energy = xx + yy
    spread = cv2.magnitude(xx - yy, 2 * xy)
    busy = cv2.boxFilter(cv2.magnitude(gx, gy), -1, window) ** 2
    striped = (spread > COHERENCE * energy) & (busy > BUSY * energy) & (energy > MIN_CONTRAST)
    eighth = np.rint(cv2.phase(xx - yy, 2 * xy) * (4 / np.pi)).astype(np.uint8) % 8  # of half a turn; phase is doubled
    eighth[~striped] = 8
    found = []
    for number in range(0, 8, 2):
        wanted = np.zeros(9, np.uint8)
        wanted[[(number - 1) % 8, number, number + 1]] = 1
        mask = wanted[eighth]
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
        for label in np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= MIN_AREA) + 1:
            left, top, width, height = stats[label, : cv2.CC_STAT_AREA]
            rows, columns = np.nonzero(labels[top : top + height, left : left + width] == label)
            rows, columns = rows + top, columns + left
            inside = rows, columns
            angle = float(0.5 * np.arctan2(2 * xy[inside].sum(), xx[inside].sum() - yy[inside].sum()))
            strength = float((spread[inside] / energy[inside] ** 0.5).mean())
            found.append(_region(rows, columns, angle, strength, factor))
    return _without_doubles(sorted(found, key=lambda region: -region.strength))[:MAX_REGIONS]


def _region(rows: Places, columns: Places, angle: float, strength: float, factor: float) -> Region:
    """The rectangle along `angle` around the given pixels of the search picture, in the photo's pixels."""
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    u, v = columns * cos + rows * sin, rows * cos - columns * sin
    (u_low, u_high), (v_low, v_high) = np.percentile(u, (0.5, 99.5)), np.percentile(v, (2, 98))
    across, along = float(u_high - u_low) + 1, max(4.0, float(v_high - v_low) + 1)
    fill = min(1.0, len(rows) / (across * along))
    middle_u, middle_v = (u_low + u_high) / 2, (v_low + v_high) / 2
    return Region(
        x=float(middle_u * cos - middle_v * sin) / factor,
        y=float(middle_u * sin + middle_v * cos) / factor,
        angle=angle,
        across=across / factor,
        along=along / factor,
        strength=strength * fill * len(rows) ** 0.5,
    )


def _without_doubles(regions: list[Region]) -> list[Region]:
    """Drops a region whose centre lies in a stronger one of nearly the same direction."""
    kept: list[Region] = []
    for region in regions:
        if not any(_covers(other, region) for other in kept):
            kept.append(region)
    return kept


def _covers(strong: Region, weak: Region) -> bool:
    turn = abs((strong.angle - weak.angle + np.pi / 2) % np.pi - np.pi / 2)
    dx, dy = weak.x - strong.x, weak.y - strong.y
    u = abs(dx * np.cos(strong.angle) + dy * np.sin(strong.angle))
    v = abs(dy * np.cos(strong.angle) - dx * np.sin(strong.angle))
    return bool(turn < np.pi / 5 and u < strong.across / 2 and v < strong.along / 2)


def strips(grey: Pixels) -> Iterator[View]:
    """An upright cut-out of each bar region, bars vertical, with room for the quiet zones, from the photo's pixels."""
    for number, region in enumerate(bar_regions(grey), start=1):
        yield _cut(grey, region, f"bars {number}")


def strip_at(grey: Pixels, points: Points, name: str) -> View | None:
    """An upright strip around a code that a decoder found at `points`; None where there is no room for one."""
    low, high = points.min(axis=0), points.max(axis=0)
    slack = 0.05 * float((high - low).max())
    left, top = np.maximum(low - slack, 0).astype(int)
    right, bottom = np.minimum(high + slack + 1, grey.shape[::-1]).astype(int)
    around = grey[top:bottom, left:right]
    if min(around.shape) < 3:
        return None
    gx, gy = cv2.Scharr(around, cv2.CV_32F, 1, 0), cv2.Scharr(around, cv2.CV_32F, 0, 1)
    angle = float(0.5 * np.arctan2(2 * (gx * gy).sum(), (gx * gx).sum() - (gy * gy).sum()))
    cos, sin = np.cos(angle), np.sin(angle)
    u, v = points @ np.array([cos, sin]), points @ np.array([-sin, cos])
    across, along = float(np.ptp(u)), max(float(np.ptp(v)), 0.12 * float(np.ptp(u)))
    if across < 30:
        return None
    middle_u, middle_v = (u.min() + u.max()) / 2, (v.min() + v.max()) / 2
    x, y = float(middle_u * cos - middle_v * sin), float(middle_u * sin + middle_v * cos)
    return _cut(grey, Region(x, y, angle, across, along, 0.0), name)


def _cut(grey: Pixels, region: Region, name: str) -> View:
    across, along = region.across * (1 + 2 * QUIET) + 12, region.along * 0.9
    width = int(np.clip(across, *STRIP_WIDTH))
    height = int(np.clip(along * width / across, *STRIP_HEIGHT))
    cos, sin = np.cos(region.angle), np.sin(region.angle)
    step_x, step_y = across / width, along / height
    to_photo: Matrix = np.array(
        [
            [cos * step_x, -sin * step_y, region.x - cos * across / 2 + sin * along / 2],
            [sin * step_x, cos * step_y, region.y - sin * across / 2 - cos * along / 2],
        ]
    )
    method = cv2.INTER_AREA if step_x > 1.5 else cv2.INTER_CUBIC
    source, matrix = grey, to_photo
    if step_x > 1.5:  # warpAffine does not average: reduce first
        source = resized(grey, 1 / step_x)
        matrix, method = to_photo / step_x, cv2.INTER_LINEAR
    cut = cv2.warpAffine(
        source, matrix, (width, height), flags=method | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return View(name, np.asarray(cut, dtype=np.uint8), to_photo, upright=True)
