"""From the codes on all photos of a product to its GTIN, with what speaks for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from webapp.lib import gtin
from webapp.phases.analysis import names
from webapp.phases.facts import Alternative, Barcode, Evidence, TextLine

WORTH_TELLING = 40
"""Confidence from which a number that was not chosen is shown as an alternative."""
PRINT = "print"
"""Name of the witness `digits printed under the bars` among the decoders."""


@dataclass(frozen=True)
class Number:
    """One GTIN that was found. `confidence` 0..100 is about the number only, not about what it belongs to."""

    gtin14: str
    confidence: int
    evidence: tuple[Evidence, ...]
    restricted: bool
    codes: tuple[Barcode, ...] = ()
    printed: bool = False
    """Whether its digits stand on the label without bars."""

    @property
    def is_sure(self) -> bool:
        """Whether the number may be relied on by itself."""
        return self.confidence >= 80


def with_print(
    accepted: Sequence[Barcode], doubtful: Sequence[Barcode], printed: Mapping[str, TextLine]
) -> tuple[list[Barcode], list[Barcode]]:
    """The codes after the printed digits were heard: a doubtful code whose digits stand there in print is believed."""
    believed = [_heard(code, printed) for code in accepted]
    open_ones: list[Barcode] = []
    for code in doubtful:
        heard = _heard(code, printed)
        taken = any(code.gtin14 == other.gtin14 for other in accepted)
        (believed if heard is not code and not taken else open_ones).append(heard)
    return believed, open_ones


def _heard(code: Barcode, printed: Mapping[str, TextLine]) -> Barcode:
    if code.gtin14 is None or code.gtin14 not in printed:
        return code
    return msgspec.structs.replace(code, decoders=(*code.decoders, PRINT))


def numbers(
    accepted: Sequence[Barcode], doubtful: Sequence[Barcode], printed: Mapping[str, TextLine]
) -> tuple[list[Number], list[Number]]:
    """GTINs that were read, the surest first; and those only suspected: doubtful codes, and digits without bars."""
    read: dict[str, list[Barcode]] = {}
    for code in accepted:
        if code.gtin14:
            read.setdefault(code.gtin14, []).append(code)
    suspected: dict[str, Number] = {}
    for code in doubtful:
        if code.gtin14 and code.gtin14 not in read:
            confidence = WORTH_TELLING if code.votes > 1 else 20
            suspected.setdefault(code.gtin14, _suspected(code.gtin14, [_seen(code)], confidence, code))
    for code in accepted:
        if number := _plain(code):
            says = f"{code.format_name} holds {code.text}, which may be a product's number."
            seen = Evidence(kind="barcode", says=says, weight=0.4, photo_id=code.photo_id, box=code.box)
            if number not in read:
                suspected.setdefault(number, _suspected(number, [seen], 45, code))
    for number, line in printed.items():
        if number not in read:
            says = f"The digits {gtin.written(number)} are printed on the label, but no bars could be read with them."
            suspected.setdefault(number, _suspected(number, [_at(line, says)], 45, printed=True))
    found = [
        Number(
            gtin14=number,
            confidence=_confidence(codes),
            evidence=(*map(_seen, codes), *_printed(number, codes, printed)),
            restricted=gtin.is_restricted(number),
            codes=tuple(codes),
        )
        for number, codes in read.items()
    ]
    found.sort(key=lambda entry: (entry.restricted, -entry.confidence, -_votes(entry), entry.gtin14))
    return found, list(suspected.values())


def other_products(read: Sequence[Number], chosen: Number | None) -> list[Number]:
    """Numbers that were surely read and are not the chosen one's (without one: the first's) product: neither that, nor
    a case of it, which has its digits in its own number, nor a shop's own label."""
    trusted = [number for number in read if number.is_sure and not number.restricted]
    ours = chosen if chosen and not chosen.restricted else trusted[0] if trusted else None
    found = {_item(number): number for number in trusted if ours is not None and _item(number) != _item(ours)}
    return list(found.values())


def _item(number: Number) -> str:
    """A GTIN-14 without its packaging level (first digit) and check digit, by which a case is known as its item's."""
    return number.gtin14[1:13]


def alternatives(numbers: Sequence[Number], chosen: Number | None) -> tuple[Alternative, ...]:
    """Up to three other numbers, as they stand under the bars."""
    told = [number for number in numbers if number.confidence >= WORTH_TELLING]
    others = [number for number in told if chosen is None or number.gtin14 != chosen.gtin14]
    return tuple(Alternative(value=number.gtin14, confidence=min(number.confidence, 50)) for number in others[:3])


def _plain(code: Barcode) -> str | None:
    """The number that a code for anything (Code 128, QR) holds as mere digits; its check digit fits one in ten by
    chance, so that it is only suspected."""
    digits = code.text.strip()
    if code.gtin14 or code.format not in ("CODE128", "QR", "DATAMATRIX") or len(digits) not in (12, 13, 14):
        return None
    return gtin.try_normalise(digits)


def _votes(number: Number) -> int:
    return sum(code.votes for code in number.codes)


def _suspected(
    number: str, evidence: list[Evidence], confidence: int, *codes: Barcode, printed: bool = False
) -> Number:
    return Number(number, confidence, tuple(evidence), gtin.is_restricted(number), codes, printed)


def _printed(number: str, codes: Sequence[Barcode], printed: Mapping[str, TextLine]) -> list[Evidence]:
    if not any(PRINT in code.decoders for code in codes):
        return []
    return [_at(printed[number], f"The digits {gtin.written(number)} are printed on the label.")]


def _at(line: TextLine, says: str) -> Evidence:
    return Evidence(kind="text", says=says, weight=0.4, photo_id=line.photo_id, box=line.box)


def _confidence(codes: Sequence[Barcode]) -> int:
    """97 where two decoders agree and nothing speaks against it, more with more witnesses, less with a rival."""
    witnesses = {decoder for code in codes for decoder in code.decoders}
    photos = {code.photo_id for code in codes}
    agree = len(witnesses) > 1 or any(code.format in ("QR", "DATAMATRIX") for code in codes)
    confidence = 95 if agree else 82
    confidence += 2 * min(2, max(0, len(witnesses) - 2)) + (1 if len(photos) > 1 else 0)
    if any(code.runner_up for code in codes):
        confidence -= 8
    return min(99, confidence)


def _seen(code: Barcode) -> Evidence:
    by = [decoder for decoder in code.decoders if decoder != PRINT]
    number = gtin.written(code.gtin14) if code.gtin14 else code.text
    says = f"{code.format_name} {number} was read {names.times(code.votes)} by {names.decoders(by)}"
    says += "; the printed digits say the same." if PRINT in code.decoders else "."
    if code.add_on:
        says += f" Beside it stands the add-on {code.add_on}, which is no part of the number."
    if code.runner_up:
        says += f" Another number was read {names.times(code.runner_up)} at the same place."
    if code.restricted and code.gtin14:
        says += f" {names.restricted(code.gtin14)}"
    weight = min(1.0, 0.3 * len(code.decoders) + 0.05 * min(code.votes, 8))
    return Evidence(kind="barcode", says=says, weight=round(weight, 2), photo_id=code.photo_id, box=code.box)
