"""The findings, field by field, each with its evidence and what else it might be."""

import re
from collections.abc import Sequence

import msgspec

from webapp.lib.text import fold
from webapp.phases.analysis.candidates import Candidate, brand_on_label
from webapp.phases.analysis.evidence import label_shows, line_says, nothing, record_says, typed_says
from webapp.phases.analysis.identity import Identity
from webapp.phases.analysis.numbers import alternatives
from webapp.phases.analysis.sizes import of_name
from webapp.phases.analysis.words import Label, may_name, similarity, words
from webapp.phases.facts import TRUST, Alternative, Condition, Evidence, Field, Hints, Path, Record, TextLine

NAMED_MODEL = re.compile(
    r"\b(?:model(?:l|e|o|lo)?|mod|type|typ|ref|art|mpn|p/n)\b[\s.:#°º-]*(?:(?:no|nr|n)[\s.:#°º]+)?([A-Z0-9][A-Z0-9\-/.]{2,})",
    re.IGNORECASE,
)
LIKELY_MODEL = re.compile(r"\b(?=[A-Z0-9-]*[A-Z])(?=[A-Z0-9-]*\d)[A-Z0-9]+(?:-[A-Z0-9]+)*\b")
NO_MODEL = re.compile(
    r"\d+(?:[.,]\d+)?(?:G|KG|MG|ML|CL|DL|L|V|W|KW|WH|HZ|MHZ|GHZ|MM|CM|M|MAH|AH|A|GB|TB|MB|DB|OZ|LB|FL|PCS|X|ST|P|K)?(?:\d*)"
    r"|\d+(?:KJ|KCAL|C|F)|E-?\d{3}[A-Z]?|[A-Z]{2}-BIO-\d+|IP\d\d|USB\d?|\d+X\d+[A-Z]*|\d+(?:ST|ND|RD|TH)"
)
"""Sizes, nutrition, additives, organic inspection bodies (Regulation (EC) 1235/2008: `FR-BIO-01`), standards."""
NAMED_AS_MODEL, LIKE_A_MODEL = 60, 15
"""Confidence of what the label calls a model number, and of what only looks like one: on 175 labels of food 37 such
things stand, lot numbers above all, and none is one."""
LEAST_MODEL, MODEL_WORDS = 3, 5
"""Signs that a model number needs for the label to confirm it, and words that it may be printed in."""
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
        evidence = [*record_says(found.best), *label_shows(found.label, found.best.record.name)]
        if hints.name:
            evidence.append(typed_says(hints.name, "name", found.best.match))
            if found.best.typed is not None and found.best.typed < 0.9:
                others = (Alternative(value=hints.name, confidence=40), *others)[:3]
        return _field(found.best.record.name, confidence, evidence, others)
    if hints.name:
        return _field(
            hints.name, confidence, [typed_says(hints.name, "name"), *label_shows(found.label, hints.name)], others
        )
    headline = found.label.headline() if found.path is not Path.NOTHING else []
    if not headline:
        return nothing("No text was found on the photos that could be the product's name.")
    evidence = [line_says(line, 0.3) for line in headline]
    return _field(" ".join(line.text for line in headline), min(confidence, 40), evidence, others)


def gtin_field(found: Identity, *, bars_seen: bool, codes_read: bool = False) -> Field:
    """The number in 14 digits, from the bars, from print, or from the record that was found by its words."""
    number, record = found.number, found.best.record if found.best else None
    known = record.gtin14 if record is not None else None
    is_its_own = number is not None and number.is_sure and not number.restricted
    if number is not None and (known in (None, number.gtin14) or is_its_own):
        confidence, evidence = number.confidence, list(number.evidence)
        if found.best and known == number.gtin14:
            confidence = max(confidence, found.weight.confidence)
            evidence += record_says(found.best)
        elif found.best is None:
            evidence.append(Evidence(kind="rule", says="No product in the catalogs and no offer has this number."))
        return _field(number.gtin14, confidence, evidence, alternatives(found.numbers, number))
    if known is not None and found.best:
        most = found.weight.confidence if found.best.same_photo else TRUST if number is None else TRUST - 1
        others = alternatives(found.numbers, None)
        return _field(known, min(most, found.weight.confidence), record_says(found.best), others)
    says = "No barcode was found on the photos."
    if bars_seen:
        says = "Bars were seen on the photos, but no number could be read from them surely."
    elif codes_read:
        says = "Codes were read on the photos, but none of them is a product number."
    return nothing(says, alternatives(found.numbers, None))


def brand_field(found: Identity, brands: Sequence[str]) -> tuple[Field, tuple[Alternative, ...]]:
    """The brand: its record's, else a known one that stands on the label. With it, every brand considered."""
    seen = brand_on_label(found.label, brands)
    record = found.best.record if found.best else None
    considered = tuple(Alternative(value=brand, confidence=max(30, 75 - 15 * at)) for at, brand in enumerate(seen[:4]))
    if found.best and record and record.brand:
        shown = all(found.label.has(word) for word in words(record.brand))
        confidence = min(98, found.weight.confidence + (2 if shown else 0))
        evidence = [*record_says(found.best), *label_shows(found.label, record.brand)]
        others = tuple(entry for entry in considered if fold(entry.value) != fold(record.brand))
        own = Alternative(value=record.brand, confidence=confidence)
        return _field(record.brand, confidence, evidence, others[:3]), (own, *others)
    if seen:
        short = len("".join(words(seen[0]))) < 4
        confidence = 50 if short else 75
        return _field(seen[0], confidence, label_shows(found.label, seen[0]), considered[1:4]), considered
    says = "None of the known brands was found on the label." if brands else "No brands are known yet to look for."
    return nothing(says), ()


def model_field(found: Identity, hints: Hints) -> Field:
    """The model number: its record's, else the typed one, else what looks like one on the label."""
    record = found.best.record if found.best else None
    seen = _models_on(found.label)
    others = tuple(Alternative(value=text, confidence=confidence) for text, confidence, _ in seen)
    if found.best and record and record.model:
        evidence = [*record_says(found.best), *_label_has_code(found.label, record.model)]
        if hints.model:
            evidence.append(typed_says(hints.model, "model"))
            if similarity(hints.model, record.model) < 0.9:
                others = (Alternative(value=hints.model, confidence=50), *others)
        others = tuple(entry for entry in others if fold(entry.value) != fold(record.model))
        return _field(record.model, found.weight.confidence, evidence, others[:3])
    if hints.model:
        shown = _label_has_code(found.label, hints.model)
        others = tuple(entry for entry in others if fold(entry.value) != fold(hints.model))
        return _field(hints.model, 90 if shown else 75, [typed_says(hints.model, "model"), *shown], others[:3])
    if seen:
        text, confidence, line = seen[0]
        return _field(text, confidence, [line_says(line, confidence / 100)], others[1:4])
    return nothing("No model number was found on the label, and none was typed.")


def condition_field(hints: Hints, label: Label) -> Field:
    """The condition as the uploader set it; words such as `refurbished` otherwise. A photo alone cannot tell."""
    if hints.condition is not None:
        says = f"The uploader set the condition to {hints.condition.value.replace('_', ' ')}."
        return _field(hints.condition.value, 95, [Evidence(kind="hint", says=says)], ())
    for condition, phrases in CONDITION_WORDS.items():
        for phrase in phrases:
            if hints.name and re.search(rf"\b{phrase}\b", fold(hints.name)):
                return _field(condition.value, 75, [typed_says(hints.name, "name")], ())
            for line in label.lines:
                if re.search(rf"\b{phrase}\b", fold(line.text)) and phrase != "used":
                    return _field(condition.value, 55, [line_says(line, 0.5)], ())
    return nothing("Nobody set the condition, and a photo alone cannot tell it.")


def category_field(found: Identity) -> Field:
    """The category of the record; those of others that fit are its alternatives."""
    own = found.best.record.category if found.best else None
    others: dict[str, int] = {}
    for entry in found.others:
        if entry.record.category and entry.record.category != own:
            others.setdefault(entry.record.category, min(45, round(45 * entry.agreement)))
    ranked = [Alternative(value=value, confidence=confidence) for value, confidence in others.items()]
    if found.best and own:
        return _field(own, found.weight.confidence, record_says(found.best), ranked)
    says = "No known product was found that it could be taken from."
    if found.best:
        says = f"“{found.best.record.name}” is in no category."
    return nothing(says, ranked)


def unread(field: Field) -> Field:
    """A field of a product of which no photo could be opened: nobody looked, so nothing was not found."""
    if field.value is not None:
        return field
    says = "None of the photos could be opened, so it was not looked for."
    return nothing(says, field.alternatives)


def _field(
    value: str, confidence: int, evidence: Sequence[Evidence], others: Sequence[Alternative] | tuple[()]
) -> Field:
    # What was not chosen is no surer than what was, whatever scale it comes from.
    less_sure = [msgspec.structs.replace(each, confidence=min(each.confidence, confidence)) for each in others]
    return Field(value=value, confidence=confidence, evidence=tuple(evidence), alternatives=tuple(less_sure)[:3])


def _other_names(others: Sequence[Candidate], best: Candidate | None) -> tuple[Alternative, ...]:
    """Names of up to three other records, each with what its record says besides."""
    taken = best.record.name if best else None
    found: dict[str, Candidate] = {}
    for entry in others:
        if entry.record.name != taken:
            found.setdefault(entry.record.name, entry)
    return tuple(
        Alternative(value=name, confidence=min(60, round(50 * entry.agreement)), record=_besides(entry.record))
        for name, entry in list(found.items())[:3]
    )


def _besides(record: Record) -> dict[str, str]:
    said = {"gtin": record.gtin14, "brand": record.brand, "model": record.model}
    return {name: value for name, value in said.items() if value} | of_name(record.name)


def _label_has_code(label: Label, code: str) -> list[Evidence]:
    """The first line that holds a model number, however it is spaced, as words of its own."""
    wanted = "".join(words(code))
    if len(wanted) < LEAST_MODEL:
        return []
    for line in label.lines:
        said = words(line.text)
        parts = ("".join(said[at:end]) for at in range(len(said)) for end in range(at + 1, at + MODEL_WORDS + 1))
        if wanted in parts:
            return [line_says(line, 0.9)]
    return []


def _models_on(label: Label) -> list[tuple[str, int, TextLine]]:
    """Texts that look like a model number with their confidence, those that are called one first."""
    named = [
        (match.group(1).rstrip("-./").upper(), NAMED_AS_MODEL, line)
        for line in label.lines
        for match in NAMED_MODEL.finditer(line.text)
        if any(sign.isdigit() for sign in match.group(1))
    ]
    likely = [
        (match.group(), LIKE_A_MODEL, line)
        for line in label.lines
        if may_name(line)
        for match in LIKELY_MODEL.finditer(line.text)
        if len(match.group()) >= 4 and not NO_MODEL.fullmatch(match.group())
    ]
    found: dict[str, tuple[str, int, TextLine]] = {}
    for entry in (*named, *likely):
        found.setdefault(entry[0], entry)
    return list(found.values())[:4]
