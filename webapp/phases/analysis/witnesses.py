"""The witnesses of an identification as plain numbers, by name: what a calibrator learns from."""

from collections.abc import Mapping, Sequence

from webapp.phases.analysis.identity import Identity
from webapp.phases.analysis.numbers import PRINT
from webapp.phases.facts import Assessment, Field, PhotoQuality


def assess(
    found: Identity, qualities: Sequence[PhotoQuality], fields: Mapping[str, Field], doubts: Sequence[str]
) -> Assessment:
    """What speaks for and against `found`. Witnesses that were not there are left out; 0 is an answer."""
    raw = found.weight.confidence
    return Assessment(
        path=found.path,
        raw=raw,
        shown=raw,
        witnesses={name: round(float(value), 3) for name, value in _counted(found, qualities).items()},
        fields={name: field.confidence for name, field in fields.items() if field.value is not None},
        doubts=tuple(dict.fromkeys(doubts)),
    )


def _counted(found: Identity, qualities: Sequence[PhotoQuality]) -> dict[str, float]:
    counted: dict[str, float] = {
        "telling_words": found.label.telling_words,
        "rivals": found.rivals,
        "quality": max((quality.score for quality in qualities), default=0),
        "blurred": bool(qualities) and all("blurred" in quality.problems for quality in qualities),
    }
    number, best = found.number, found.best
    if number is not None:
        decoders = {decoder for code in number.codes for decoder in code.decoders}
        counted |= {
            "number": number.confidence,
            "votes": sum(code.votes for code in number.codes),
            "runner_up": max((code.runner_up for code in number.codes), default=0),
            "decoders": len(decoders - {PRINT}),
            "printed": number.printed or PRINT in decoders,
            "photos": len({code.photo_id for code in number.codes}) or 1,
            "restricted": number.restricted,
        }
    if best is not None:
        counted |= {
            "catalog": best.record.source == "catalog",
            "on_label": best.on_label,
            "model_seen": best.model_seen,
            "model_typed": best.model_typed,
            "denied": best.is_contradicted,
            "lead": found.lead,
            "digits": best.digits,
        }
        if best.picture is not None:
            counted["picture"] = best.picture.chance
        if best.typed is not None:
            counted["typed"] = best.typed
        if best.match is not None:
            counted["matched"] = best.match.score
    return counted
