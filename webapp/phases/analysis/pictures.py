"""A photo made ready for the engines: upright pixels in colour and in grey, and a report of where one is on it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from webapp.lib.images import upright
from webapp.phases.facts import Box, Photo

Pixels = NDArray[np.uint8]
Points = NDArray[np.float32]
"""Points as rows of x and y, in pixels."""

MAX_SIDE = 4096
"""Larger photos are reduced to this: no label needs more, and memory stays bounded (about 70 MB a photo)."""

cv2.setNumThreads(2)


@dataclass(frozen=True)
class Picture:
    """One photo, upright. `rgb` is rows x columns x 3, `grey` rows x columns, 8 bits."""

    photo_id: str
    rgb: Pixels
    grey: Pixels

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.grey.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.grey.shape[1])

    def box(self, points: Points) -> Box:
        """The upright rectangle around `points`, as fractions of this picture, cut to it."""
        size = np.array([self.width, self.height], dtype=np.float64)
        low = np.clip(points.min(axis=0) / size, 0, 1)
        high = np.clip(points.max(axis=0) / size, 0, 1)
        left, top, right, bottom = (round(float(value), 4) for value in (*low, *high))
        return Box(left=left, top=top, width=round(right - left, 4), height=round(bottom - top, 4))


def picture_of(photo: Photo) -> Picture:
    """Decodes a photo. Raises webapp.lib.image_errors.ImageError for a file that is no photo."""
    rgb = upright(photo.data, MAX_SIDE)
    return Picture(photo_id=photo.id, rgb=rgb, grey=to_grey(rgb))


def to_grey(rgb: Pixels) -> Pixels:
    """Luminance of an RGB picture."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def scaled(grey: Pixels, factor: float) -> Pixels:
    """`grey` enlarged or reduced by `factor`, at least one pixel wide and high."""
    size = max(1, round(grey.shape[1] * factor)), max(1, round(grey.shape[0] * factor))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(grey, size, interpolation=method), dtype=np.uint8)
