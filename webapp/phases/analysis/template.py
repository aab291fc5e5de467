"""Our own decoder for EAN-13 and UPC-A: compares whole digits with their patterns instead of looking for edges.

Other decoders decide bar by bar where it begins and ends, which blur, noise, a small picture or a curved label make
impossible. Here a strip is averaged along its bars, the likeliest chain of digits is laid through it (`chains`), and
the likeliest number with a fitting check digit is read off (`codewords`). Each band of rows is a witness of its own.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from webapp.phases.analysis.chains import Fit, fits, seen_on
from webapp.phases.analysis.codewords import Codeword, explained, likeliest
from webapp.phases.analysis.patterns import MODULES, PER_MODULE, Floats
from webapp.phases.analysis.pictures import Pixels
from webapp.phases.analysis.reads import SURE_READS, Read
from webapp.phases.analysis.regions import QUIET
from webapp.phases.analysis.views import View

BANDS = ((0.0, 1.0), (0.0, 0.3), (0.175, 0.475), (0.35, 0.65), (0.525, 0.825), (0.7, 1.0))
"""Parts of a strip's height, the whole and five that overlap: where one lies in glare, the others may not."""
SAMPLES = round(MODULES * (1 + 2 * QUIET) * PER_MODULE)
ROWS = 40
SHEARS = np.linspace(-8, 8, 9)
"""How far, in samples, the bars may lean over the strip's height."""
LIKE_A_CODE = 7.0
"""Score of the strip as a whole below which its bands are not looked at: text and edges reach 4 to 7, and no strip on
the open photos that was read 7.8."""
MIN_SCORE, MIN_WEAKEST, MIN_LEAD = 9.0, 0.45, 0.12
"""Sum of the twelve digits' correlations, the weakest one, and the lead over the second best number, for a read."""
MAX_LAG = 0.2
"""Sum of correlations that the number may lack against the best digits without regard to parity and check digit."""
MIN_SURE_SCORE = 9.0
SURE = ((9.0, 0.28), (9.8, 0.2))
"""Score with lead of all bands together, either of them for a number that needs no other witness. Drawn photos with
blur and glare, on which nothing was fitted but these: 0 of 539 wrong, where a lead of 0.16 gives 2."""
DOUBTFUL = 2
"""Reads at most of a number that the bands together leave in doubt: it needs another decoder's word."""
MIN_SCORE_TO_CONFIRM, MIN_FIT_TO_CONFIRM = 8.6, 0.35


class Template:
    """Reads one EAN-13 or UPC-A from an upright strip; nothing from a whole photo."""

    name = "template"

    def read(self, view: View) -> Sequence[Read]:
        """See Decoder. Each band of rows that shows a number clearly is a read, and so is each that explains a number
        of which all bands together leave no doubt."""
        if not view.upright:
            return []
        rows = profiles(view.grey)
        glance = seen_on(rows[:1])
        dark, light = (fits(each)[0].score >= LIKE_A_CODE for each in (glance, glance.negative))
        if not dark and not light:
            return []
        seen = seen_on(rows)
        found = self._read(view, fits(seen)) if dark else []
        # At last as a negative: bars that shine brighter than their ground, as on cans.
        return found or (self._sure(view, fits(seen.negative)) if light else [])

    def _read(self, view: View, bands: Sequence[Fit]) -> list[Read]:
        if sure := self._sure(view, bands):
            return sure
        found = []
        for number, fit in enumerate(bands):
            word = likeliest(fit) if fit.score >= MIN_SCORE else None
            if word is not None and _is_clear(word, fit):
                found.append(self._as_read(view, f"band {number}", word.text))
        return found[:DOUBTFUL]

    def _sure(self, view: View, bands: Sequence[Fit]) -> list[Read]:
        """A read for each band that explains the number of which all bands leave no doubt, SURE_READS at least;
        none without such a number."""
        joint = _together(bands)
        word = likeliest(joint) if joint.score >= MIN_SURE_SCORE else None
        if word is None or not any(word.score >= score and word.lead >= lead for score, lead in SURE):
            return []
        told = [f"band {number}" for number, fit in enumerate(bands) if _explains(fit, word.text)]
        names = told + ["together"] * (SURE_READS - len(told))
        return [self._as_read(view, name, word.text) for name in names]

    def confirm(self, view: View, text: str) -> Sequence[Read]:
        """`text` (12 or 13 digits) as a read for each band on which it explains the picture as well as any code."""
        text = text.zfill(13)
        return [
            self._as_read(view, f"check {number}", text)
            for number, fit in enumerate(fits(seen_on(profiles(view.grey))))
            if _explains(fit, text)
        ]

    def _as_read(self, view: View, part: str, text: str) -> Read:
        height, width = view.grey.shape
        margin = width * QUIET / (1 + 2 * QUIET)
        points = np.array([(margin, height / 2), (width - margin, height / 2)], dtype=np.float32)
        return Read(self.name, f"{view.name} {part}", "EAN13", text, view.back(points))


def _together(bands: Sequence[Fit]) -> Fit:
    """The mean of the bands that look like a code at all, the clearer ones counting more."""
    use = [fit for fit in bands if fit.score >= MIN_SCORE_TO_CONFIRM]
    if not use:
        return Fit(0.0, bands[0].left, bands[0].right)
    weights = np.array([fit.score - MIN_SCORE_TO_CONFIRM + 0.5 for fit in use], dtype=np.float32)
    weights /= weights.sum()
    left = np.tensordot(weights, np.stack([fit.left for fit in use]), 1)
    right = np.tensordot(weights, np.stack([fit.right for fit in use]), 1)
    return Fit(float(left.max(axis=1).sum() + right.max(axis=1).sum()), left, right)


def _is_clear(word: Codeword, fit: Fit) -> bool:
    """Whether a band by itself shows the number clearly enough to count."""
    lag = fit.score - word.score
    return word.score >= MIN_SCORE and word.lead >= MIN_LEAD and word.weakest >= MIN_WEAKEST and lag <= MAX_LAG


def profiles(grey: Pixels) -> Floats:
    """Darkness along the strip in SAMPLES steps, averaged over each band of rows, straightened by the shear that gives
    most contrast."""
    method = cv2.INTER_AREA if grey.shape[1] > SAMPLES else cv2.INTER_LINEAR
    rows = cv2.resize(255 - grey, (SAMPLES, ROWS), interpolation=method).astype(np.float32)
    sheared = [_sheared(rows, float(shear)) for shear in SHEARS]
    bands = []
    for low, high in BANDS:
        means = [each[int(low * ROWS) : int(high * ROWS)].mean(axis=0) for each in sheared]
        bands.append(max(means, key=lambda mean: float(np.square(np.diff(mean)).sum())))
    return np.stack(bands)


def _sheared(rows: Floats, shear: float) -> Floats:
    matrix = np.array([[1, shear / ROWS, -shear / 2], [0, 1, 0]])
    return np.asarray(cv2.warpAffine(rows, matrix, (SAMPLES, ROWS), borderMode=cv2.BORDER_REPLICATE))


def _explains(fit: Fit, text: str) -> bool:
    """Whether this number fits nearly as well as the best patterns do, every single digit tolerably."""
    if fit.score < MIN_SCORE_TO_CONFIRM:
        return False
    each = explained(fit, text)
    return bool(fit.score - each.sum() <= MAX_LAG and each.min() >= MIN_FIT_TO_CONFIRM)
