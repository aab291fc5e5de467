"""What the digits and guards of EAN-13 look like as brightness profiles, sharp and blurred, narrow and wide."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MODULES = 95
"""Modules, the width of the narrowest bar, in an EAN-13."""
PER_MODULE = 4
"""Samples of a profile for each module of a code that is as wide as its region suggests."""
SCALES = np.geomspace(0.62, 1.26, 13)
"""Widths of a module that are looked for, as a share of that; neighbouring digits differ by one of them at most."""
BLURS = (0.7, 0.35, 1.05)
"""Standard deviation of the blur that the patterns are drawn with, in modules; the first is looked for everywhere."""
GUARD_BLUR = 0.7
FINE = 32

LEFT = ("0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011")
PARITIES = ("LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG", "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL")
GUARDS = ("0001010", "1010101", "0101000")
"""Start, middle and end guard with their neighbours, seven modules each, as wide as a digit."""


def _drawn(modules: str, module: float, blur: float) -> Floats:
    """The waveform of `modules` with `module` samples each under a Gaussian blur; of mean 0 and length 1."""
    beyond = 4
    fine = np.repeat([float(bar) for bar in modules[0] * beyond + modules + modules[-1] * beyond], FINE)
    reach = np.arange(-3 * FINE, 3 * FINE + 1) / FINE
    kernel = np.exp(-0.5 * (reach / blur) ** 2)
    smooth = np.convolve(fine, kernel / kernel.sum(), mode="same")
    samples = round(len(modules) * module)
    places = (np.arange(samples) + 0.5) / samples * len(modules) + beyond
    wave = smooth[(places * FINE).astype(np.intp)]
    wave -= wave.mean()
    return np.asarray(wave / np.linalg.norm(wave), dtype=np.float32)


def _digits() -> list[str]:
    """The left digits of parity L, then those of G, each with a neighbour module on both sides.

    A left digit follows a bar and ends before a space. The right digits are the same with bars and spaces exchanged,
    so that their correlation is that of L with the opposite sign; and read from right to left, G is what R is.
    """
    right = ["".join("10"[int(module)] for module in digit) for digit in LEFT]
    even = [digit[::-1] for digit in right]
    return ["1" + digit + "0" for digit in (*LEFT, *even)]


DIGIT_WAVES = [
    np.stack([_drawn(digit, PER_MODULE * scale, blur) for blur in BLURS for digit in _digits()], axis=1)
    for scale in SCALES
]
"""By scale: samples x the 20 patterns under the first blur, then under the others."""
GUARD_WAVES = [np.stack([_drawn(g, PER_MODULE * scale, GUARD_BLUR) for g in GUARDS], axis=1) for scale in SCALES]
"""By scale: samples x 3 guards."""
