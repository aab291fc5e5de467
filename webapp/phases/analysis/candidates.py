"""Records of the client's catalogs and offers that may be the product on the photos."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from webapp.phases.analysis.gallery import Resemblance
from webapp.phases.analysis.numbers import Number
from webapp.phases.analysis.words import Label, covered, letter_height, similarity, telling, words
from webapp.phases.facts import Hints, Record, Reference
from webapp.phases.matching.entry import Entry
from webapp.phases.matching.judging import Match
from webapp.phases.matching.matchers import Matcher

SEARCH_LIMIT = 20
MOST_QUERIES = 16
MIN_AGREEMENT = 0.34
DENIED = 0.2
"""Share of the typed words that must fit a record, else what was typed speaks against it."""


@dataclass(frozen=True)
class Candidate:
    """A record with what speaks for it.

    `number`: the GTIN that led to it, None when text did. `on_label`: share of its name's words that stand on the
    label, 0..1. `typed`: likeness to the name that the uploader typed, 0..1, None when none was. `model_seen`: its
    model or SKU stands on the label, `model_typed`: it was typed. `denied`: nothing of what was typed fits it.
    `match`: what the matcher says of it and what was typed, None when no name was. `same_photo`: the very same photo
    led to it. `digits`: how many digits in a row of its GTIN are printed on the label, 0 below LEAST_DIGITS.
    `picture`: its reference photo, where that shows the same package. `taken_by`: the language model that took it
    among several that fit about equally well.
    """

    record: Record
    number: Number | None
    on_label: float
    typed: float | None
    model_seen: bool
    model_typed: bool
    denied: bool
    match: Match | None = None
    same_photo: bool = False
    digits: int = 0
    picture: Resemblance | None = None
    taken_by: str = ""

    @property
    def is_contradicted(self) -> bool:
        """Whether what was typed says that it is another product."""
        return self.denied or (self.match is not None and self.match.contradicts)

    @property
    def agreement(self) -> float:
        """One measure to order candidates by, 0..2."""
        text = self.on_label if self.typed is None else 0.5 * self.on_label + 0.5 * self.typed
        code = 0.3 if self.model_seen or self.model_typed else 0.0
        return text + code + (0.2 if self.number else 0.0) + 0.05 * self.digits


def by_number(
    numbers: Iterable[Number], label: Label, hints: Hints, reference: Reference, matcher: Matcher
) -> list[Candidate]:
    """Records that carry one of the numbers, the best first. In-store numbers count in the client's catalogs only."""
    records = [
        (record, number)
        for number in numbers
        for record in reference.by_gtin(number.gtin14)
        if record.source == "catalog" or not number.restricted
    ]
    found = candidates(records, label, hints, matcher)
    return sorted(found, key=lambda entry: (entry.record.source != "catalog", -entry.agreement, entry.record.id))


def by_text(label: Label, hints: Hints, reference: Reference, matcher: Matcher) -> list[Candidate]:
    """Records whose name fits the label or what was typed, or of whose number a piece is printed, the best first;
    those that what was typed contradicts come last."""
    records: dict[tuple[str, str], Record] = {}
    for query in _queries(label, hints, reference):
        for record in reference.search(query, SEARCH_LIMIT):
            records.setdefault((record.source, record.id), record)
    for record in reference.by_digits(label.pieces) if label.pieces else ():
        records.setdefault((record.source, record.id), record)
    found = candidates([(record, None) for record in records.values()], label, hints, matcher)
    fitting = [entry for entry in found if entry.agreement >= MIN_AGREEMENT]
    return sorted(
        fitting,
        key=lambda entry: (
            entry.is_contradicted,
            -round(entry.agreement, 1),
            -len("".join(telling(entry.record.name))) * entry.on_label,  # a name of one word is soon there in full
            -entry.agreement,
            entry.record.source != "catalog",
            entry.record.id,
        ),
    )


def lead(found: Sequence[Candidate]) -> float:
    """The best one's agreement beyond that of the next one that may be it; 0 without a best one."""
    others = [entry.agreement for entry in found[1:] if found[0].is_contradicted or not entry.is_contradicted]
    return found[0].agreement - max(others, default=0.0) if found else 0.0


def brand_on_label(label: Label, brands: Sequence[str]) -> list[str]:
    """Known brands that stand on the label, the most prominent first."""
    found = []
    for brand in brands:
        wanted = words(brand)
        if not wanted or not all(label.has(word) for word in wanted) or len("".join(wanted)) < 2:
            continue
        heights = [letter_height(line) for line in label.lines if any(Label([line]).has(word) for word in wanted)]
        found.append((max(heights, default=0.0), len("".join(wanted)), brand))
    return [brand for _, _, brand in sorted(found, key=lambda entry: (-entry[0], -entry[1], entry[2]))]


def candidates(
    records: Sequence[tuple[Record, Number | None]], label: Label, hints: Hints, matcher: Matcher
) -> list[Candidate]:
    """Records, each with the number that led to it, with what speaks for them on this label and in what was typed."""
    if not hints.name:
        return [_candidate(record, number, None, label, hints) for record, number in records]
    typed = Entry(id="", title=hints.name, model=hints.model or "")
    matches = matcher.judge(typed, [_entry(record) for record, _ in records])
    return [
        _candidate(record, number, match, label, hints)
        for (record, number), match in zip(records, matches, strict=True)
    ]


def _candidate(record: Record, number: Number | None, match: Match | None, label: Label, hints: Hints) -> Candidate:
    typed_words = words(f"{hints.name or ''} {hints.model or ''}")
    model_typed = _has_code(record, frozenset(typed_words))
    everything = " ".join(filter(None, (record.name, record.brand, record.model, record.category)))
    return Candidate(
        record=record,
        number=number,
        on_label=label.share(record.name),
        typed=similarity(hints.name, record.name) if hints.name else None,
        model_seen=_has_code(record, label.words),
        model_typed=model_typed,
        denied=bool(hints.name) and not model_typed and covered(hints.name or "", everything) < DENIED,
        match=match,
        digits=label.digits_of(record.gtin14) if record.gtin14 else 0,
    )


def _entry(record: Record) -> Entry:
    return Entry(
        id=record.id,
        title=record.name,
        brand=record.brand or "",
        model=record.model or "",
        category=record.category or "",
        price=None if record.price is None else float(record.price),
        gtin14=record.gtin14,
    )


def _has_code(record: Record, among: frozenset[str]) -> bool:
    """Whether the record's model or SKU (more than three signs) is among some words."""
    codes = [words(code) for code in (record.model, record.sku) if code]
    return any(len("".join(code)) > 3 and among.issuperset(code) for code in codes)


def _queries(label: Label, hints: Hints, reference: Reference) -> list[str]:
    """What to search for, without repetitions: what was typed, the headline, the brand with it, its lines, and what
    else stands on the label, the tallest first."""
    headline = [line.text for line in label.prominent(4)]
    joined = " ".join(headline)
    brands = brand_on_label(label, reference.brands())[:1]
    queries = [f"{hints.name or ''} {hints.model or ''}".strip(), joined]
    queries += [f"{brand} {joined}" for brand in brands]
    queries += [text for text in headline if len(telling(text)) > 0]
    queries += [line.text for line in sorted(label.lines, key=lambda line: -letter_height(line)) if telling(line.text)]
    return [query for query in dict.fromkeys(queries) if query][:MOST_QUERIES]
