"""A language model as one more witness of phase 1, where a person will look anyway.

It fills in what is missing and says where it sees something else. It never raises a confidence, never changes the
product's, and never says a barcode number: so it lets no product through.
"""

import re
from collections.abc import Sequence
from typing import Annotated

import msgspec

from webapp.lib.text import clean, code, contains_words, cut
from webapp.phases.facts import (
    Alternative,
    Analysis,
    Answer,
    Evidence,
    Field,
    Hints,
    Model,
    ModelUse,
    Path,
    Photo,
    Question,
)

WEIGHT = 0.3
"""How much a model's word counts."""
ALONE, ON_LABEL = 30, 45
"""Confidence of a value that only a model gives, and of one whose words were read on the label as well."""
MAX_TOKENS = 300
MOST_LINES = 60
_LIMITS = {"name": 200, "brand": 80, "model": 80}
_LONG_NUMBER = re.compile(r"\d{8,}")
_TASK = """The photos show one product. Say what it is.
- name: what a shop would call it, in the language of its label, at most 120 characters.
- brand: as it is written there.
- model: model or part number; never a barcode number.
Give null for what the photos and the data do not show. Do not guess."""

Text = Annotated[str, msgspec.Meta(max_length=500)]


class Seen(msgspec.Struct, forbid_unknown_fields=True):
    """The form of the answer."""

    name: Text | None
    brand: Text | None
    model: Text | None


def is_wanted(found: Analysis, threshold: int) -> bool:
    """Whether a person will be asked, and nobody has settled the product."""
    return found.assessment is not None and found.confidence < threshold


def second_look(found: Analysis, photos: Sequence[Photo], hints: Hints, model: Model) -> Analysis:
    """The analysis with what a model says beside it; as it was where no model answers."""
    known: dict[str, object] = {
        "typed by the uploader": {"name": hints.name, "model": hints.model},
        "read on the label": [cut(line.text, 200) for line in found.text_lines[:MOST_LINES]],
    }
    question = Question(use=ModelUse.ANALYSIS, task=_TASK, known=known, photos=tuple(photos), max_tokens=MAX_TOKENS)
    answer = model.ask(question, Seen)
    if answer is None:
        return found
    label = " ".join(line.text for line in found.text_lines)
    is_guess = found.assessment is not None and found.assessment.path in (Path.LABEL_ONLY, Path.NOTHING)
    fields = {
        name: _beside(getattr(found, name), _said(answer, name), answer.by, label, may_replace=is_guess)
        for name in _LIMITS
    }
    return msgspec.structs.replace(found, **fields)


def _said(answer: Answer[Seen], name: str) -> str | None:
    """A usable value, or None: one that is no words, or carries a number as long as a barcode's, is none."""
    said = cut(clean(getattr(answer.value, name) or ""), _LIMITS[name])
    is_usable = any(char.isalnum() for char in said) and not _LONG_NUMBER.search(code(said))
    return said if is_usable else None


def _beside(field: Field, said: str | None, by: str, label: str, *, may_replace: bool) -> Field:
    if said is None or field.written_by == "reviewer":
        return field
    if field.value is not None and _agree(field.value, said):
        return _with(field, f"{by} reads the same.")
    evidence = f"{by} takes it for “{said}”."
    confidence = ON_LABEL if contains_words(label, said) else ALONE
    if field.value is not None and not may_replace:
        confidence = min(confidence, field.confidence)
        others = (*field.alternatives[:2], Alternative(value=said, confidence=confidence, written_by="model"))
        known = any(_agree(other.value, said) for other in field.alternatives)
        return _with(field, evidence, field.alternatives if known else others)
    others = field.alternatives[:3]
    if field.value is not None:
        confidence = min(confidence, field.confidence)
        others = (Alternative(value=field.value, confidence=field.confidence), *others[:2])
    says = Evidence(kind="model", says=evidence, weight=WEIGHT)
    kept = field.evidence if field.value is not None else ()
    return Field(value=said, confidence=confidence, evidence=(says, *kept), alternatives=others, written_by="model")


def _with(field: Field, says: str, alternatives: tuple[Alternative, ...] | None = None) -> Field:
    evidence = (*field.evidence, Evidence(kind="model", says=says, weight=WEIGHT))
    others = field.alternatives if alternatives is None else alternatives
    return msgspec.structs.replace(field, evidence=evidence, alternatives=others)


def _agree(one: str, other: str) -> bool:
    return code(one) == code(other) or (contains_words(one, other) and len(other) * 2 > len(one))
