"""How much is in it, how large it is and how many are sold together: from the record, what was typed, and the label."""

import re
from collections.abc import Sequence

from webapp.phases import measures
from webapp.phases.analysis.evidence import line_says, nothing, record_says, typed_says
from webapp.phases.analysis.identity import Identity
from webapp.phases.analysis.words import may_name, words
from webapp.phases.facts import Alternative, Evidence, Field, Hints, TextLine
from webapp.phases.measures import Measure
from webapp.phases.vocabulary import NET_CONTENT, NOT_CONTENT

TYPED, TYPED_AND_SHOWN = 75, 90
NET, PRINTED = 70, 45
"""Confidence of a size on the label: where it is called the net content, and where it only stands there."""
ON_LABELS = ("volume", "weight", "count")
"""Dimensions that a label's own words tell reliably; others (230 V, 20 cm) may be about anything."""
MOST_SIZES = 3
NET_WORDS = 2
"""Words before a size among which one must be that calls it the net content."""
TABLE = 100
"""Grams or millilitres that nutrition is told for: the last guess, though it may be the content."""
_PER = re.compile(r"\b(?:per|pro|je|pour|por|par|each)\s+(?:100\b|portion|serving)", re.IGNORECASE)
"""What nutrition tables and prices are given for: no content."""


def size_field(found: Identity, hints: Hints) -> Field:
    """Net content or dimensions as they are written: those in the record's name, else the typed one's, else what the
    label calls its content, else the size with the tallest letters."""
    printed = _printed(found.label.lines)
    for name, says, sure, sure_if_shown in _named(found, hints):
        sizes = measures.measures(name)[:MOST_SIZES]
        if sizes:
            shown = [line for size, _, line in printed if measures.agree(sizes, [size])][:1]
            denied = [
                Alternative(value=size.text, confidence=confidence)
                for size, confidence, _ in printed
                if measures.conflict(sizes, [size])
            ]
            return Field(
                value=_written(sizes),
                confidence=sure_if_shown if shown else sure,
                evidence=(*says, *(line_says(line, 0.5) for line in shown)),
                alternatives=tuple(denied[:3]),
            )
    if not printed:
        return nothing("Neither a name nor the label gives a size.")
    size, confidence, line = printed[0]
    return Field(
        value=size.text,
        confidence=confidence,
        evidence=(line_says(line, 0.5),),
        alternatives=tuple(Alternative(value=other.text, confidence=sure) for other, sure, _ in printed[1:4]),
    )


def of_name(name: str) -> dict[str, str]:
    """Size and quantity as a name tells them; what it does not tell is left out."""
    sizes, count = measures.measures(name)[:MOST_SIZES], measures.pack_size(name) or 0
    return ({"size": _written(sizes)} if sizes else {}) | ({"quantity": str(count)} if count > 1 else {})


def quantity_field(found: Identity, hints: Hints) -> Field:
    """Pieces sold together, where something says that there are several."""
    for name, says, sure, _ in _named(found, hints):
        if (count := measures.pack_size(name) or 0) > 1:
            return Field(value=str(count), confidence=sure, evidence=says)
    for line in found.label.lines:
        if may_name(line) and (count := measures.pack_size(line.text) or 0) > 1:
            return Field(value=str(count), confidence=PRINTED, evidence=(line_says(line, 0.5),))
    return nothing("Nothing says that several are sold together.")


def _named(found: Identity, hints: Hints) -> list[tuple[str, tuple[Evidence, ...], int, int]]:
    """Names that may tell: what each is, and how sure it is alone and with the label's word."""
    named = []
    if found.best is not None:
        sure = found.weight.confidence
        named.append((found.best.record.name, tuple(record_says(found.best)), sure, min(98, sure + 2)))
    if hints.name:
        named.append((hints.name, (typed_says(hints.name, "name"),), TYPED, TYPED_AND_SHOWN))
    return named


def _printed(lines: Sequence[TextLine]) -> list[tuple[Measure, int, TextLine]]:
    """Sizes on the label, each once, the likeliest first: those called net content, then the tallest. A line of what is
    there to be read (nutrition per 100 g) tells none."""
    seen = []
    for line in lines:
        if _PER.search(line.text):
            continue
        for size in measures.measures(line.text):
            is_net = _is_net(line.text, size)
            if size.dimension in ON_LABELS and (is_net or (may_name(line) and not _is_of_a_table(size))):
                seen.append((size, NET if is_net else PRINTED, line))
    seen.sort(key=lambda entry: (-entry[1], entry[0].amount == TABLE, -min(entry[2].box.height, entry[2].box.width)))
    once: list[tuple[Measure, int, TextLine]] = []
    for entry in seen:
        if not any(measures.same(entry[0], other[0]) for other in once):
            once.append(entry)
    return once


def _is_net(text: str, size: Measure) -> bool:
    """Whether the label calls it the net content just before it: `Poids net : 450 g`, not `Net carbs 3 g`."""
    before = words(text.partition(size.text)[0])[-NET_WORDS:]
    is_called_so = any(word == "net" or word.startswith(NET_CONTENT) for word in before)
    return is_called_so and not any(word.startswith(NOT_CONTENT) for word in words(text))


def _is_of_a_table(size: Measure) -> bool:
    """Fractions of a gram are what is in it, not how much of it there is."""
    return size.unit in ("g", "gr", "mg") and not size.text[: -len(size.unit)].strip().isdigit()


def _written(sizes: Sequence[Measure]) -> str:
    return ", ".join(size.text for size in sizes)
