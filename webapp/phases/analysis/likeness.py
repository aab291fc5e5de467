"""A photo against a reference photo: is it the same package, seen from elsewhere?

Local marks (SIFT) that occur in both are laid over each other by one homography (RANSAC). Sister products share logo
and layout, so marks alone do not tell them apart: where the reference lies on the photo, its cells are compared one
by one, their drawing and their colours. What was seen becomes a chance by weights that were learned on pairs of a
package and its most similar sister (`python -m tests.bench.fit_likeness DIR`; see `likeness_weights`).

Bounded: pictures of at most SIDE pixels, MARKS marks, one product of two matrices and one homography per pair; the
cells are looked at for few pairs only. About 10 ms of one core a pair, and 0.6 MB a reference that is kept.
"""

from dataclasses import dataclass
from math import exp, log

import cv2
import numpy as np
from numpy.typing import NDArray

from webapp.phases.analysis.likeness_weights import WEIGHTS
from webapp.phases.analysis.pictures import Pixels, to_grey
from webapp.phases.facts import Box
from webapp.phases.resizing import resized

Floats = NDArray[np.float32]

SIDE, REFERENCE_SIDE = 640, 400
"""Longer side, in pixels, at which a photo and a reference are compared; small ones are at most doubled."""
MARKS, REFERENCE_MARKS = 1600, 800
RATIO = 0.8
"""A mark's best partner must be nearer than the second best by this (Lowe 2004)."""
NEAR_PIXELS = 6.0
FEWEST = 6
"""Marks that must lie on one homography; fewer happen by chance."""
CELL, SHIFT = 24, 5
"""Side of a cell, and how far it may lie beside its place (packages are not flat), in the reference's pixels."""
PLAIN = 8.0
"""Standard deviation of lightness below which a cell shows nothing to compare."""


@dataclass(frozen=True)
class View:
    """A picture made ready to be compared: its marks' places in pixels, and what they look like (unit vectors)."""

    rgb: Pixels
    points: Floats
    marks: NDArray[np.float16]


@dataclass(frozen=True)
class Overlay:
    """A reference laid over a photo. `matched`: marks with a partner; `hull`: around those that lie right."""

    homography: NDArray[np.float64]
    inliers: int
    matched: int
    hull: NDArray[np.int32]
    box: Box


def view_of(rgb: Pixels, *, reference: bool = False) -> View:
    """The picture at the size and with the marks that it is compared with."""
    side, most = (REFERENCE_SIDE, REFERENCE_MARKS) if reference else (SIDE, MARKS)
    shown = small(rgb, side)
    sift = cv2.SIFT_create(nfeatures=most, contrastThreshold=0.02)  # type: ignore[attr-defined]
    points, marks = sift.detectAndCompute(to_grey(shown), None)
    if marks is None:
        return View(shown, np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float16))
    # Hellinger's distance instead of Euclid's (Arandjelovic, Zisserman 2012).
    rooted = np.sqrt(marks / (marks.sum(axis=1, keepdims=True) + 1e-7)).astype(np.float16)
    return View(shown, np.array([point.pt for point in points], np.float32).reshape(-1, 2), rooted)


def small(rgb: Pixels, side: int = SIDE) -> Pixels:
    """The picture at the size at which it is compared."""
    factor = min(2.0, side / max(rgb.shape[:2]))
    return resized(rgb, factor)


def overlay(photo: View, reference: View) -> Overlay | None:
    """The reference laid over the photo; None where too few marks agree, or only on a picture that is bent absurdly,
    mirrored, tiny or far larger than the photo."""
    theirs, ours = _partners(photo, reference)
    if len(theirs) < FEWEST:
        return None
    there, here = reference.points[theirs], photo.points[ours]
    homography, right = cv2.findHomography(there, here, cv2.RANSAC, NEAR_PIXELS, maxIters=1000)
    if homography is None or int(right.sum()) < FEWEST or abs(np.linalg.det(homography)) < 1e-9:
        return None
    low, high = reference.points.min(axis=0), reference.points.max(axis=0)
    corners = np.array([[low, (high[0], low[1]), high, (low[0], high[1])]], np.float32)
    placed = cv2.perspectiveTransform(corners, homography)[0]
    height, width = photo.rgb.shape[:2]
    share = cv2.contourArea(placed, True) / (height * width)
    if not cv2.isContourConvex(placed) or not 0.005 < share < 6:
        return None
    size = np.array([width, height])
    low, high = (np.clip(edge / size, 0, 1) for edge in (placed.min(axis=0), placed.max(axis=0)))
    left, top, right_edge, bottom = (round(float(value), 4) for value in (*low, *high))
    return Overlay(
        homography=homography,
        inliers=int(right.sum()),
        matched=len(theirs),
        hull=cv2.convexHull(there[right.ravel() > 0].astype(np.int32)),
        box=Box(left=left, top=top, width=round(right_edge - left, 4), height=round(bottom - top, 4)),
    )


def chance(witnesses: dict[str, float]) -> float:
    """How likely it is the same product and not a sister of it, 0..1, by what `compare` saw."""
    height = sum(WEIGHTS[name] * value for name, value in (("bias", 1.0), *witnesses.items()))
    return 1 / (1 + exp(-max(-30.0, min(30.0, height))))


def compare(photo: View, reference: View, laid: Overlay) -> dict[str, float]:
    """What the two look like where they lie over each other, as numbers by name, all of the order of 1."""
    height, width = reference.rgb.shape[:2]
    back = np.linalg.inv(laid.homography)
    seen = cv2.warpPerspective(photo.rgb, back, (width, height), flags=cv2.INTER_LINEAR)
    inside = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(inside, laid.hull, 1)
    low, high = (edge.astype(int) for edge in (reference.points.min(axis=0), reference.points.max(axis=0)))
    whole = np.zeros((height, width), bool)
    whole[low[1] : high[1] + 1, low[0] : high[0] + 1] = True
    whole &= cv2.warpPerspective(np.ones(photo.rgb.shape[:2], np.uint8), back, (width, height)) > 0
    cells = _cells(reference.rgb, np.asarray(seen, np.uint8), inside)
    span = float((high[0] - low[0]) * (high[1] - low[1])) or 1.0
    return {
        "spread": min(1.0, 2 * float(cv2.contourArea(laid.hull)) / span),
        "cells": log(1 + len(cells)) / 4,
        "drawing": float(cells.mean()) if len(cells) else 0.0,
        "differs": min(1.0, 3 * float((cells < 0.4).mean())) if len(cells) else 1.0,
        "colours": _colours(reference.rgb, seen, inside > 0),
        "colours_all": _colours(reference.rgb, seen, whole),
    }


def _partners(photo: View, reference: View) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Marks of the reference and of the photo that are each other's best, clearly."""
    nobody = np.zeros(0, np.int64)
    if len(photo.points) < FEWEST or len(reference.points) < FEWEST:
        return nobody, nobody
    alike = reference.marks.astype(np.float32) @ photo.marks.astype(np.float32).T
    rows = np.arange(len(alike))
    best = alike.argmax(axis=1)
    nearest = alike[rows, best]
    alike[rows, best] = -1
    clear = np.flatnonzero(1 - nearest < RATIO * RATIO * (1 - alike.max(axis=1)))
    order = clear[np.argsort(-nearest[clear], kind="stable")]
    _, first = np.unique(best[order], return_index=True)
    return order[first], best[order[first]]


def _cells(reference: Pixels, seen: Pixels, inside: Pixels) -> NDArray[np.float32]:
    """How well each cell with a drawing in it is found on the photo, -1..1."""
    theirs, ours = (cv2.GaussianBlur(to_grey(rgb), (0, 0), 2) for rgb in (reference, seen))
    height, width = theirs.shape
    found = []
    for top in range(SHIFT, height - CELL - SHIFT, CELL // 2):
        for left in range(SHIFT, width - CELL - SHIFT, CELL // 2):
            if inside[top : top + CELL, left : left + CELL].mean() < 0.5:
                continue
            cell = theirs[top : top + CELL, left : left + CELL]
            if cell.std() >= PLAIN:
                around = ours[top - SHIFT : top + CELL + SHIFT, left - SHIFT : left + CELL + SHIFT]
                found.append(cv2.matchTemplate(around, cell, cv2.TM_CCOEFF_NORMED).max())
    return np.array(found, np.float32)


def _colours(reference: Pixels, seen: Pixels, where: NDArray[np.bool_]) -> float:
    """How the colours go together, -1..1, whatever the light: correlation of red against green and blue against
    both. White ground around the package does not count."""
    there = where & (reference.min(axis=2) < 245)
    if there.sum() < 50:
        return 0.0
    told = []
    for rgb in (reference, seen):
        smooth = cv2.GaussianBlur(rgb, (0, 0), 3)[there].astype(np.float32)
        red, green, blue = smooth[:, 0], smooth[:, 1], smooth[:, 2]
        told.append((red - green, blue - (red + green) / 2))
    pairs = [(one, other) for one, other in zip(*told, strict=True) if one.std() > 1 and other.std() > 1]
    return float(np.mean([np.corrcoef(one, other)[0, 1] for one, other in pairs])) if pairs else 0.0
