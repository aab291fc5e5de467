"""Which product it is: the path that the evidence takes, and the record at its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webapp.phases.analysis import weighing
from webapp.phases.analysis.candidates import Candidate, by_number, by_text
from webapp.phases.analysis.numbers import Number, numbers
from webapp.phases.analysis.weighing import Weight
from webapp.phases.analysis.words import Label
from webapp.phases.facts import Barcode, Hints, Reference, TextLine

MIN_TEXT_AGREEMENT = 0.65
"""Below this the words fit a record too loosely to name it: it is only offered as an alternative."""


@dataclass(frozen=True)
class Identity:
    """The answer of identification.

    `best`: the record it comes from, None without one. `number`: the GTIN that was read, or only suspected.
    `others`: further candidates, the best first.
    """

    best: Candidate | None
    number: Number | None
    weight: Weight
    others: tuple[Candidate, ...]
    numbers: tuple[Number, ...]
    label: Label


def identify(
    accepted: Sequence[Barcode],
    doubtful: Sequence[Barcode],
    printed: Mapping[str, TextLine],
    label: Label,
    hints: Hints,
    reference: Reference,
) -> Identity:
    """Takes the surest path there is: read number and record, suspected number and record, words and record, number
    or words alone."""
    read, suspected = numbers(accepted, doubtful, printed)
    number = read[0] if read else None
    everything = (*read, *suspected)
    for found in (by_number(read, label, hints, reference), by_number(suspected, label, hints, reference)):
        if found:
            best = found[0]
            led = best.number or read[0]
            weight = weighing.known_by_barcode(best, led, label, hints, _rivals(best, found))
            return Identity(best, led, weight, tuple(found[1:]), everything, label)
    fitting = [entry for entry in by_text(label, hints, reference) if _may_be(entry, number)]
    if fitting and fitting[0].agreement >= MIN_TEXT_AGREEMENT:
        lead = fitting[0].agreement - (fitting[1].agreement if len(fitting) > 1 else 0.0)
        weight = weighing.known_by_text(fitting[0], lead)
        return Identity(fitting[0], number, weight, tuple(fitting[1:]), everything, label)
    typed_on_label = label.share(hints.name) if hints.name else None
    if number is not None:
        weight = weighing.number_only(number, typed_on_label, hints)
    else:
        weight = weighing.words_only(typed_on_label, label)
    return Identity(None, number, weight, tuple(fitting), everything, label)


def _rivals(best: Candidate, found: Sequence[Candidate]) -> int:
    """Other products that other numbers on the same photos lead to."""
    return sum(
        1
        for entry in found
        if entry.number and best.number and entry.number.gtin14 != best.number.gtin14 and entry.number.is_sure
    )


def _may_be(candidate: Candidate, number: Number | None) -> bool:
    """A record with another GTIN than the one on the photo is another product, however alike the words."""
    if number is None or not number.is_sure or number.restricted or candidate.record.gtin14 is None:
        return True
    return candidate.record.gtin14 == number.gtin14
