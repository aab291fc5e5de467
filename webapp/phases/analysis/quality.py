"""How usable a photo is, told in words while the item is still in the hand."""

from dataclasses import dataclass

import cv2
import numpy as np

from webapp.phases.analysis.pictures import Picture, Pixels, to_grey
from webapp.phases.facts import PhotoQuality

LOOK_SIDE = 1024
SMALL_SIDE = 480
TINY_SIDE = 200
TILE = 64
SHARP, BLURRED = 0.6, 0.33
"""Sharpness (see Measures) from which a photo is as sharp as needed, and below which it is called blurred."""
DARK = 45
SHARP_TILES = 0.05
"""Share of the tiles that must be in focus: a label may fill a small part of the photo."""

NEAR_RING, FAR_RING = 7, 41
"""Sizes in pixels by which a burnt spot is grown to look at what surrounds it."""

SENTENCES = {
    "blank": "There is nothing to see on this photo.",
    "blurred": "The photo is blurred: hold still, tap the label to focus and take it again.",
    "dark": "The photo is too dark: turn on a light or move closer to one.",
    "bright": "The photo is too bright: turn it away from the light.",
    "glare": "Light reflects on the item: tilt it a little.",
    "small": "The photo is too small to read a label: go closer or use a higher resolution.",
}
PENALTIES = {"blank": 100, "blurred": 55, "dark": 40, "bright": 40, "glare": 15, "small": 30}


@dataclass(frozen=True)
class Measures:
    """What is measured on one photo.

    `sharpness`: 0 to about 1.5, how steep the steepest edges are (1: as steep as the pixels allow). `mean`, `spread`:
    brightness 0..255. `dark`, `burnt`: share of pixels at the ends of the scale. `glare`: share of burnt spots with
    soft edges.
    """

    sharpness: float
    mean: float
    spread: float
    dark: float
    burnt: float
    glare: float
    side: int


def judge(picture: Picture) -> PhotoQuality:
    """Score and problems of one photo."""
    measures = measure(picture)
    problems = tuple(_problems(measures))
    score = 100 - sum(PENALTIES[problem] for problem in problems)
    if "blurred" not in problems:
        score -= round(70 * max(0.0, SHARP - measures.sharpness))
    return PhotoQuality(
        photo_id=picture.photo_id,
        score=max(0, min(100, score)),
        problems=problems,
        says=SENTENCES[problems[0]] if problems else "",
    )


def measure(picture: Picture) -> Measures:
    """The measures of one photo, taken on a copy of at most LOOK_SIDE pixels."""
    factor = min(1.0, LOOK_SIDE / max(picture.width, picture.height))
    small = cv2.resize(picture.rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    grey = to_grey(np.asarray(small, dtype=np.uint8))
    return Measures(
        sharpness=_sharpness(grey),
        mean=float(grey.mean()),
        spread=float(grey.std()),
        dark=float((grey < 25).mean()),
        burnt=float((grey > 250).mean()),
        glare=_glare(grey),
        side=max(picture.width, picture.height),
    )


def _problems(measures: Measures) -> list[str]:
    """Keys of what is wrong, the worst first."""
    if measures.spread < 6 or measures.side < TINY_SIDE // 4:
        return ["dark", "blank"] if measures.mean < DARK else ["blank"]
    found = []
    if measures.sharpness < BLURRED:
        found.append("blurred")
    if measures.mean < DARK or measures.dark > 0.85:
        found.append("dark")
    if measures.burnt > 0.9 or (measures.mean > 225 and measures.burnt > 0.6 and measures.spread < 30):
        found.append("bright")
    if measures.side < SMALL_SIDE:
        found.append("small")
    if 0.004 < measures.glare < 0.4:
        found.append("glare")
    return found


def _sharpness(grey: Pixels) -> float:
    """How steep edges are against how high they are, in the sharpest tiles.

    Within a tile: the 99th percentile of the brightness step between neighbours over the tile's contrast (5th to 95th
    percentile). A step that takes one pixel gives 1, one spread over four pixels about 0.25, whatever the contrast.
    """
    soft = cv2.GaussianBlur(grey, (0, 0), 0.6).astype(np.float32)  # noise would count as steep
    steps = np.maximum(
        np.abs(np.diff(soft, axis=1, append=soft[:, -1:])), np.abs(np.diff(soft, axis=0, append=soft[-1:]))
    )
    found = []
    for top in range(0, max(1, grey.shape[0] - TILE + 1), TILE):
        for left in range(0, max(1, grey.shape[1] - TILE + 1), TILE):
            tile = soft[top : top + TILE, left : left + TILE]
            low, high = np.percentile(tile, (2, 98))
            if high - low >= 25:  # flat areas say nothing
                step = np.percentile(steps[top : top + TILE, left : left + TILE], 99)
                found.append(float(step / (high - low)))
    if not found:
        return 0.0
    return float(np.quantile(found, 1 - max(SHARP_TILES, 1 / len(found))) * 1.6)


def _glare(grey: Pixels) -> float:
    """Share of burnt-out spots that fade into darker surroundings: white paper ends in an edge, or goes on being white.

    The ring next to a spot must still be bright, the ring farther out must not.
    """
    burnt = (grey > 250).astype(np.uint8)
    share = 0.0
    count, labels, stats, _ = cv2.connectedComponentsWithStats(burnt)
    for label in range(1, count):
        left, top, width, height, area = (int(value) for value in stats[label])
        if area < 60:
            continue
        rows = slice(max(0, top - FAR_RING), top + height + FAR_RING)
        columns = slice(max(0, left - FAR_RING), left + width + FAR_RING)
        spot = (labels[rows, columns] == label).astype(np.uint8)
        near = cv2.dilate(spot, np.ones((NEAR_RING, NEAR_RING), np.uint8))
        far = cv2.dilate(spot, np.ones((FAR_RING, FAR_RING), np.uint8))
        around = grey[rows, columns]
        close, distant = around[(near == 1) & (spot == 0)], around[(far == 1) & (near == 0)]
        if close.size and distant.size and np.percentile(close, 25) > 215 and np.median(distant) < 200:
            share += area / grey.size
    return share
