"""Where the thirteen digits of a code lie on a brightness profile: the likeliest chain of guards and digits.

Each place is compared with each digit at each width; dynamic programming then finds the chain start guard, six digits,
middle guard, six digits, end guard that fits best as a whole (Viterbi). Widths may change from digit to digit, as they
do on a bottle or a crumpled bag, and no bar's edge has to be found, so that blur and noise do little harm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from webapp.phases.analysis.patterns import BLURS, DIGIT_WAVES, GUARD_WAVES, PER_MODULE, SCALES, Floats

PAD = 48
"""Samples that a profile is continued by on both sides."""
FLAT = 8.0
"""Contrast (root of the summed squares, grey levels) that counts as none: noise on a blank area fits nothing."""
STRETCH, SLIP = np.float32(0.06), np.float32(0.03)
"""What it costs that two neighbours differ by one scale, or lie a sample closer or farther than their widths say."""
NOWHERE = np.float32(-1e6)
STEPS = (6, 7, 7, 7, 7, 7, 6, 6, 7, 7, 7, 7, 7, 6)
"""Modules from each link to the next; guards overlap the digits by one."""
MODULE = [PER_MODULE * float(scale) for scale in SCALES]


@dataclass(frozen=True)
class Fit:
    """How well each pattern fits each digit place: 6 x 20 correlations for the left half (L, then G), 6 x 10 for the
    right. `score`: the sum of the twelve best, at most 12."""

    score: float
    left: Floats
    right: Floats


@dataclass(frozen=True)
class Seen:
    """Profiles held against every digit and guard: what costs most, and serves bright bars on dark as well."""

    padded: Floats
    digits: Floats
    guards: Floats

    @property
    def negative(self) -> "Seen":
        """The same with dark and bright exchanged: all correlations change their sign."""
        return Seen(-self.padded, -self.digits, -self.guards)


def seen_on(profiles: Floats) -> Seen:
    """The correlations of profiles (rows of grey levels, dark is high) with all patterns."""
    padded = np.pad(profiles, ((0, 0), (PAD, PAD)), mode="edge")
    return Seen(padded, *_correlations(padded, profiles.shape[1]))


def fits(seen: Seen) -> list[Fit]:
    """The best chain on each profile, read from either side."""
    padded, digits, guards = seen.padded, seen.digits, seen.guards
    first, last = digits[:10], digits[10:]
    high, low = digits.max(axis=0), digits.min(axis=0)
    # Read from the left, then from the right: the code lies mirrored, its right half first, in the patterns of G.
    halves = np.stack([high, last.max(axis=0)]), np.stack([-first.min(axis=0), -low])
    state = np.stack([guards[0], guards[0]])
    trail = []
    for number, modules in enumerate(STEPS):
        state, moved, slipped = _step(state, modules)
        trail.append((moved, slipped))
        link = number + 1
        state += guards[1] if link == 7 else guards[2] if link == 14 else halves[link > 7]
    found = []
    for row in range(len(padded)):
        ends = state[:, :, row]
        side, scale, place = np.unravel_index(int(ends.argmax()), ends.shape)
        links = _traced([(m[side, :, row], s[side, :, row]) for m, s in trail], int(scale), int(place))
        found.append(_fit(padded[row], [*links[1:7], *links[8:14]], mirrored=side == 1))
    return found


def _correlations(padded: Floats, places: int) -> tuple[Floats, Floats]:
    """Of the 20 digits, and of the three guards, with every scale, profile and place."""
    digits = np.empty((20, len(SCALES), len(padded), places), np.float32)
    guards = np.empty((3, len(SCALES), len(padded), places), np.float32)
    for number, module in enumerate(MODULE):
        digits[:, number] = _correlation(padded, PAD - round(module), places, DIGIT_WAVES[number][:, :20])
        guards[:, number] = _correlation(padded, PAD, places, GUARD_WAVES[number])
    return digits, guards


def _correlation(padded: Floats, start: int, places: int, waves: Floats) -> Floats:
    """Of each wave with the windows of each profile that begin at `start` and the places after it."""
    windows = np.ascontiguousarray(sliding_window_view(padded, len(waves), axis=1)[:, start : start + places])
    flat = windows.reshape(-1, len(waves))
    spread = np.einsum("pl,pl->p", flat, flat) - flat.sum(axis=1) ** 2 / len(waves)
    fit = (waves.T @ flat.T) / (np.sqrt(np.maximum(spread, 0)) + FLAT)
    result: Floats = fit.reshape(-1, *windows.shape[:2])
    return result


def _step(state: Floats, modules: int) -> tuple[Floats, Floats, Floats]:
    """The best value with which each scale and place is reached from a link that is `modules` long; and on the way
    there, values before any change and after a slip, from which the trace finds back."""
    moved = np.full_like(state, NOWHERE)
    for number, module in enumerate(MODULE):
        length = round(modules * module)
        moved[:, number, :, length:] = state[:, number, :, :-length]
    slipped = moved.copy()
    np.maximum(slipped[..., 1:], moved[..., :-1] - SLIP, out=slipped[..., 1:])
    np.maximum(slipped[..., :-1], moved[..., 1:] - SLIP, out=slipped[..., :-1])
    turned = slipped.copy()
    np.maximum(turned[:, 1:], slipped[:, :-1] - STRETCH, out=turned[:, 1:])
    np.maximum(turned[:, :-1], slipped[:, 1:] - STRETCH, out=turned[:, :-1])
    return turned, moved, slipped


def _traced(trail: Sequence[tuple[Floats, Floats]], scale: int, place: int) -> list[tuple[int, int]]:
    """Scale and place of every link, back from the last one. `trail`: scale x place, before and after the slip."""
    links = [(scale, place)]
    for modules, (moved, slipped) in zip(reversed(STEPS), reversed(trail), strict=True):
        scale = _origin(slipped[:, place], scale, STRETCH)
        place = _origin(moved[scale], place, SLIP)
        place = max(0, place - round(modules * MODULE[scale]))
        links.append((scale, place))
    return links[::-1]


def _origin(values: Floats, here: int, cost: np.float32) -> int:
    """Which of an entry and its two neighbours, those for a cost, the best value came from."""
    near = [at for at in (here, here - 1, here + 1) if 0 <= at < len(values)]
    return max(near, key=lambda at: float(values[at]) - (float(cost) if at != here else 0.0))


def _fit(padded: Floats, links: Sequence[tuple[int, int]], *, mirrored: bool) -> Fit:
    """The correlations of the twelve digits, under the blur that suits them best together."""
    rows = np.empty((12, len(BLURS), 20), np.float32)
    for number, (scale, place) in enumerate(links):
        start = PAD + place - round(MODULE[scale])
        window = padded[start : start + len(DIGIT_WAVES[scale])]
        centred = window - window.mean()
        rows[number] = ((centred @ DIGIT_WAVES[scale]) / (np.linalg.norm(centred) + FLAT)).reshape(len(BLURS), 20)
    if mirrored:  # bars and spaces exchanged, parities too, and the digits from the other end
        rows = -np.roll(rows[::-1], 10, axis=2)
    left, right = rows[:6], -rows[6:, :, :10]
    scores = left.max(axis=2).sum(axis=0) + right.max(axis=2).sum(axis=0)
    best = int(scores.argmax())
    return Fit(float(scores[best]), left[:, best], right[:, best])
