"""The findings, field by field, each with its evidence and what else it might be."""

import re
from collections.abc import Sequence

from webapp.lib import gtin
from webapp.lib.text import fold
from webapp.phases.analysis import names
from webapp.phases.analysis.candidates import Candidate, brand_on_label
from webapp.phases.analysis.identity import Identity
from webapp.phases.analysis.numbers import alternatives
from webapp.phases.analysis.words import Label, similarity, words
from webapp.phases.facts import Alternative, Condition, Evidence, Field, Hints, Record, TextLine
from webapp.phases.matching.judging import Match

NAMED_MODEL = re.compile(
    r"\b(?:model(?:l|e|o|lo)?|mod|type|typ|ref|art|mpn|p/n)\b[\s.:#°º-]*(?:(?:no|nr|n)[\s.:#°º]+)?([A-Z0-9][A-Z0-9\-/.]{2,})",
    re.IGNORECASE,
)
LIKELY_MODEL = re.compile(r"\b(?=[A-Z0-9-]*[A-Z])(?=[A-Z0-9-]*\d)[A-Z0-9]+(?:-[A-Z0-9]+)*\b")
MEASURE = re.compile(
    r"\d+(?:[.,]\d+)?(?:G|KG|MG|ML|CL|DL|L|V|W|KW|WH|HZ|MHZ|GHZ|MM|CM|M|MAH|AH|A|GB|TB|MB|DB|OZ|LB|FL|PCS|X|ST|P|K)?(?:\d*)"
    r"|E\d{3}[A-Z]?|IP\d\d|USB\d?|\d+X\d+[A-Z]*|\d+(?:ST|ND|RD|TH)"
)
CONDITION_WORDS = {
    Condition.FOR_PARTS: ("for parts", "not working", "defekt", "defective", "spares or repair"),
    Condition.REFURBISHED: ("refurbished", "renewed", "reconditioned", "generaluberholt", "reconditionne"),
    Condition.LIKE_NEW: ("like new", "open box", "wie neu", "comme neuf"),
    Condition.USED: ("used", "second hand", "pre-owned", "gebraucht", "occasion"),
}


def name_field(found: Identity, hints: Hints) -> Field:
    """The product's name: its record's, else the typed one, else the largest words on the label."""
    confidence = found.weight.confidence
    others = _other_names(found.others, found.best)
    if found.best is not None:
        evidence = [*_record_says(found.best), *_label_shows(found.label, found.best.record.name)]
        if hints.name:
            evidence.append(_typed(hints.name, "name", found.best.match))
            if found.best.typed is not None and found.best.typed < 0.9:
                others = (Alternative(value=hints.name, confidence=40), *others)[:3]
        return _field(found.best.record.name, confidence, evidence, others)
    if hints.name:
        return _field(
            hints.name, confidence, [_typed(hints.name, "name"), *_label_shows(found.label, hints.name)], others
        )
    headline = found.label.headline()
    if not headline:
        return _nothing("No text was found on the photos that could be the product's name.")
    evidence = [_line_says(line, 0.3) for line in headline]
    return _field(" ".join(line.text for line in headline), min(confidence, 40), evidence, others)


def gtin_field(found: Identity, *, bars_seen: bool) -> Field:
    """The number in 14 digits, from the bars, from print, or from the record that was found by its words."""
    number, record = found.number, found.best.record if found.best else None
    others = alternatives(found.numbers, number)
    if number is not None:
        evidence = list(number.evidence)
        if found.best and record and record.gtin14 == number.gtin14:
            evidence += _record_says(found.best)
        confidence = max(number.confidence, found.weight.confidence if found.best else 0)
        return _field(number.gtin14, confidence, evidence, others)
    if record is not None and record.gtin14 and found.best:
        most = found.weight.confidence if found.best.same_photo else 60
        return _field(record.gtin14, min(most, found.weight.confidence), _record_says(found.best), others)
    says = (
        "Bars were seen on the photos, but no number could be read from them surely."
        if bars_seen
        else "No barcode was found on the photos."
    )
    return Field(evidence=(Evidence(kind="rule", says=says),), alternatives=others)


def brand_field(found: Identity, brands: Sequence[str]) -> tuple[Field, tuple[Alternative, ...]]:
    """The brand: its record's, else a known one that stands on the label. With it, every brand considered."""
    seen = brand_on_label(found.label, brands)
    record = found.best.record if found.best else None
    considered = tuple(Alternative(value=brand, confidence=max(30, 75 - 15 * at)) for at, brand in enumerate(seen[:4]))
    if found.best and record and record.brand:
        shown = all(found.label.has(word) for word in words(record.brand))
        confidence = min(98, found.weight.confidence + (2 if shown else 0))
        evidence = [*_record_says(found.best), *_label_shows(found.label, record.brand)]
        others = tuple(entry for entry in considered if fold(entry.value) != fold(record.brand))
        own = Alternative(value=record.brand, confidence=confidence)
        return _field(record.brand, confidence, evidence, others[:3]), (own, *others)
    if seen:
        short = len("".join(words(seen[0]))) < 4
        confidence = 50 if short else 75
        return _field(seen[0], confidence, _label_shows(found.label, seen[0]), considered[1:4]), considered
    return _nothing("None of the known brands was found on the label."), ()


def model_field(found: Identity, hints: Hints) -> Field:
    """The model number: its record's, else the typed one, else what looks like one on the label."""
    record = found.best.record if found.best else None
    seen = _models_on(found.label)
    others = tuple(Alternative(value=text, confidence=confidence) for text, confidence, _ in seen)
    if found.best and record and record.model:
        evidence = [*_record_says(found.best), *_label_has_code(found.label, record.model)]
        if hints.model:
            evidence.append(_typed(hints.model, "model"))
            if similarity(hints.model, record.model) < 0.9:
                others = (Alternative(value=hints.model, confidence=50), *others)
        others = tuple(entry for entry in others if fold(entry.value) != fold(record.model))
        return _field(record.model, found.weight.confidence, evidence, others[:3])
    if hints.model:
        shown = _label_has_code(found.label, hints.model)
        return _field(hints.model, 90 if shown else 75, [_typed(hints.model, "model"), *shown], others[:3])
    if seen:
        text, confidence, line = seen[0]
        return _field(text, confidence, [_line_says(line, confidence / 100)], others[1:4])
    return _nothing("No model number was found on the label, and none was typed.")


def condition_field(hints: Hints, label: Label) -> Field:
    """The condition as the uploader set it; words such as `refurbished` otherwise. A photo alone cannot tell."""
    if hints.condition is not None:
        says = f"The uploader set the condition to {hints.condition.value.replace('_', ' ')}."
        return _field(hints.condition.value, 95, [Evidence(kind="hint", says=says)], ())
    for condition, phrases in CONDITION_WORDS.items():
        for phrase in phrases:
            if hints.name and phrase in fold(hints.name):
                return _field(condition.value, 75, [_typed(hints.name, "name")], ())
            for line in label.lines:
                if re.search(rf"\b{phrase}\b", fold(line.text)) and phrase != "used":
                    return _field(condition.value, 55, [_line_says(line, 0.5)], ())
    return _nothing("Nobody set the condition, and a photo alone cannot tell it.")


def categories(found: Identity) -> tuple[Alternative, ...]:
    """Up to three categories of the records that fit, the likeliest first."""
    chosen: dict[str, int] = {}
    if found.best and found.best.record.category:
        chosen[found.best.record.category] = found.weight.confidence
    for entry in found.others:
        if entry.record.category:
            chosen.setdefault(entry.record.category, min(45, round(45 * entry.agreement)))
    return tuple(Alternative(value=value, confidence=confidence) for value, confidence in list(chosen.items())[:3])


def _field(
    value: str, confidence: int, evidence: Sequence[Evidence], others: Sequence[Alternative] | tuple[()]
) -> Field:
    return Field(value=value, confidence=confidence, evidence=tuple(evidence), alternatives=tuple(others)[:3])


def _nothing(says: str) -> Field:
    return Field(evidence=(Evidence(kind="rule", says=says),))


def _other_names(others: Sequence[Candidate], best: Candidate | None) -> tuple[Alternative, ...]:
    taken = {best.record.name} if best else set()
    found: dict[str, int] = {}
    for entry in others:
        if entry.record.name not in taken:
            found.setdefault(entry.record.name, min(60, round(50 * entry.agreement)))
    return tuple(Alternative(value=name, confidence=confidence) for name, confidence in list(found.items())[:3])


def _record_says(candidate: Candidate) -> list[Evidence]:
    """The record, with what led to it."""
    return [*_picture_says(candidate), _known(candidate), *_model_says(candidate)]


def _model_says(candidate: Candidate) -> list[Evidence]:
    if not candidate.taken_by:
        return []
    says = f"{candidate.taken_by} takes it among several known products that fit about equally well."
    return [Evidence(kind="model", says=says, weight=0.3, record_id=candidate.record.id)]


def _picture_says(candidate: Candidate) -> list[Evidence]:
    seen = candidate.picture
    if seen is None:
        return []
    says = f"A photo of “{candidate.record.name}” shows the same package: {seen.marks} marks lie over each other."
    return [
        Evidence(
            kind="photo",
            says=says,
            weight=round(seen.chance, 2),
            photo_id=seen.photo_id,
            box=seen.box,
            record_id=candidate.record.id,
            reference_photo_id=seen.reference_photo_id,
        )
    ]


def _known(candidate: Candidate) -> Evidence:
    record, number = candidate.record, candidate.number
    if candidate.same_photo:
        says = f"The very same photo belongs to “{record.name}”, which a person settled."
        return Evidence(kind="photo", says=says, weight=0.9, record_id=record.id)
    where = "The catalog" if record.source == "catalog" else "An offer"
    by = (
        f"has the barcode {gtin.written(number.gtin14)}"
        if number
        else f"has a barcode of which {candidate.digits} digits in a row are printed on the label"
        if candidate.digits
        else "has this photo"
        if candidate.picture
        else "fits the words"
    )
    says = f"{where} {by}: “{record.name}”" + (f", {_details(record)}." if _details(record) else ".")
    return Evidence(kind=record.source, says=says, weight=0.9 if number else 0.5, record_id=record.id)


def _details(record: Record) -> str:
    return names.listed(parts) if (parts := [part for part in (record.brand, record.model, record.sku) if part]) else ""


def _label_shows(label: Label, name: str) -> list[Evidence]:
    """The line of the label that shows most of a name, with how much of it stands there in all; nothing without."""
    line, share = label.line_with(name), label.share(name) or float(bool(words(name) and label.has(words(name)[0])))
    if line is None or share <= 0:
        return []
    return [_line_says(line, round(share, 2))]


def _label_has_code(label: Label, code: str) -> list[Evidence]:
    """The first line that holds a model number, however it is spaced."""
    wanted = "".join(words(code))
    for line in label.lines:
        if wanted in "".join(words(line.text)):
            return [_line_says(line, 0.9)]
    return []


def _line_says(line: TextLine, weight: float) -> Evidence:
    return Evidence(
        kind="text", says=f"The label says “{line.text}”.", weight=weight, photo_id=line.photo_id, box=line.box
    )


def _typed(text: str, what: str, match: Match | None = None) -> Evidence:
    """What was typed; with what the matcher says of it and the record, and how surely it is that."""
    judged = f" {match.why}." if match is not None and match.why else ""
    return Evidence(
        kind="hint",
        says=f"The uploader typed “{text}” as {what}.{judged}",
        weight=0.6 if match is None else round(match.score / 100, 2),
    )


def _models_on(label: Label) -> list[tuple[str, int, TextLine]]:
    """Texts that look like a model number with their confidence, those that are called one first."""
    named = [
        (match.group(1).rstrip("-./").upper(), 60, line)
        for line in label.lines
        for match in NAMED_MODEL.finditer(line.text)
        if any(sign.isdigit() for sign in match.group(1))
    ]
    likely = [
        (match.group(), 35, line)
        for line in label.lines
        for match in LIKELY_MODEL.finditer(line.text)
        if len(match.group()) >= 4 and not MEASURE.fullmatch(match.group())
    ]
    found: dict[str, tuple[str, int, TextLine]] = {}
    for entry in (*named, *likely):
        found.setdefault(entry[0], entry)
    return list(found.values())[:4]
