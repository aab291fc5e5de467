"""Where the thirteen digits of a code lie on a brightness profile: the likeliest chain of guards and digits.

Each place is compared with each digit at each width; dynamic programming then finds the chain start guard, six digits,
middle guard, six digits, end guard that fits best as a whole (Viterbi). Widths may change from digit to digit, as they
do on a bottle or a crumpled bag, and no bar's edge has to be found, so that blur and noise do little harm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

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
LEAD = max(round(module) for module in MODULE)
"""Samples before a link's place at which the widest digit begins: one module, which it has in common with the last."""


def _side_by_side() -> Floats:
    """Samples x (the 20 digits, then the three guards, each at every scale), continued by zeros to the length of the
    longest: one product compares them all, which takes a fraction of one for each length."""
    longest = max(len(wave) + LEAD - round(module) for wave, module in zip(DIGIT_WAVES, MODULE, strict=True))
    waves = np.zeros((longest, 23, len(SCALES)), np.float32)
    for number, module in enumerate(MODULE):
        digits, guards = DIGIT_WAVES[number][:, :20], GUARD_WAVES[number]
        waves[LEAD - round(module) :, :20, number][: len(digits)] = digits
        waves[LEAD:, 20:, number][: len(guards)] = guards
    return waves.reshape(longest, -1)


_WAVES = _side_by_side()


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
    windows = sliding_window_view(padded, len(_WAVES), axis=1)[:, PAD - LEAD : PAD - LEAD + places]
    products = (_WAVES.T @ windows.reshape(-1, len(_WAVES)).T).reshape(23, len(SCALES), len(padded), places)
    digits, guards = products[:20], products[20:]
    sums = _sums(padded), _sums(padded.astype(np.float64) ** 2)
    for number, module in enumerate(MODULE):
        digits[:, number] /= _contrast(sums, PAD - round(module), places, len(DIGIT_WAVES[number]))
        guards[:, number] /= _contrast(sums, PAD, places, len(GUARD_WAVES[number]))
    return digits, guards


def _sums(values: Floats | NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each row up to each place, so that any window's sum is a difference."""
    return np.pad(np.cumsum(values, axis=1, dtype=np.float64), ((0, 0), (1, 0)))


def _contrast(sums: Sequence[NDArray[np.float64]], start: int, places: int, length: int) -> Floats:
    """Root of the summed squares about the mean, of each profile's windows that begin at `start` and after it."""
    total, squares = (each[:, start + length :][:, :places] - each[:, start : start + places] for each in sums)
    return (np.sqrt(np.maximum(squares - total**2 / length, 0)) + FLAT).astype(np.float32)


def _step(state: Floats, modules: int) -> tuple[Floats, Floats, Floats]:
    """The best value with which each scale and place is reached from a link that is `modules` long; and on the way
    there, values before any change and after a slip, from which the trace finds back."""
    moved = np.empty_like(state)
    for number, module in enumerate(MODULE):
        length = round(modules * module)
        moved[:, number, :, :length] = NOWHERE
        moved[:, number, :, length:] = state[:, number, :, :-length]
    slipped, worse = moved.copy(), moved - SLIP
    np.maximum(slipped[..., 1:], worse[..., :-1], out=slipped[..., 1:])
    np.maximum(slipped[..., :-1], worse[..., 1:], out=slipped[..., :-1])
    turned = slipped.copy()
    np.subtract(slipped, STRETCH, out=worse)
    np.maximum(turned[:, 1:], worse[:, :-1], out=turned[:, 1:])
    np.maximum(turned[:, :-1], worse[:, 1:], out=turned[:, :-1])
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
