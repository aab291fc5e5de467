"""Which product it is: the path that the evidence takes, and the record at its end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from webapp.phases.analysis import ties, weighing
from webapp.phases.analysis.candidates import Candidate, by_number, by_text, candidates, lead
from webapp.phases.analysis.gallery import Resemblance
from webapp.phases.analysis.numbers import Number, numbers, other_products
from webapp.phases.analysis.weighing import Weight
from webapp.phases.analysis.words import PIECE, Label, telling
from webapp.phases.facts import Barcode, Hints, Path, Record, Reference, TextLine
from webapp.phases.matching.matchers import Matcher, Rules

Look = Callable[[Sequence[Record]], Sequence[Resemblance]]
"""Lays the photos beside the reference photos of these records, and of others: what resembles, the likeliest first."""

MIN_TEXT_AGREEMENT = 0.65
"""Below this the words fit a record too loosely to name it: it is only offered as an alternative."""


RULES = Rules()
MIN_CHANCE = 0.2
"""Below this a reference photo does not name the product."""


def _nowhere(_records: Sequence[Record]) -> Sequence[Resemblance]:
    return ()


@dataclass(frozen=True)
class Identity:
    """The answer of identification.

    `path`: the way that the evidence took. `best`: the record it comes from, None without one. `number`: the GTIN
    that was read, or only suspected. `others`: further candidates, the best first. `lead`: the best one's agreement
    beyond the next candidate's. `rivals`: how many other products' numbers were surely read on the photos.
    """

    path: Path
    best: Candidate | None
    number: Number | None
    weight: Weight
    others: tuple[Candidate, ...]
    numbers: tuple[Number, ...]
    label: Label
    lead: float = 0.0
    rivals: int = 0


def identify(
    accepted: Sequence[Barcode],
    doubtful: Sequence[Barcode],
    printed: Mapping[str, TextLine],
    label: Label,
    hints: Hints,
    reference: Reference,
    look: Look = _nowhere,
    choose: ties.Choose = ties.nobody,
    matcher: Matcher = RULES,
) -> Identity:
    """Takes the surest path there is: read number and record, the same photo, suspected number and record, reference
    photo and record, words and record, number or words alone. `choose`: who breaks ties among the words' records;
    `matcher`: who judges which records are what was typed."""
    read, suspected = numbers(accepted, doubtful, printed)
    found = _identified(read, suspected, label, hints, reference, look, choose, matcher)
    others = other_products(read, found.number)
    return replace(found, weight=weighing.among_others(found.weight, others), rivals=len(others)) if others else found


def _identified(
    read: Sequence[Number],
    suspected: Sequence[Number],
    label: Label,
    hints: Hints,
    reference: Reference,
    look: Look,
    choose: ties.Choose,
    matcher: Matcher,
) -> Identity:
    number = read[0] if read else None
    everything = (*read, *suspected)
    by_read = by_number(read, label, hints, reference, matcher)
    same = _same_photo(hints, number)
    if not by_read and same is not None:
        [photographed] = candidates([(same, None)], label, hints, matcher)
        best = replace(photographed, same_photo=True)
        return Identity(Path.SAME_PHOTO, best, number, weighing.same_photo(best, hints), (), everything, label)
    for path, found in (
        (Path.BARCODE_RECORD, by_read),
        (Path.SUSPECTED_RECORD, by_read or by_number(suspected, label, hints, reference, matcher)),
    ):
        if found:
            best = found[0]
            led = best.number or read[0]
            against = None
            if best.on_label < weighing.PARTLY and led.confidence < weighing.BEYOND_DOUBT:
                against = _named_instead(by_text(label, Hints(), reference, matcher), led)
            weight = weighing.known_by_barcode(best, led, label, hints, against)
            return Identity(path, best, led, weight, tuple(found[1:]), everything, label, lead(found))
    fitting = [entry for entry in by_text(label, hints, reference, matcher) if _may_be(entry, number)]
    views = look([entry.record for entry in fitting])
    seen = [view for view in views if view.chance >= MIN_CHANCE]
    alike = candidates([(view.record, None) for view in seen], label, hints, matcher)
    pictured = [replace(entry, picture=view) for entry, view in zip(alike, seen, strict=True)]
    pictured = [entry for entry in pictured if _may_be(entry, number)]
    if pictured and not (fitting and fitting[0].digits >= PIECE):
        return _by_picture(pictured, views, fitting, number, everything, label, hints)
    ahead = lead(fitting)
    if fitting and fitting[0].agreement >= MIN_TEXT_AGREEMENT:
        fitting = ties.untied(fitting, ahead, choose)
        weight = weighing.known_by_text(fitting[0], ahead, hints)
        weight = weighing.beside_another_number(weight, fitting[0].record, number)
        return Identity(Path.WORDS_RECORD, fitting[0], number, weight, tuple(fitting[1:]), everything, label, ahead)
    typed_on_label = label.share(hints.name) if hints.name else None
    if number is not None:
        path, weight = Path.BARCODE_ONLY, weighing.number_only(number, typed_on_label, hints)
    else:
        path, weight = _without_number(hints, label), weighing.words_only(typed_on_label, label)
    return Identity(path, None, number, weight, tuple(fitting), everything, label, ahead)


def _by_picture(
    pictured: Sequence[Candidate],
    views: Sequence[Resemblance],
    fitting: Sequence[Candidate],
    number: Number | None,
    numbers: tuple[Number, ...],
    label: Label,
    hints: Hints,
) -> Identity:
    best = pictured[0]
    ahead = _chance(best) - (_chance(pictured[1]) if len(pictured) > 1 else 0.0)
    shown = {(entry.record.source, entry.record.id) for entry in pictured}
    others = [entry for entry in fitting if (entry.record.source, entry.record.id) not in shown]
    next_marks = max((view.marks for view in views if view.record != best.record), default=0)
    rest = (*pictured[1:], *others)
    by_words = others[0] if others else None
    weight = weighing.known_by_picture(best, _chance(best), ahead, next_marks, rest, by_words, label, hints)
    weight = weighing.beside_another_number(weight, best.record, number)
    return Identity(Path.PICTURE_RECORD, best, number, weight, rest, numbers, label, ahead)


def _chance(entry: Candidate) -> float:
    return entry.picture.chance if entry.picture else 0.0


def _same_photo(hints: Hints, number: Number | None) -> Record | None:
    """The one product that the same photo belongs to; None where a barcode says otherwise, or several have it."""
    found = {(record.name, record.gtin14): record for record in hints.same_photo}
    if len(found) != 1:
        return None
    record = next(iter(found.values()))
    denied = number is not None and number.is_sure and record.gtin14 not in (None, number.gtin14)
    return None if denied else record


def _without_number(hints: Hints, label: Label) -> Path:
    if hints.name:
        return Path.TYPED_NAME
    return Path.LABEL_ONLY if label.telling_words else Path.NOTHING


def _named_instead(fitting: Sequence[Candidate], number: Number) -> Candidate | None:
    """A record of another number that the label names in full; common words of one or two do not count."""
    for entry in fitting:
        named = entry.on_label >= weighing.NAMED and len(telling(entry.record.name)) >= weighing.NAMED_WORDS
        if named and entry.record.gtin14 not in (None, number.gtin14):
            return entry
    return None


def _may_be(candidate: Candidate, number: Number | None) -> bool:
    """A record with another GTIN than the one on the photo is another product, however alike the words."""
    if number is None or not number.is_sure or number.restricted or candidate.record.gtin14 is None:
        return True
    return candidate.record.gtin14 == number.gtin14
