"""Which way the text on a photo runs: EXIF says how the phone was held, not how the box lay."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from webapp.phases.analysis.pictures import Pixels, Points
from webapp.phases.facts import Box

MOST_LINES = 12
"""So many of the longest lines are asked: about 2 ms each."""
LEAST_LETTERS, LEAST_LENGTH = 4, 2.0
"""What has fewer letters, or is not so many times as long as it is high, does not tell which way it runs."""
LEAST_SHARE = 0.6
"""Share of the letters that must run one way before that is believed to be the way of all."""


class Strip(NamedTuple):
    """A line of text. `corners`: four, clockwise, the first that of the rectangle as it lies on the picture."""

    text: str
    corners: Points


Classify = Callable[[list[Pixels]], Sequence[tuple[str, float]]]
"""Says of each strip of text whether it stands on its head ("180") or not ("0"), and how surely, 0..1."""


def quarter_turns(pixels: Pixels, strips: Sequence[Strip], classify: Classify) -> int:
    """By how many quarter turns, clockwise, the text on the picture is turned: 0 to 3. 0 where that cannot be told."""
    asked = sorted((strip for strip in strips if _tells(strip)), key=lambda strip: -len(strip.text))[:MOST_LINES]
    if len(asked) < 2:
        return 0
    letters = np.zeros(4)
    said = classify([_cut(pixels, strip) for strip in asked])
    for strip, (label, sureness) in zip(asked, said, strict=True):
        letters[_is_upright(strip) + 2 * ("180" in label)] += len(strip.text) * sureness
    most = int(letters.argmax())
    return (1, 0, 3, 2)[most] if letters[most] >= LEAST_SHARE * letters.sum() else 0


def reading_order(box: Box, turns: int) -> tuple[float, float]:
    """What to sort lines by that are turned by so many quarter turns: the line's place from the top of the text, then
    the place in its line."""
    right, bottom = box.left + box.width, box.top + box.height
    down, along = ((box.top, box.left), (1 - right, box.top), (1 - bottom, 1 - right), (box.left, 1 - bottom))[turns]
    return round(down, 2), along


def mirrored(box: Box) -> Box:
    """Where it lies on the mirror image, left and right exchanged."""
    return Box(left=1 - box.left - box.width, top=box.top, width=box.width, height=box.height)


def _tells(strip: Strip) -> bool:
    width, height = _size(strip)
    is_long = max(width, height) >= LEAST_LENGTH * max(1.0, min(width, height))
    return is_long and sum(map(str.isalpha, strip.text)) >= LEAST_LETTERS


def _is_upright(strip: Strip) -> bool:
    width, height = _size(strip)
    return width >= height


def _size(strip: Strip) -> tuple[float, float]:
    first, second, third, _ = strip.corners
    return float(np.linalg.norm(second - first)), float(np.linalg.norm(third - second))


def _cut(pixels: Pixels, strip: Strip) -> Pixels:
    """The strip laid flat; one that stands upright is turned to the left, so that text that runs down runs right."""
    width, height = (max(1, round(side)) for side in _size(strip))
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    way = cv2.getPerspectiveTransform(np.asarray(strip.corners, dtype=np.float32), flat)
    cut = np.asarray(cv2.warpPerspective(pixels, way, (width, height)), dtype=np.uint8)
    return cut if width >= height else np.ascontiguousarray(np.rot90(cut))
