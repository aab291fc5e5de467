"""Honest confidence: what people decided about earlier products, turned into what a score is worth.

`fitting` is imported by name where it is needed: numpy has no business in processes that only serve curves.
"""

from webapp.phases.calibration.applying import calibrated, reasons
from webapp.phases.calibration.curves import PROMISE, SURE, Calibrator, Curve
from webapp.phases.calibration.decisions import (
    MIN_DECISIONS,
    MIN_PER_PATH,
    MIN_SURE,
    Decision,
    NotEnough,
    group_of,
    rightness,
)

__all__ = [
    "MIN_DECISIONS",
    "MIN_PER_PATH",
    "MIN_SURE",
    "PROMISE",
    "SURE",
    "Calibrator",
    "Curve",
    "Decision",
    "NotEnough",
    "calibrated",
    "group_of",
    "reasons",
    "rightness",
]
