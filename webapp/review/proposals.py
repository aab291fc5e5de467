"""What the desk offers for each field at one press, and what a known product's name brings along."""

from typing import NamedTuple

from webapp.lib import gtin
from webapp.phases.facts import OF_PRODUCT, Alternative, Analysis, Condition, Field
from webapp.review.forms import FIELDS, ReviewForm


class Proposal(NamedTuple):
    """One value of a field, as the form writes it.

    `confidence` is None where nobody gave one. `brings`: what a press puts into other fields, by name; an empty text
    empties the field, since what stands there is another product's.
    """

    value: str
    confidence: int | None = None
    written_by: str = "machine"
    brings: dict[str, str] = {}  # noqa: RUF012 - never changed


def proposals(found: Analysis, own: ReviewForm) -> dict[str, list[Proposal]]:
    """By field: the machine's value, what lost, what else was seen, and what stood in the form at first (`own`), so
    that one can go back to it. Nothing where a press could change nothing."""
    seen: dict[str, list[Proposal]] = {name: _seen(found, name, own) for name in FIELDS}
    moved = {name for entry in seen["name"] for name in entry.brings}
    for name, entries in seen.items():
        first = own.values[name]
        if first and first not in [entry.value for entry in entries]:
            entries.append(Proposal(first))
        if name not in moved and all(entry.value == first for entry in entries):
            entries.clear()
    return seen | {"condition": _conditions(found.condition)}


def _seen(found: Analysis, name: str, own: ReviewForm) -> list[Proposal]:
    field: Field = getattr(found, name)
    considered = [*field.alternatives, *(found.brands if name == "brand" else ())]
    if field.value is not None:
        is_other = name == "name" and own.values[name] != field.value
        record = found.record if is_other else {}
        considered.insert(
            0, Alternative(value=field.value, confidence=field.confidence, written_by=field.written_by, record=record)
        )
    entries = [
        Proposal(_shown(name, entry.value), entry.confidence, entry.written_by, _brought(found, entry, own))
        for entry in considered
    ]
    if name == "gtin":
        codes = (code.gtin14 for code in found.barcodes if code.gtin14 and not code.restricted)
        entries += [Proposal(_shown(name, code)) for code in codes]
    return list({entry.value: entry for entry in reversed(entries)}.values())[::-1]


def _brought(found: Analysis, chosen: Alternative, own: ReviewForm) -> dict[str, str]:
    """What the chosen one's record says; what only the record says that it takes the place of goes."""
    if not chosen.record:
        return {}
    fields: dict[str, Field] = {name: getattr(found, name) for name in OF_PRODUCT}
    gone = {name: "" for name, field in fields.items() if field.is_of_record_alone and own.values[name]}
    return gone | {name: _shown(name, value) for name, value in chosen.record.items() if name in OF_PRODUCT}


def _conditions(field: Field) -> list[Proposal]:
    guesses = {other.value: other.confidence for other in field.alternatives} | {field.value: field.confidence}
    return [Proposal(value.value, guesses.get(value.value)) for value in Condition]


def _shown(name: str, value: str) -> str:
    return gtin.written(value) if name == "gtin" else value
