"""Evidence in sentences: what a record, a line of the label or a person says for a value."""

from collections.abc import Sequence

from webapp.lib import gtin
from webapp.lib.text import cut
from webapp.phases.analysis import names
from webapp.phases.analysis.candidates import Candidate
from webapp.phases.analysis.words import Label, words
from webapp.phases.facts import Alternative, Evidence, Field, Record, TextLine
from webapp.phases.matching.judging import Match


def record_says(candidate: Candidate) -> list[Evidence]:
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
    where = _where(record)
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
    weight = 0.9 if number else 0.5
    return Evidence(kind=record.source, says=says, weight=weight, record_id=record.id, link=record.link)


def _where(record: Record) -> str:
    if record.source == "catalog":
        return "The catalog"
    return f"The reference catalog “{record.origin}”" if record.source == "reference" else _offer(record)


def _offer(record: Record) -> str:
    """`An offer on eBay, seen on 12 Nov 2026,`."""
    told = [f"on {cut(record.origin, 40)}"] if record.origin else []
    told += [f"seen on {record.seen_at:%d %b %Y}"] if record.seen_at else []
    return " ".join(("An offer", f"{', '.join(told)},")) if told else "An offer"


def _details(record: Record) -> str:
    return names.listed(parts) if (parts := [part for part in (record.brand, record.model, record.sku) if part]) else ""


def label_shows(label: Label, name: str) -> list[Evidence]:
    """The line of the label that shows most of a name, with how much of it stands there in all; nothing without."""
    line, share = label.line_with(name), label.share(name) or float(bool(words(name) and label.has(words(name)[0])))
    if line is None or share <= 0:
        return []
    return [line_says(line, round(share, 2))]


def line_says(line: TextLine, weight: float) -> Evidence:
    """A line of the label, with its place on the photo."""
    return Evidence(
        kind="text", says=f"The label says “{line.text}”.", weight=weight, photo_id=line.photo_id, box=line.box
    )


def typed_says(text: str, what: str, match: Match | None = None) -> Evidence:
    """What was typed; with what the matcher says of it and the record, and how surely it is that."""
    judged = f" {match.why}." if match is not None and match.why else ""
    return Evidence(
        kind="hint",
        says=f"The uploader typed “{text}” as {what}.{judged}",
        weight=0.6 if match is None else round(match.score / 100, 2),
    )


def nothing(says: str, others: Sequence[Alternative] = ()) -> Field:
    """Looked for, and not found; `others`: what it might be all the same."""
    return Field(evidence=(Evidence(kind="rule", says=says),), alternatives=tuple(others)[:3])
