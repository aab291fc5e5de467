"""Views of a photo for the barcode decoders: the same bars made easier to read, each in its own way.

A decoder that fails on a photo as it is often succeeds on a flattened, sharpened, smoothed or rescaled one, and a
false read seldom survives a change of view: that is what the votes are about.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from webapp.phases.analysis.pictures import Pixels, Points, scaled

Matrix = NDArray[np.float64]
IDENTITY: Matrix = np.eye(2, 3)

FULL_PIXELS = 2_000_000
"""A whole photo is searched at this many pixels at most; codes found are then read from all pixels there are."""
SMALL_PIXELS = 400_000


@dataclass(frozen=True)
class View:
    """A grey picture and the 2x3 matrix that takes its pixels (x, y) back to the photo's."""

    name: str
    grey: Pixels
    to_photo: Matrix
    upright: bool = False
    """Whether the bars stand upright in it, so that one scanning direction is enough."""

    def back(self, points: Points) -> Points:
        """Points of this view as points of the photo."""
        placed = points.astype(np.float64) @ self.to_photo[:, :2].T + self.to_photo[:, 2]
        return placed.astype(np.float32)

    def corners(self) -> Points:
        """The view's corners on the photo."""
        height, width = self.grey.shape
        return self.back(np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float32))


def whole_views(grey: Pixels) -> Iterator[View]:
    """The whole photo: first as it is (within FULL_PIXELS), then views that rescue soft, noisy and small codes."""
    factor = min(1.0, (FULL_PIXELS / grey.size) ** 0.5)
    plain = scaled(grey, factor) if factor < 1 else grey
    yield View("plain", plain, _zoom(factor))
    yield View("half", scaled(plain, 0.5), _zoom(factor * 0.5))
    if plain.size <= SMALL_PIXELS:
        yield View("soft", np.asarray(cv2.GaussianBlur(plain, (0, 0), 1.8), dtype=np.uint8), _zoom(factor))
        yield View("double", scaled(plain, 2.0), _zoom(factor * 2.0))
        yield View("sharp", sharpened(plain), _zoom(factor))
        yield View("flat", flattened(plain), _zoom(factor))


def strip_views(strip: View) -> Iterator[View]:
    """Views of an upright strip that holds one code, the most useful first."""
    grey = strip.grey
    yield strip
    yield View(f"{strip.name} smooth", along_bars(grey), strip.to_photo, upright=True)
    yield View(f"{strip.name} sharp", sharpened(grey), strip.to_photo, upright=True)
    yield View(f"{strip.name} flat", flattened(grey), strip.to_photo, upright=True)
    yield _rescaled(strip, "wide", along_bars(grey), 1.6)
    yield _rescaled(strip, "narrow", grey, 0.7)
    yield _rescaled(strip, "wide sharp", sharpened(along_bars(grey), 3.0, 2.0), 1.6)


def along_bars(grey: Pixels, rows: int = 9) -> Pixels:
    """Mean over some rows: bars that stand upright keep their edges, noise goes."""
    return np.asarray(cv2.blur(grey, (1, rows)), dtype=np.uint8)


def sharpened(grey: Pixels, sigma: float = 2.0, amount: float = 1.5) -> Pixels:
    """Unsharp mask."""
    soft = cv2.GaussianBlur(grey, (0, 0), sigma)
    return np.asarray(cv2.addWeighted(grey, 1 + amount, soft, -amount, 0), dtype=np.uint8)


def flattened(grey: Pixels) -> Pixels:
    """Contrast-limited adaptive histogram equalisation: evens out shadow and gloss."""
    return np.asarray(cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(grey), dtype=np.uint8)


def _zoom(factor: float) -> Matrix:
    return IDENTITY / factor


def _rescaled(strip: View, name: str, grey: Pixels, factor: float) -> View:
    matrix = strip.to_photo.copy()
    matrix[:, :2] /= factor
    # Only across the bars: their length carries nothing more.
    size = max(1, round(grey.shape[1] * factor)), max(1, round(grey.shape[0] * factor))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return View(f"{strip.name} {name}", np.asarray(cv2.resize(grey, size, interpolation=method)), matrix, upright=True)
