"""Rules: corrections that people made often enough, applied to what analysis found."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Any

import msgspec

from webapp.lib.text import fold
from webapp.phases.facts import Alternative, Analysis, Evidence, Fact, Field

CONFIDENCE = 90
"""Of a field that an accepted rule filled in, at least."""


class KeyKind(StrEnum):
    """What a rule recognises a product by."""

    GTIN = "gtin"
    BRAND = "brand"


class Ruling(Fact, frozen=True, kw_only=True):
    """An accepted rule: where the product has the key, `old` in `field` is to be `new`. `by`: who accepted it, `on`
    which day."""

    id: str
    field: str
    old: str | None
    new: str | None
    key_kind: KeyKind
    key_value: str
    by: str
    on: date


def keys_of(found: Analysis) -> dict[KeyKind, str]:
    """What rules recognise this product by: the number on it, and its brand, folded."""
    keys = {KeyKind.GTIN: found.gtin.value, KeyKind.BRAND: fold(found.brand.value or "").strip()}
    return {kind: value for kind, value in keys.items() if value}


def ruled(found: Analysis, rulings: Sequence[Ruling]) -> Analysis:
    """The analysis after accepted rules. Each field changes at most once, a rule on the number before one on the brand,
    and all are judged by what the machine found, so their order does not matter. What a person settled stays."""
    keys = keys_of(found)
    changes: dict[str, Any] = {}
    for ruling in sorted(rulings, key=lambda rule: (rule.key_kind is not KeyKind.GTIN, rule.id)):
        field: Field = getattr(found, ruling.field)
        fits = keys.get(ruling.key_kind) == ruling.key_value and field.claimed == ruling.old
        if fits and field.written_by != "reviewer" and ruling.field not in changes:
            changes[ruling.field] = _changed(field, ruling)
    if changes and found.assessment is not None:
        told = found.assessment
        changes["assessment"] = msgspec.structs.replace(told, witnesses={**told.witnesses, "rule": 1.0})
    return msgspec.structs.replace(found, **changes) if changes else found


def used_in(found: Analysis) -> set[str]:
    """The ids of the rules that changed something in the analysis."""
    fields = (found.name, found.brand, found.model, found.condition, found.gtin, found.size, found.quantity)
    return {item.record_id for field in fields for item in field.evidence if item.kind == "rule" and item.record_id}


def is_ruled(field: Field) -> bool:
    """Whether a rule put the value there: what the machine had found before says nothing of it."""
    return any(item.kind == "rule" and item.record_id for item in field.evidence)


def _changed(field: Field, ruling: Ruling) -> Field:
    was = f"“{field.value}”" if field.value else "nothing"
    says = f"A rule accepted by {ruling.by} on {ruling.on:%d %b %Y} puts this in the place of {was}."
    others = [Alternative(value=field.value, confidence=min(50, field.confidence))] if field.value else []
    return Field(
        value=ruling.new,
        confidence=max(CONFIDENCE, field.confidence) if ruling.new else 0,
        evidence=(Evidence(kind="rule", says=says, weight=0.9, record_id=ruling.id), *field.evidence),
        alternatives=tuple([*others, *(other for other in field.alternatives if other.value != ruling.new)][:3]),
        written_by=field.written_by,
    )
