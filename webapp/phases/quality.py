"""How usable a photo is, told in words while the item is still in the hand.

Cheap enough for the moment of the upload: a few hundredths of a second, without the engines that read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from webapp.phases.facts import NO_BARCODE, PhotoQuality
from webapp.phases.resizing import resized

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

LOOK_SIDE = 1024
SMALL_SIDE = 480
TINY_SIDE = 200
WINDOW = np.ones((15, 15), np.uint8)
"""The neighbourhood of a pixel whose contrast an edge is held against."""
LEAST_CONTRAST, LEAST_EDGES = 40.0, 0.002
"""Grey levels between the sides of an edge, and the share of the photo that must be near one to speak of sharpness."""
SMEARED_EDGES, MOVED = 0.01, 0.58
"""Share of the photo that must be edges of one direction to judge it, and how much less steep they must be."""
SOFT_COSTS, MORE_COSTS = 20, 30
"""Points that a photo at the edge of being blurred has lost, and those that a worse one can lose beyond."""
SHARP, BLURRED = 0.39, 0.31
"""Sharpness (see Measures) from which a photo is as sharp as needed, and below which it is called blurred."""
DARK, LIT = 45, 140
"""Mean grey level below which a photo is dark, unless its brightest hundredth lies above the second: a white label on
a black box is none."""
WASHED_OUT = 120
"""Grey level above which the darkest thousandth of a photo lies when too much light has eaten the print."""

NEAR_RING, FAR_RING = 3, 20
"""Pixels by which a burnt spot is grown to look at what surrounds it; the far ring by half the spot if that is more."""
SPOT_LIGHT, FADES = 190, 0.2
"""Grey level at which a burnt spot is said to end, and how steep (0 to 0.5) that end is at most where light fades."""

SENTENCES = {
    "blank": "There is nothing to see on this photo.",
    "blurred": "The photo is blurred: hold still, tap the label to focus and take it again.",
    "dark": "The photo is too dark: turn on a light or move closer to one.",
    "bright": "The photo is too bright: turn it away from the light.",
    "glare": "Light reflects on the item: tilt it a little.",
    "small": "The photo is too small to read a label: go closer or use a higher resolution.",
    "cut_off": "The label goes on beyond the edge of the photo: step back until all of it shows.",
    "mirrored": "The photo is a mirror image: take it with the back camera, or switch mirroring off.",
    "bars_unread": "The bars could not be read: go closer, hold the camera level with them and take them again.",
    "no_barcode": NO_BARCODE,
}
"""By problem; the last four are found only by reading (see analysis/framing)."""
PENALTIES = {
    "blank": 100,
    "blurred": 40,
    "dark": 40,
    "bright": 40,
    "glare": 10,
    "small": 30,
    "cut_off": 15,
    "mirrored": 30,
    "bars_unread": 10,
    "no_barcode": 0,
}
GLARE_COSTS, GLARE_COSTS_MORE = 1000, 30
"""Points that glare all over the photo would lose beyond, and the most that it does lose."""


@dataclass(frozen=True)
class Measures:
    """What is measured on one photo.

    `sharpness`: 0 to 0.5, how steep the steepest edges are (0.5: as steep as the pixels allow). `mean`, `spread`,
    `darkest` (the first thousandth), `brightest` (the last hundredth): brightness 0..255. `dark`, `burnt`: share of
    pixels at the ends of the scale. `glare`: share of burnt spots with soft edges. `side`: the longer one, in pixels.
    """

    sharpness: float
    mean: float
    spread: float
    darkest: float
    brightest: float
    dark: float
    burnt: float
    glare: float
    side: int


def judge(photo_id: str, rgb: Pixels) -> PhotoQuality:
    """Score and problems of one upright photo (rows x columns x 3)."""
    measures = measure(rgb)
    return verdict(photo_id, measures, _problems(measures))


def verdict(photo_id: str, measures: Measures, problems: Sequence[str]) -> PhotoQuality:
    """The score that is left with these problems, and the sentence about the worst of them."""
    score = 100 - sum(PENALTIES[problem] for problem in problems)
    softness = (SHARP - measures.sharpness) / (SHARP - BLURRED)  # 0 sharp enough, 1 at the edge of blurred
    if "glare" in problems:
        score -= round(min(GLARE_COSTS * measures.glare, GLARE_COSTS_MORE))
    score -= round(min(SOFT_COSTS * max(0.0, softness), SOFT_COSTS + MORE_COSTS))
    return PhotoQuality(
        photo_id=photo_id,
        score=max(0, min(100, score)),
        problems=tuple(problems),
        says=SENTENCES[problems[0]] if problems else "",
    )


def also(quality: PhotoQuality, problem: str) -> PhotoQuality:
    """The same photo with one more problem; the sentence stays that of the first."""
    return PhotoQuality(
        photo_id=quality.photo_id,
        score=max(0, quality.score - PENALTIES[problem]),
        problems=(*quality.problems, problem),
        says=quality.says or SENTENCES[problem],
    )


def measure(rgb: Pixels) -> Measures:
    """The measures of one photo, taken on a copy of at most LOOK_SIDE pixels."""
    height, width = rgb.shape[:2]
    factor = min(1.0, LOOK_SIDE / max(width, height))
    small = resized(rgb, factor, cv2.INTER_AREA)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    edges = _edges(grey)
    return Measures(
        sharpness=_sharpness(edges),
        mean=float(grey.mean()),
        spread=float(grey.std()),
        darkest=float(np.percentile(grey, 0.1)),
        brightest=float(np.percentile(grey, 99)),
        dark=float((grey < 25).mean()),
        burnt=float((grey > 250).mean()),
        glare=_glare(grey, edges),
        side=max(width, height),
    )


def _problems(measures: Measures) -> list[str]:
    """Keys of what is wrong, the worst first."""
    if measures.spread < 6 or measures.side < TINY_SIDE // 4:
        return ["dark", "blank"] if measures.mean < DARK else ["blank"]
    found = []
    if measures.sharpness < BLURRED:
        found.append("blurred")
    if (measures.mean < DARK or measures.dark > 0.85) and measures.brightest < LIT:
        found.append("dark")
    if measures.burnt > 0.5 and measures.darkest > WASHED_OUT:
        found.append("bright")
    if measures.side < SMALL_SIDE:
        found.append("small")
    if 0.004 < measures.glare < 0.4:
        found.append("glare")
    return found


@dataclass(frozen=True)
class Edges:
    """By pixel: how fast brightness changes from left to right and from top to bottom, and the contrast around."""

    across: Floats
    along: Floats
    contrast: Floats


def _edges(grey: Pixels) -> Edges:
    soft = cv2.GaussianBlur(grey, (0, 0), 0.6).astype(np.float32)  # noise would count as steep
    across = np.abs(cv2.Scharr(soft, cv2.CV_32F, 1, 0)) / 32
    along = np.abs(cv2.Scharr(soft, cv2.CV_32F, 0, 1)) / 32
    return Edges(across, along, cv2.dilate(soft, WINDOW) - cv2.erode(soft, WINDOW))


def _sharpness(edges: Edges) -> float:
    """How steep edges are against how high they are, on the sharpest tenth of all edges.

    Around each pixel the steepest change is held against the contrast there. A step that takes one pixel gives 0.5,
    one blurred by a Gaussian of 2 pixels 0.37, of 5 pixels 0.19, whatever the contrast. A camera that was moved smears
    the edges across its way and leaves those along it: then the smeared ones count.
    """
    across, along, contrast = edges.across, edges.along, edges.contrast
    high = contrast > LEAST_CONTRAST
    if high.mean() < LEAST_EDGES:
        return 0.0

    def steepest(change: Floats, there: NDArray[np.bool_]) -> float:
        return float(np.percentile((cv2.dilate(change, WINDOW) / np.maximum(contrast, 1))[there], 90))

    whole = steepest(np.hypot(across, along), high)
    sides = [
        steepest(one, there)
        for one, other in ((across, along), (along, across))
        if (there := high & (one > 2 * other) & (one > 0.04 * contrast)).mean() > SMEARED_EDGES
    ]
    smeared = len(sides) == 2 and min(sides) < MOVED * max(sides)
    return min(sides) if smeared else whole


def _glare(grey: Pixels, edges: Edges) -> float:
    """Share of burnt-out spots that fade into darker surroundings: white paper ends in an edge, or goes on being white.

    The ring next to a spot must still be bright, the ring farther out must not, and no steep edge lies between them.
    """
    steep = np.hypot(edges.across, edges.along) / np.maximum(edges.contrast, 1)
    burnt = (grey > 250).astype(np.uint8)
    share = 0.0
    count, labels, stats, _ = cv2.connectedComponentsWithStats(burnt)
    for label in range(1, count):
        left, top, width, height, area = (int(value) for value in stats[label])
        if area < 60:
            continue
        reach = max(FAR_RING, max(width, height) // 2)
        rows = slice(max(0, top - reach), top + height + reach)
        columns = slice(max(0, left - reach), left + width + reach)
        spot = (labels[rows, columns] == label).astype(np.uint8)
        near = cv2.dilate(spot, np.ones((2 * NEAR_RING + 1, 2 * NEAR_RING + 1), np.uint8))
        far = cv2.dilate(spot, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
        around = grey[rows, columns]
        close, distant = around[(near == 1) & (spot == 0)], around[(far == 1) & (near == 0)]
        if not (close.size and distant.size and np.percentile(close, 25) > 215 and np.median(distant) < 200):
            continue
        light = ((around > SPOT_LIGHT) & (far == 1)).astype(np.uint8)
        end = (cv2.dilate(light, np.ones((3, 3), np.uint8)) > light) & (far == 1)
        if end.any() and np.median(steep[rows, columns][end]) < FADES:
            share += area / grey.size
    return share
