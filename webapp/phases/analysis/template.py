"""A decoder of our own for soft EAN-13 and UPC-A codes: compares whole digits with what they look like when blurred.

Other decoders measure where bars begin and end, which blur moves. This one takes the mean of a band of rows as one
brightness profile, tries where the code may begin and end, and takes for each digit the pattern that correlates
best, neighbours and blur included (after Gallo and Manduchi, Reading 1D Barcodes with Mobile Phones Using Deformable
Templates, IEEE PAMI 33(9), 2011). No digit is ever corrected with the check digit: parities and check digit must come
out right by themselves, and the second best pattern of each digit must be clearly worse.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from webapp.lib import gtin
from webapp.phases.analysis.patterns import (
    BLURS,
    GUARD_WAVES,
    LEFT_WAVES,
    PARITIES,
    PER_MODULE,
    RIGHT_WAVES,
    Floats,
    normal,
)
from webapp.phases.analysis.reads import Read
from webapp.phases.analysis.regions import QUIET
from webapp.phases.analysis.views import View

MODULES = 95
BANDS = ((0.0, 1.0), (0.0, 0.4), (0.3, 0.7), (0.6, 1.0))
SHIFTS = np.array([-0.35, -0.18, 0.0, 0.18, 0.35])
"""How far a digit may lie from its place, in modules."""
SCALES = np.geomspace(0.6, 1.2, 26)
"""Widths of a module that are tried, as a share of what the region suggests."""
LOOSE = 2.5
"""How many modules the middle and end guard may lie from where an even code would have them."""
PEAKS, CANDIDATES = 4, 24
MIN_FIT = 0.72
"""Smallest correlation of any digit with its pattern."""
MIN_LEAD = 0.03
"""Smallest lead of any digit's pattern over the second best, in correlation."""
MIN_FIT_TO_CONFIRM, MIN_SCORE_TO_CONFIRM = 0.4, 9.6
MAX_LAG = 0.15
"""Sum of correlations that a number to be confirmed may lack against the best patterns."""
MIN_GUARDS = 1.8
"""Smallest sum of the correlations of the three guard patterns."""
FINALISTS = 3
HOPELESS = 8.5
"""Sum of the twelve digits' best correlations below which a profile is given up."""

ENOUGH = 3
"""Agreeing bands after which the rest of a strip is left alone."""

START, MIDDLE, END = -3.0, 44.0, 91.0
"""Modules at which those begin."""
DIGIT_STARTS = np.array([3 + 7 * n for n in range(6)] + [50 + 7 * n for n in range(6)]) - 1.0
DIGIT_STEPS = (np.arange(9 * PER_MODULE) + 0.5) / PER_MODULE


@dataclass(frozen=True)
class Placement:
    """Where a code may lie on a profile: its left end and width in pixels, and how far its middle lies from halfway,
    as a share of its width."""

    left: Floats
    width: Floats
    bend: Floats

    def pixel(self, module: Floats) -> Floats:
        """Pixel of a place counted in modules, one row per placement."""
        share = module / MODULES
        return self.left[:, None] + self.width[:, None] * (share + 4 * self.bend[:, None] * share * (1 - share))

    def take(self, which: NDArray[np.intp]) -> "Placement":
        """Some of the placements."""
        return Placement(self.left[which], self.width[which], self.bend[which])


class Template:
    """Reads one EAN-13 or UPC-A from an upright strip; nothing from a whole photo."""

    name = "template"

    def read(self, view: View) -> Sequence[Read]:
        """See Decoder. Each band of rows is read by itself, so that one strip can give several agreeing reads."""
        if not view.upright:
            return []
        found = []
        for number, profile in enumerate(_profiles(view.grey)):
            fit = max(_fit(profile), _fit(profile[::-1]), key=lambda fit: fit.score)
            text = _digits(fit)
            if text is not None:
                found.append(self._as_read(view, f"band {number}", text))
            if len(found) == ENOUGH or fit.score < HOPELESS:
                break
        return found

    def confirm(self, view: View, text: str) -> Sequence[Read]:
        """`text` (12 or 13 digits) as a read for each band on which it explains the picture as well as any code."""
        digits = [int(digit) for digit in text.zfill(13)]
        found = []
        for number, profile in enumerate(_profiles(view.grey)):
            fit = max(_fit(profile), _fit(profile[::-1]), key=lambda fit: fit.score)
            if fit.score >= MIN_SCORE_TO_CONFIRM and _explains(fit, digits):
                found.append(self._as_read(view, f"check {number}", text.zfill(13)))
            if len(found) == ENOUGH:
                break
        return found

    def _as_read(self, view: View, part: str, text: str) -> Read:
        height, width = view.grey.shape
        margin = width * QUIET / (1 + 2 * QUIET)
        points = np.array([(margin, height / 2), (width - margin, height / 2)], dtype=np.float32)
        return Read(self.name, f"{view.name} {part}", "EAN13", text, view.back(points))


def _profiles(grey: NDArray[np.uint8]) -> Iterator[Floats]:
    """Darkness along the strip, averaged over each band of rows, straightened by the shear that gives most contrast."""
    height, width = grey.shape
    rows = 255.0 - grey[:: max(1, height // 40)].astype(np.float64)
    columns = np.arange(width)
    for low, high in BANDS:
        band = rows[int(low * len(rows)) : max(int(high * len(rows)), int(low * len(rows)) + 1)]
        heights = np.linspace(-0.5, 0.5, len(band))
        best, best_contrast = band.mean(axis=0), -1.0
        for shear in np.linspace(-12, 12, 9):
            moved = np.mean(
                [np.interp(columns + shear * at, columns, row) for at, row in zip(heights, band, strict=True)], axis=0
            )
            contrast = float(np.square(np.diff(moved)).sum())
            if contrast > best_contrast:
                best, best_contrast = moved, contrast
        yield best


@dataclass(frozen=True)
class Fit:
    """How well each pattern fits each digit place, where the code fits best: 6 x 20 and 6 x 10 correlations.

    `score`: the sum of the twelve best, at most 12.
    """

    score: float
    left: Floats
    right: Floats


NO_FIT = Fit(0.0, np.zeros((6, 20)), np.zeros((6, 10)))


def _fit(profile: Floats) -> Fit:
    """The best fit of a code that reads from left to right."""
    placements = _placements(profile)
    if placements is None:
        return NO_FIT
    left, right = _fits(profile, placements, BLURS[1:2])
    score = _score(left, right)
    if score.max() >= HOPELESS:
        best = np.argsort(-score, kind="stable")[:FINALISTS]
        left, right = _fits(profile, _nearby(placements.take(best)), BLURS)
        score = _score(left, right)
    winner = int(score.argmax())
    return Fit(float(score[winner]), left[winner], right[winner])


def _score(left: Floats, right: Floats) -> Floats:
    """Sum of the best correlations of the twelve digits, at most 12."""
    total: Floats = left.max(axis=2).sum(axis=1) + right.max(axis=2).sum(axis=1)
    return total


def _placements(profile: Floats) -> Placement | None:
    """Places where start, middle and end guard are found in the right distances, the best CANDIDATES of them."""
    line = profile.astype(np.float32)[None, :]
    found = []
    for module in len(profile) / (1 + 2 * QUIET) / MODULES * SCALES:
        start, middle, end = (
            cv2.matchTemplate(line, _drawn(number, round(module, 2)), cv2.TM_CCOEFF_NORMED)[0] for number in range(3)
        )
        first = np.arange(len(start) - int((END - START + LOOSE) * module))
        if len(first) == 0:
            continue
        (middle_fit, middle_at) = _best_around(middle, first + (MIDDLE - START) * module, LOOSE * module)
        (end_fit, end_at) = _best_around(end, first + (END - START) * module, LOOSE * module)
        total = start[first] + middle_fit + end_fit
        for at in _peaks(total, module)[:PEAKS]:
            left = at - START * module
            width = end_at[at] - END * module + MODULES * module - left
            bend = (middle_at[at] + (MODULES / 2 - MIDDLE) * module - left - width / 2) / width
            found.append((float(total[at]), left, width, bend))
    found = [entry for entry in sorted(found, reverse=True) if entry[0] >= MIN_GUARDS and abs(entry[3]) < 0.08]
    return Placement(*np.array(found[:CANDIDATES]).T[1:]) if found else None


@lru_cache(maxsize=2048)
def _drawn(number: int, module: float) -> NDArray[np.float32]:
    """The waveform of a guard, drawn with `module` pixels a module."""
    wave = GUARD_WAVES[number]
    pixels = np.arange(max(3, round(len(wave) / PER_MODULE * module)))
    places = (pixels + 0.5) / module * PER_MODULE - 0.5
    return np.asarray(np.interp(places, np.arange(len(wave)), wave), dtype=np.float32)[None, :]


def _best_around(fit: NDArray[np.floating[Any]], centres: Floats, reach: float) -> tuple[Floats, NDArray[np.intp]]:
    """For each centre the best fit within `reach` pixels, and where it is."""
    offsets = np.arange(-max(1, round(reach)), max(1, round(reach)) + 1)
    places = np.clip(np.rint(centres)[:, None].astype(np.intp) + offsets, 0, len(fit) - 1)
    values = fit[places]
    which = values.argmax(axis=1)
    rows = np.arange(len(places))
    return np.asarray(values[rows, which], dtype=np.float64), places[rows, which]


def _peaks(total: Floats, module: float) -> NDArray[np.intp]:
    """Local maxima, at least two modules apart, the highest first."""
    reach = max(1, round(2 * module))
    around = cv2.dilate(total.astype(np.float32)[None, :], np.ones((1, 2 * reach + 1), np.uint8))[0]
    tops = np.flatnonzero(total.astype(np.float32) >= around)
    return tops[np.argsort(-total[tops], kind="stable")]


def _nearby(placements: Placement) -> Placement:
    """Each placement with its neighbours, a third of a module away."""
    module = placements.width / MODULES
    moves = [(a, b) for a in (-0.33, 0, 0.33) for b in (-0.33, 0, 0.33)]
    return Placement(
        left=np.concatenate([placements.left + a * module for a, _ in moves]),
        width=np.concatenate([placements.width + (b - a) * module for a, b in moves]),
        bend=np.tile(placements.bend, len(moves)),
    )


def _fits(profile: Floats, placements: Placement, blurs: Sequence[float]) -> tuple[Floats, Floats]:
    """Correlation of every digit place with every pattern at its best shift, under the blur that fits best overall.

    Returns arrays placements x 6 x 20 (left) and placements x 6 x 10 (right).
    """
    columns = np.arange(len(profile))
    modules = (DIGIT_STARTS[:, None, None] + SHIFTS[None, :, None] + DIGIT_STEPS[None, None, :]).ravel()
    seen = np.interp(placements.pixel(modules), columns, profile)
    seen = normal(seen.reshape(len(placements.left), 12, len(SHIFTS), len(DIGIT_STEPS)))
    drawn = [BLURS.index(blur) for blur in blurs]
    cost = 0.12 * np.abs(SHIFTS)[:, None, None]

    def best(windows: Floats, waves: Floats) -> Floats:
        """blurs x placements x 6 x patterns, over the shifts."""
        table = waves[drawn].reshape(-1, waves.shape[-1]).T
        fit = (windows @ table).reshape(*windows.shape[:-1], len(drawn), -1) - cost
        return np.moveaxis(fit.max(axis=2), 2, 0)

    left, right = best(seen[:, :6], LEFT_WAVES), best(seen[:, 6:], RIGHT_WAVES)
    blur = (left.max(axis=3).sum(axis=2) + right.max(axis=3).sum(axis=2)).argmax(axis=0)
    which = np.arange(len(placements.left))
    return left[blur, which], right[blur, which]


def _digits(fit: Fit) -> str | None:
    """The code if every digit is clear, the parities name a first digit and the check digit fits."""
    for fits in (fit.left, fit.right):
        ordered = np.sort(fits, axis=1)
        if ordered[:, -1].min() < MIN_FIT or (ordered[:, -1] - ordered[:, -2]).min() < MIN_LEAD:
            return None
    chosen = fit.left.argmax(axis=1)
    parity = "".join("LG"[int(pattern) // 10] for pattern in chosen)
    if parity not in PARITIES:
        return None
    first = PARITIES.index(parity)
    text = "".join(str(digit) for digit in (first, *(chosen % 10), *fit.right.argmax(axis=1)))
    return text if gtin.is_valid(text) else None


def _explains(fit: Fit, digits: Sequence[int]) -> bool:
    """Whether these 13 digits fit nearly as well as the best patterns do, every single one tolerably."""
    places = np.arange(6)
    patterns = np.array(digits[1:7]) + np.array([10 * (parity == "G") for parity in PARITIES[digits[0]]])
    fits = np.concatenate([fit.left[places, patterns], fit.right[places, digits[7:]]])
    return bool(fit.score - fits.sum() <= MAX_LAG and fits.min() >= MIN_FIT_TO_CONFIRM)
