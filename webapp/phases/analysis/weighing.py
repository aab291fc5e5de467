"""How sure the identification is, 0..100, by the path that led to it, and why a person is asked.

Cautious defaults of few constants: only a number that decoders agree on or that is printed in pieces, or a reference
photo that leads clearly, can pass 80; their levels were held against the photos of `bench-identify`. Each path has its
own function, so that a fitted calibrator can take its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.lib import gtin
from webapp.phases import measures
from webapp.phases.analysis import names
from webapp.phases.analysis.candidates import Candidate
from webapp.phases.analysis.numbers import Number
from webapp.phases.analysis.words import PIECE, Label, telling
from webapp.phases.facts import Hints, Record

READABLE_LABEL = 5
"""Telling words that must be read before their silence about a name counts against it."""
AGREES, PARTLY = 0.5, 0.25
"""Share of a name's words on the label from which they agree, and agree partly."""
CLEAR_LEAD, CLEAR_MARKS, CLEAR_CHANCE, LEAST_CHANCE = 0.1, 1.5, 0.65, 0.4
"""A reference photo names the product where its chance leads the next known product's by the first, and it has so many
times the other's marks in common with the photo, or the chance itself is high, or is tolerable (the last) while the
label has every word of the name, and of no other nearly as many. A sister of an unknown product leads as well, but
seldom in its marks (they share the brand's drawing with all the family) or in all its words."""
MANY = 20
"""Known products whose photos were looked at, from which it means something that no other one has a mark in common with
ours: among a handful nothing else resembles a sister of an unknown product, or a plain label in the same type, either.
Of shelf photos whose product was not known, 5 to 12 % would be taken for one of one to four others at random, 1 to 4 %
are."""
NAMED, NAMED_LEAD, NAMED_WORDS = 0.9, 0.2, 3
"""Share of a name's words on the label from which it stands there in full; by how much others stay behind; words that a
name needs for that to mean something."""
BELOW = 79
"""The most that goes to a person whatever speaks for it."""
SEVERAL, SHOWN = 65, 4
"""The most where the photos show several products' numbers; how many of those are written out."""
BEYOND_DOUBT = 97
"""Confidence of a number that three decoders, or two and the printed digits, agree on, without a rival."""


@dataclass(frozen=True)
class Weight:
    """Confidence 0..100 with the reasons that keep it from being higher, in plain words."""

    confidence: int
    reasons: tuple[str, ...] = ()


def known_by_barcode(
    candidate: Candidate,
    number: Number,
    label: Label,
    hints: Hints,
    against: Candidate | None = None,
) -> Weight:
    """A record carries the number that was read. `against`: another record that the label names in full."""
    # Of 316 codes that were read on open photos one was wrong, and that one no record had.
    confidence, reasons = (93 if number.confidence >= 95 else 90 if number.confidence >= 85 else 84), []
    if candidate.record.source != "catalog":
        confidence -= 4
    if candidate.on_label >= AGREES:
        confidence += 6
    elif candidate.on_label >= PARTLY:
        confidence += 3
    elif label.telling_words < READABLE_LABEL:
        confidence -= 4
    elif number.is_sure and against is None:
        # The back of a package often shows ingredients and no name, and a misread number would hardly be a known one.
        confidence = min(confidence, 93)
    else:
        confidence = min(confidence, 72)
        instead = f", but “{against.record.name}”" if against else ""
        reasons.append(f"The words on the label do not show “{candidate.record.name}”{instead}.")
    if candidate.is_contradicted:
        confidence = min(confidence, 70)
        reasons.append(_does_not_fit(candidate, hints))
    elif candidate.typed is not None and candidate.typed > 0.7:
        confidence += 2
    if not number.is_sure:
        confidence = min(confidence, 90 if candidate.on_label >= AGREES else 74)
        if candidate.on_label < AGREES:
            reasons.append(f"The barcode {gtin.written(number.gtin14)} was not read surely.")
    if number.restricted:
        confidence = min(confidence, 92 if candidate.on_label >= AGREES else 70)
        if candidate.on_label < AGREES:
            reasons.append(names.restricted(number.gtin14))
    return Weight(min(confidence, 98), tuple(reasons))


def among_others(weight: Weight, others: Sequence[Number]) -> Weight:
    """Numbers of other products were surely read on the photos as well: perhaps several items went into one upload."""
    told = [gtin.written(other.gtin14) for other in others]
    listed = names.listed(told) if len(told) <= SHOWN else f"{', '.join(told[:SHOWN])}, …"
    says = f"The photos also show the barcode {listed}: are they of more than one item?"
    if len(told) > 1:
        says = f"The photos show the barcodes of {len(told)} other products ({listed}): are they of more than one item?"
    return Weight(min(weight.confidence, SEVERAL), (says, *weight.reasons))


def same_photo(best: Candidate, hints: Hints) -> Weight:
    """The very same photo belongs to a product that a person settled, and no barcode says otherwise."""
    if best.is_contradicted:
        return Weight(70, (_does_not_fit(best, hints),))
    return Weight(92)


def known_by_text(best: Candidate, lead: float, hints: Hints) -> Weight:
    """A record fits the words, no barcode leads to it. `lead`: agreement beyond the next candidate's."""
    if best.is_contradicted:
        return Weight(45, (_does_not_fit(best, hints),))
    typed_exactly = best.typed is not None and best.typed >= 0.95
    typed_so = best.match is not None and best.match.same
    if (typed_exactly or best.model_typed or typed_so) and best.on_label >= AGREES and lead >= 0.1:
        return Weight(85)
    if best.digits >= PIECE and lead >= 0.1:
        return Weight(90 if best.on_label >= AGREES else 86)
    if best.digits and best.on_label >= NAMED and lead >= NAMED_LEAD:
        return Weight(84)
    confidence = 5 + 12 * min(1.0, best.agreement) + (25 if lead >= 0.2 else 8 if lead >= 0.1 else 0)
    reasons = ["No barcode was read that the catalog or the offers know; the product was matched by its words only."]
    if lead < 0.1:
        reasons.append("Several known products fit the words about equally well.")
    return Weight(min(74, round(confidence)), tuple(reasons))


def known_by_picture(
    best: Candidate,
    chance: float,
    lead: float,
    next_marks: int,
    others: Sequence[Candidate],
    by_words: Candidate | None,
    label: Label,
    hints: Hints,
) -> Weight:
    """A record's photo shows the same package. `lead`: its chance beyond that of the next record's photo; `next_marks`:
    the most marks that another record's photo has in common with ours; `others`: all others that photo or words speak
    for; `by_words`: the one that only the words speak for, and most."""
    name = best.record.name
    confidence, reasons = 76.0, []
    marks, among = (best.picture.marks, best.picture.among) if best.picture else (0, 0)
    leads_in_marks = marks >= CLEAR_MARKS * next_marks and (next_marks > 0 or among >= MANY)
    ahead_in_words = all(best.on_label - other.on_label >= NAMED_LEAD for other in others)
    if lead >= CLEAR_LEAD and chance >= LEAST_CHANCE and ahead_in_words and _stands_there(name, label):
        confidence = 95  # two witnesses that know nothing of each other
    elif lead >= CLEAR_LEAD and (chance >= CLEAR_CHANCE or leads_in_marks):
        confidence = 86 + 13 * min(chance, 0.9)
    elif lead < CLEAR_LEAD:
        reasons.append("Photos of several known products look like this one.")
    else:
        reasons.append(f"The photo of “{name}” shows a similar package, but not clearly the same.")
    if by_words is not None and by_words.agreement >= best.agreement + 0.4:
        confidence = min(confidence, 70)
        reasons.append(f"The photo looks like “{name}”, but the words fit “{by_words.record.name}”.")
    if best.is_contradicted:
        confidence = min(confidence, 60)
        reasons.append(_does_not_fit(best, hints))
    return Weight(round(confidence), tuple(reasons))


def _stands_there(name: str, label: Label) -> bool:
    """Whether the label has every telling word of a name, none misread, and no other size."""
    wanted = telling(name)
    sizes = [size for line in label.lines for size in measures.measures(line.text)]
    whole = len(wanted) >= NAMED_WORDS and label.words.issuperset(wanted)
    return whole and measures.conflict(measures.measures(name), sizes) is None


def _does_not_fit(entry: Candidate, hints: Hints) -> str:
    why = f" ({entry.match.why})" if entry.match is not None and entry.match.contradicts else ""
    return f"What was typed, “{hints.name}”, does not fit “{entry.record.name}”{why}."


def beside_another_number(weight: Weight, record: Record, number: Number | None) -> Weight:
    """A record that was found without its number, while another one was read, if not surely: a person looks."""
    other = number is not None and not number.restricted and record.gtin14 not in (None, number.gtin14)
    if not other or number is None or weight.confidence < BELOW:
        return weight
    says = f"The barcode {gtin.written(number.gtin14)}, which is another product's, was read as well, if not surely."
    return Weight(BELOW, (*weight.reasons, says))


def number_only(number: Number, name_on_label: float | None, hints: Hints) -> Weight:
    """A barcode was read that no record knows. `name_on_label`: share of the typed name's words on the label."""
    digits = gtin.written(number.gtin14)
    unknown = f"No product in the catalogs and no offer has the barcode {digits}."
    if not number.is_sure:
        return Weight(35, (unknown, f"The barcode {digits} was not read surely."))
    if number.restricted:
        return Weight(40, (unknown, names.restricted(number.gtin14)))
    if name_on_label is None:
        return Weight(50, (unknown, "The name is taken from the label."))
    if name_on_label >= AGREES and number.confidence >= 95:
        return Weight(82)
    return Weight(68, (unknown, f"The label does not confirm the typed name “{hints.name}”."))


def words_only(name_on_label: float | None, label: Label) -> Weight:
    """Neither a barcode nor a record: what was typed, or what stands on the label."""
    unread = "No barcode could be read, and no known product fits the words."
    if name_on_label is not None:
        return Weight(62 if name_on_label >= AGREES else 50, (unread, "The name is what the uploader typed."))
    if label.telling_words:
        return Weight(4, (unread, "The name is a guess from the largest words on the label."))
    return Weight(0, ("Nothing was found on the photos: no barcode and no text that could be read.",))
