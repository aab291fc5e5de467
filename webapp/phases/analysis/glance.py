"""A glance at a photo for bars, while the item is still in the hand: cheap, and silent where it is not sure.

It reads nothing for the record: that is the analysis' work (see barcodes). All that it is asked is whether a person may
be told that no barcode is on the photo, so whatever could be one counts as one.
"""

import cv2
import numpy as np
import zxingcpp

from webapp.phases.analysis.decoders import ZXING_FORMATS
from webapp.phases.analysis.pictures import Pixels, to_grey
from webapp.phases.analysis.regions import QUIET, strips
from webapp.phases.facts import POOR, PhotoQuality
from webapp.phases.resizing import resized

GLANCE_PIXELS = 1_000_000
ALIKE, LEAST_EDGES = 0.7, 14
"""Share of a strip's contrast that its rows must have in common, since rows of print differ, and how often dark and
light must change across it: a short word set in tall letters comes close to the one, seldom to both."""
FAINT, FAINT_SHARE = 4.0, 0.15
"""Grey levels from the strip's shading, at least and as a share of its contrast, within which it is neither."""
SHADE = (61, 1)
"""The neighbourhood whose mean is a strip's shading: 61 pixels across the bars."""


def may_show_bars(rgb: Pixels, quality: PhotoQuality) -> bool:
    """Whether there is a code on the upright photo (rows x columns x 3), or something like the bars of one. On a poor
    photo there may be: what it shows is not to be seen."""
    return quality.score <= POOR or _shows_bars(to_grey(rgb))


def _shows_bars(grey: Pixels) -> bool:
    """The quick ways first: most photos of a code end there."""
    factor = min(1.0, (GLANCE_PIXELS / grey.size) ** 0.5)
    small = resized(grey, factor) if factor < 1 else grey
    if _is_coded(small) or _is_barred(small):
        return True
    return any(_is_coded(strip.grey) or _is_striped(strip.grey) for strip in strips(grey))


def _is_coded(grey: Pixels) -> bool:
    """Whether ZXing finds a code, be it one that it cannot read to the end."""
    found = zxingcpp.read_barcodes(
        grey, formats=ZXING_FORMATS, try_downscale=False, try_invert=False, return_errors=True
    )
    return bool(found)


def _is_barred(grey: Pixels) -> bool:
    """Whether OpenCV finds bars, readable or not."""
    try:
        found, _corners = cv2.barcode.BarcodeDetector().detect(grey)
    except cv2.error:  # it trips over some tiny pictures
        return False
    return found


def _is_striped(strip: Pixels) -> bool:
    """Whether dark and light change across an upright strip, in the same places on most of its rows."""
    height, width = strip.shape
    margin = round(width * QUIET / (1 + 2 * QUIET))
    inner = strip[height // 5 : height - height // 5, margin : width - margin].astype(np.float32)
    flat = inner - cv2.blur(inner, SHADE)
    profile = flat.mean(axis=0)
    low, high = np.percentile(profile, (5, 95))
    sides = np.sign(profile[np.abs(profile) > max(FAINT, FAINT_SHARE * (high - low))])
    alike = float(profile.var()) / max(float(flat.var()), 1.0)
    return alike > ALIKE and int(np.count_nonzero(np.diff(sides))) >= LEAST_EDGES
