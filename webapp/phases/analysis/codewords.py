"""The likeliest EAN-13 behind soft digits: maximum likelihood over all numbers whose parities and check digit fit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webapp.phases.analysis.chains import Fit
from webapp.phases.analysis.patterns import PARITIES, Floats

EVEN = np.array([[sign == "G" for sign in parity] for parity in PARITIES])
"""First digit x six places: whether the digit there is drawn in parity G."""
WEIGHTS = (3, 1) * 6
"""How much the second to the thirteenth digit count in the check sum."""
DIGITS = np.arange(10)


@dataclass(frozen=True)
class Codeword:
    """The number that explains the digits best. `score`: sum of its twelve correlations; `lead`: by how much it beats
    the second best number; `weakest`: its worst digit's correlation."""

    text: str
    score: float
    lead: float
    weakest: float


def likeliest(fit: Fit) -> Codeword:
    """Searches all 10^12 numbers with a fitting check digit, by their check sum so far."""
    places = np.arange(6)
    left = np.where(EVEN[:, :, None], fit.left[places, 10:][None], fit.left[places, :10][None])
    rows = np.concatenate([left, np.broadcast_to(fit.right, (10, 6, 10))], axis=1)  # first digit x place x digit
    best = np.full((10, 10, 2), -np.inf)  # first digit x check sum x two best
    best[DIGITS, DIGITS, 0] = 0.0
    came: list[NDArray[np.intp]] = []
    for place, weight in enumerate(WEIGHTS):
        before = (DIGITS[:, None] - weight * DIGITS[None, :]) % 10  # check sum now x digit -> check sum before
        offered = best[:, before] + rows[:, place][:, None, :, None]  # first x sum x digit x two
        flat = offered.reshape(10, 10, 20)
        order = np.argsort(-flat, axis=2, kind="stable")[:, :, :2]
        best = np.take_along_axis(flat, order, axis=2)
        came.append(order)
    ends = best[:, 0]
    first, rank = np.unravel_index(int(ends.argmax()), ends.shape)
    score = float(ends[first, rank])
    digits = _traced(came, int(first), int(rank))
    fits = rows[first, np.arange(12), digits]
    text = "".join(map(str, (int(first), *digits)))
    return Codeword(text, score, score - float(np.partition(ends.ravel(), -2)[-2]), float(fits.min()))


def explained(fit: Fit, text: str) -> Floats:
    """The correlation of each of the twelve drawn digits of `text` (13 digits)."""
    first, digits = int(text[0]), np.array([int(digit) for digit in text[1:]])
    places = np.arange(6)
    left = fit.left[places, digits[:6] + 10 * EVEN[first]]
    return np.concatenate([left, fit.right[places, digits[6:]]])


def _traced(came: list[NDArray[np.intp]], first: int, rank: int) -> list[int]:
    digits: list[int] = []
    total = 0
    for weight, order in zip(reversed(WEIGHTS), reversed(came), strict=True):
        digit, rank = divmod(int(order[first, total, rank]), 2)
        digits.append(digit)
        total = (total - weight * digit) % 10
    return digits[::-1]
