"""Pictures made larger or smaller."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def resized(pixels: NDArray[np.uint8], factor: float, method: int | None = None) -> NDArray[np.uint8]:
    """The picture with both sides times `factor`; `method` (of cv2) by default the one that suits.

    No side falls below one pixel: cv2 would round it to none, and fail.
    """
    height, width = pixels.shape[:2]
    if method is None:
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    made: Any = cv2.resize(pixels, None, fx=max(factor, 1 / width), fy=max(factor, 1 / height), interpolation=method)
    return np.asarray(made, dtype=np.uint8)
