"""Phase 1: what is on the photos."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from webapp.lib.image_errors import ImageError
from webapp.phases.analysis import fields, gallery, sizes, ties
from webapp.phases.analysis.barcodes import scan
from webapp.phases.analysis.carried import carried
from webapp.phases.analysis.framing import framed
from webapp.phases.analysis.identity import Identity, identify
from webapp.phases.analysis.likeness import small
from webapp.phases.analysis.numbers import with_print
from webapp.phases.analysis.pictures import Pixels, picture_of
from webapp.phases.analysis.text import printed_numbers, read_text
from webapp.phases.analysis.witnesses import assess
from webapp.phases.analysis.words import Label
from webapp.phases.calibration import reasons
from webapp.phases.facts import (
    Analysis,
    Barcode,
    Hints,
    Model,
    Photo,
    PhotoQuality,
    Record,
    Reference,
    Report,
    TextLine,
)
from webapp.phases.matching.matchers import Matcher, Rules
from webapp.phases.quality import also, judge

PHOTOS_END = 86.0
"""Percent at which all photos are read."""
POOR_PHOTO = 40


@dataclass
class Seen:
    """What was read on the photos so far."""

    accepted: list[Barcode] = field(default_factory=list)
    doubtful: list[Barcode] = field(default_factory=list)
    lines: list[TextLine] = field(default_factory=list)
    qualities: list[PhotoQuality] = field(default_factory=list)
    bars_on: list[str] = field(default_factory=list)
    """Photos with bars that could not be read surely."""
    small: list[tuple[str, Pixels]] = field(default_factory=list)
    """Each photo by its id, small, to be laid beside reference photos."""


def analyse(
    photos: Sequence[Photo],
    hints: Hints,
    reference: Reference,
    report: Report,
    model: Model | None = None,
    matcher: Matcher | None = None,
) -> Analysis:
    """Reads codes and text on every photo, judges the photos, and identifies the product with what `reference` knows.

    Deterministic, but for a `model` that may break ties. `matcher`: who judges which known products are what was typed,
    the rules by default. `report` is called before every step of every photo and may
    raise to cancel: what it raises is passed on. A photo that cannot be decoded gets score 0 and a sentence; it does
    not stop the others.
    """
    seen = Seen()
    for number, photo in enumerate(photos):
        span = PHOTOS_END / len(photos)
        _read_photo(photo, seen, report, number * span, span, f"Photo {number + 1} of {len(photos)}")
    report(PHOTOS_END, "Comparing with the catalog and the offers")
    label = Label(seen.lines)
    printed = printed_numbers(seen.lines)
    accepted, doubtful = with_print(seen.accepted, seen.doubtful, printed)

    def look(records: Sequence[Record]) -> Sequence[gallery.Resemblance]:
        report(90.0, "Comparing with the photos of known products")
        return gallery.resemblances(seen.small, records, reference)

    choose = ties.chooser(model, photos, label, hints) if model is not None else ties.nobody
    found = identify(accepted, doubtful, printed, label, hints, reference, look, choose, matcher or Rules())
    report(96.0, "Weighing the evidence")
    result = _result(found, accepted, seen, hints, reference)
    report(100.0, "Analysis finished")
    return result


def _read_photo(photo: Photo, seen: Seen, report: Report, start: float, span: float, which: str) -> None:
    """All steps of one photo, between `start` and `start + span` percent."""
    report(start, f"{which}: opening it")
    try:
        picture = picture_of(photo)
    except ImageError as error:
        seen.qualities.append(
            PhotoQuality(photo_id=photo.id, score=0, problems=("unreadable",), says=error.named(photo.file_name).says)
        )
        return
    report(start + 0.08 * span, f"{which}: checking light and focus")
    seen.qualities.append(judge(photo.id, picture.rgb))
    codes = scan(picture, lambda share, step: report(start + (0.15 + 0.25 * share) * span, f"{which}: {step}"))
    seen.accepted += codes.accepted
    seen.doubtful += codes.doubtful
    if codes.bars_seen:
        seen.bars_on.append(photo.id)
    report(start + 0.4 * span, f"{which}: reading the text")
    reading = read_text(picture)
    seen.lines += reading.lines
    if reading.is_mirrored:
        seen.qualities[-1] = also(seen.qualities[-1], "mirrored")
    seen.small.append((photo.id, small(picture.rgb)))


def _result(found: Identity, accepted: Sequence[Barcode], seen: Seen, hints: Hints, reference: Reference) -> Analysis:
    brand, brands = fields.brand_field(found, reference.brands())
    best_photo = max((quality.score for quality in seen.qualities), default=0)
    confidence = found.weight.confidence
    doubts = list(found.weight.reasons)
    if best_photo < POOR_PHOTO:
        doubts += [quality.says for quality in seen.qualities if quality.says][:1]
    values = {
        "name": fields.name_field(found, hints),
        "model": fields.model_field(found, hints),
        "brand": brand,
        "condition": fields.condition_field(hints, found.label),
        "gtin": fields.gtin_field(found, bars_seen=bool(seen.bars_on), codes_read=bool(accepted)),
    }
    besides = {
        "category": fields.category_field(found),
        "size": sizes.size_field(found, hints),
        "quantity": sizes.quantity_field(found, hints),
    }
    if not seen.small:
        values = {name: fields.unread(field) for name, field in values.items()}
        besides = {name: fields.unread(field) for name, field in besides.items()}
    assessment = assess(found, seen.qualities, values, doubts)
    return Analysis(
        name=values["name"],
        model=values["model"],
        brand=values["brand"],
        condition=values["condition"],
        gtin=values["gtin"],
        category=besides["category"],
        size=besides["size"],
        quantity=besides["quantity"],
        brands=brands,
        barcodes=tuple(accepted),
        carried=carried(accepted, found.number),
        text_lines=tuple(seen.lines),
        photos=framed(
            seen.qualities,
            seen.lines,
            bars_on=seen.bars_on,
            has_codes=bool(accepted),
            expects_barcode=hints.expects_barcode,
        ),
        image_quality_score=best_photo,
        confidence=confidence,
        reasons=reasons(assessment, hints.threshold),
        assessment=assessment,
    )
