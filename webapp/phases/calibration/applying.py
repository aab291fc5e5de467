"""An analysis with the confidence that earlier decisions give it."""

from typing import Any

import msgspec

from webapp.phases.calibration.curves import Calibrator
from webapp.phases.facts import Analysis, Assessment, Field
from webapp.phases.rules import is_ruled


def calibrated(found: Analysis, calibrator: Calibrator | None, threshold: int) -> Analysis:
    """The analysis by a calibrator; where that knows nothing of its path or fields, the defaults stay."""
    assessment = found.assessment
    if assessment is None or calibrator is None:
        return found
    changes: dict[str, Any] = {}
    for name, curve in calibrator.fields.items():
        field: Field = getattr(found, name)
        if name in assessment.fields and field.written_by == "machine" and not is_ruled(field):
            changes[name] = msgspec.structs.replace(field, confidence=curve.confidence(assessment.fields[name], {}))
    curve_of_path = calibrator.paths.get(assessment.path)
    shown = curve_of_path.confidence(assessment.raw, assessment.witnesses) if curve_of_path else assessment.raw
    if curve_of_path and found.category.value is not None:
        changes["category"] = msgspec.structs.replace(found.category, confidence=shown)  # as sure as its record
    told = msgspec.structs.replace(
        assessment, shown=shown, calibrator=calibrator.version if curve_of_path or changes else None
    )
    return msgspec.structs.replace(
        found, confidence=shown, assessment=told, reasons=reasons(told, threshold), **changes
    )


def reasons(assessment: Assessment, threshold: int) -> tuple[str, ...]:
    """Why a person is asked, in plain words; nothing where nobody is."""
    if assessment.shown >= threshold:
        return ()
    if assessment.doubts:
        return assessment.doubts
    shown = assessment.shown
    if assessment.calibrator is not None and shown < assessment.raw:
        return (f"Earlier products with such evidence were corrected too often: {shown} %, not {threshold} %.",)
    return (f"The evidence gives {shown} %, less than the {threshold} % that are asked for.",)
