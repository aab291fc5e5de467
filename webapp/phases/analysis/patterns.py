"""What the digits and guards of EAN-13 look like as brightness profiles, sharp and blurred."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PER_MODULE = 4
"""Samples of a waveform for each module, the width of the narrowest bar."""
BLURS = (0.35, 0.7, 1.05)
"""Standard deviation of the blur that the patterns are drawn with, in modules."""

LEFT = ("0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011")
PARITIES = ("LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG", "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL")
GUARDS = ("0001010", "1010101", "0101000")
"""Start, middle and end guard with their neighbours."""


def _blurred(modules: str, sigma: float) -> Floats:
    """The waveform of `modules` with a Gaussian blur, PER_MODULE samples each, of mean 0 and length 1."""
    fine = np.repeat([float(module) for module in modules[0] * 3 + modules + modules[-1] * 3], PER_MODULE)
    reach = np.arange(-3 * PER_MODULE, 3 * PER_MODULE + 1) / PER_MODULE
    kernel = np.exp(-0.5 * (reach / sigma) ** 2)
    wave = np.convolve(fine, kernel / kernel.sum(), mode="same")[3 * PER_MODULE : -3 * PER_MODULE]
    return normal(wave)


def normal(waves: Floats) -> Floats:
    """Waveforms along the last axis, each shifted and scaled to mean 0 and length 1."""
    centred = waves - waves.mean(axis=-1, keepdims=True)
    length: Floats = centred / (np.linalg.norm(centred, axis=-1, keepdims=True) + 1e-9)
    return length


def _patterns() -> tuple[Floats, Floats]:
    """Waveforms of the left digits (10 of parity L, then 10 of G) and of the right ones, per blur.

    Each has one neighbour module on both sides: a left digit always follows a bar and ends before a space, a right
    digit the other way round.
    """
    right = ["".join("10"[int(module)] for module in digit) for digit in LEFT]
    even = [digit[::-1] for digit in right]
    lefts = [[_blurred("1" + digit + "0", sigma) for digit in (*LEFT, *even)] for sigma in BLURS]
    rights = [[_blurred("0" + digit + "1", sigma) for digit in right] for sigma in BLURS]
    return np.array(lefts), np.array(rights)


LEFT_WAVES, RIGHT_WAVES = _patterns()
GUARD_WAVES = [_blurred(modules, 0.6) for modules in GUARDS]
