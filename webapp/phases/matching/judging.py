"""Whether an offer is for the same product: rules over barcode, brand, model number, sizes and words of the name.

A barcode in common decides at once. A different model number, size, pack or generation rules an offer out however
alike the words are. What is left is scored by the words that both names share.
"""

import re
from collections.abc import Set
from dataclasses import dataclass

from rapidfuzz import fuzz

from webapp.lib.text import code, cut, fold, stem, word_set, words
from webapp.phases import measures
from webapp.phases.matching.profile import STOP_WORDS, Profile

SAME = 80
"""An offer with at least this match counts as the same product. Measured on the labelled pairs by which these rules
were chosen, so not held out: of the pairs accepted at 80, 90 % are right on Abt-Buy and 84 % on Walmart-Amazon, and
they are 79 % and 75 % of all right pairs. Those pairs were chosen to be hard; most of the wrong ones differ in colour
only."""

EXACT = 100
"""The match of a barcode in common."""
_SUREST_WITHOUT_BARCODE = 97
_SUREST_BY_NAME = 88
_FOR = word_set("for fits fit compatible passend für fur pour para per replacement ersatz replaces suitable kompatibel")
_ACCESSORIES = word_set(
    """strap wristband watchband armband sleeve pouch skin decal charger ladegerat ladekabel netzteil manual protector
    earpad pad cushion hulle tasche schutzhulle coque housse custodia funda hinge knob lid replacement
    ersatzteil displayschutz cover bumper faceplate"""
)
_WITH = word_set("with mit inkl incl including includes and und plus avec con met w bundle set kit")
_PART_ONLY = re.compile(
    r"\b(?:box only|empty box|nur (?:ovp|karton)|leerkarton|manual only|no (?:device|console|phone)|case only"
    r"|lid only|remote only|charger only|instructions only|parts only|label only)\b"
)


@dataclass(frozen=True)
class Match:
    """How surely an offer is the same product (0..100), and why, in words that finish "…: "."""

    score: int
    why: str
    ruled_out: bool = False
    """It cannot be the same product: another barcode, model number, size, pack, version, or an accessory."""
    contradicts: bool = False
    """Ruled out since both say something, and not the same; not since one of them says less."""

    @property
    def same(self) -> bool:
        """Whether the offer counts as the same product."""
        return self.score >= SAME


def compare(ours: Profile, theirs: Profile) -> Match:
    """How surely the two are the same product."""
    if ours.gtin14 and ours.gtin14 == theirs.gtin14:
        return Match(EXACT, "Same barcode")
    likeness = _likeness(ours, theirs)
    model_agrees = _model_agrees(ours, theirs)
    contradiction = _contradiction(ours, theirs, model_agrees=model_agrees)
    if reason := contradiction or _another_thing(ours, theirs, model_agrees=model_agrees):
        return Match(min(likeness // 2, SAME - 1), reason, ruled_out=True, contradicts=bool(contradiction))
    brand_agrees = bool(ours.brand) and (_same_brand(ours.brand, theirs.brand) or _has_brand(theirs, ours.brand))
    if model_agrees:
        return _by_model(ours, theirs, likeness, brand_agrees=brand_agrees)
    return _by_name(ours, theirs, likeness, brand_agrees=brand_agrees)


def _by_model(ours: Profile, theirs: Profile, likeness: int, *, brand_agrees: bool) -> Match:
    score = min(72 + likeness // 4 + (5 if brand_agrees else 0), _SUREST_WITHOUT_BARCODE)
    known = max((len(found) for found in ours.codes & theirs.spans), default=len(ours.model_code))
    if known < 5 and not brand_agrees:
        score = min(score, SAME - 4 + likeness // 10)
    if ours.gtin14 and theirs.gtin14:
        return Match(min(score, 80), "Same model number, other barcode (another region or colour)")
    return Match(score, "Same brand and model number" if brand_agrees else "Same model number")


def _by_name(ours: Profile, theirs: Profile, likeness: int, *, brand_agrees: bool) -> Match:
    score = min(likeness, _SUREST_BY_NAME)
    if ours.colours and theirs.colours and not ours.colours & theirs.colours:
        score = max(score - 10, 0)
    telling = [word for word in ours.words if len(word) > 2 and word not in ours.brand.split()]
    if ours.brand and not brand_agrees:
        return Match(min(score, SAME - 5), "Resembles it, brand not named")
    if len(telling) < (2 if ours.brand else 3):
        return Match(min(score, SAME - 10), "Resembles it, but our name is too short to tell")
    if lost := ours.numbers - theirs.numbers:
        return Match(max(min(score - 8, SAME - 1), 0), f"Similar name, but {min(lost)} is not in it")
    if ours.model_code:
        # `iPhone 12 128 GB`, with every word found, tells as much as its model number; `gaming mouse` does not.
        sized = bool(ours.numbers) or measures.agree(ours.measures, theirs.measures)
        tells = sized and _found(ours, theirs) > 0.9
        return Match(min(score, SAME + 4 if tells else SAME - 1), f"Similar name; {cut(ours.model, 40)} is not in it")
    return Match(score, "Same brand and similar name" if brand_agrees else "Similar name")


def _contradiction(ours: Profile, theirs: Profile, *, model_agrees: bool) -> str:
    """What both say, and say differently, '' when there is nothing of the kind."""
    if ours.brand and theirs.brand and not _same_brand(ours.brand, theirs.brand) and not _has_brand(theirs, ours.brand):
        return f"Other brand: {cut(theirs.brand, 40)}"
    if not model_agrees:
        if ours.gtin14 and theirs.gtin14:
            return "Other barcode"
        if model := _comparable(ours.codes, theirs.codes):
            return f"Other model number: {cut(model, 40)}"
    if pair := measures.conflict(ours.measures, theirs.measures):
        return f"Other size: {cut(pair[1].text, 20)} instead of {cut(pair[0].text, 20)}"
    if ours.pack and theirs.pack and theirs.pack != ours.pack:
        return f"Sold as {theirs.pack} together, not {ours.pack}"
    mine, other = ours.numbers - theirs.numbers, theirs.numbers - ours.numbers
    if mine and other and not model_agrees:
        return f"Other number in its name: {min(other)} instead of {min(mine)}"
    return ""


def _another_thing(ours: Profile, theirs: Profile, *, model_agrees: bool) -> str:
    """Why the two are not the same product although nothing that both say differs: a part, a pack, a version."""
    if _is_accessory(ours, theirs):
        return "Looks like a part or accessory for it"
    if theirs.pack and theirs.pack != (ours.pack or 1):
        return f"Sold as {theirs.pack} together"
    if model_agrees:
        return ""
    if ours.pack and ours.pack > 1 and theirs.pack is None:
        return f"Not said to be {ours.pack} together"
    brands = {part for brand in (ours.brand, theirs.brand) for part in words(brand)}
    if variant := (ours.variants ^ theirs.variants) - brands:
        return f"Another version: {min(variant)}"
    return ""


def _is_accessory(ours: Profile, theirs: Profile) -> bool:
    """An offer that names our product only to say what it fits, or a part of it that ours does not name. Something
    that comes *with* our product is no reason."""
    if (part := _PART_ONLY.search(fold(theirs.name))) and part.group() not in fold(ours.name):
        return True
    if _FOR & set(ours.tokens):
        return False
    named = {stem(token) for token in ours.tokens}
    for place, token in enumerate(theirs.tokens):
        if stem(token) in _ACCESSORIES - named and not _WITH & set(theirs.tokens[:place]):
            return True
    marks = set(ours.brand.split()[:1]) | ours.codes | ({code(ours.model)} if ours.model else set())
    marks.discard("")
    for index, token in enumerate(theirs.tokens):
        if token in _FOR:
            before = [word for word in theirs.tokens[:index] if word not in STOP_WORDS]
            if sum(word in ours.words for word in before) > len(before) / 2:
                return False  # "Samsung OPC drum for CLP-500" is our drum, "ear pads for …" are not our headphones
            ahead = theirs.tokens[index + 1 : index + 5]
            return bool(marks & {code(word) for word in ahead}) or any(
                code("".join(ahead[i:j])) in marks for i in range(len(ahead)) for j in range(i + 2, len(ahead) + 1)
            )
    return False


def _model_agrees(ours: Profile, theirs: Profile) -> bool:
    # Where our model is known, that one has to agree; the names may carry other codes (a shop's part number).
    mine = {ours.model_code} if ours.model_code else ours.codes
    other = ({theirs.model_code} - {""}) if ours.model_code else theirs.codes
    return _share_code(mine, theirs.spans) or _share_code(other, ours.spans)


def _share_code(codes: Set[str], spans: Set[str]) -> bool:
    return any(_same_code(known, span) for known in codes for span in spans)


def _comparable(mine: Set[str], theirs: Set[str]) -> str:
    """A code of theirs that is of the same make as one of ours: both mixed, or both numbers of one length.
    A number of five digits beside `wh1000xm4` is a shop's own and says nothing."""
    shapes = {len(code) if code.isdigit() else 0 for code in mine}
    return min((code for code in theirs if (len(code) if code.isdigit() else 0) in shapes), default="")


def _same_code(one: str, other: str) -> bool:
    """Equal, or one carries a short ending of letters (`wh1000xm4` and `wh1000xm4b`: colour or country)."""
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    ending = long[len(short) :]
    return len(short) >= 6 and long.startswith(short) and len(ending) <= 3 and ending.isalpha()


def _same_brand(one: str, other: str) -> bool:
    if not one or not other:
        return False
    a, b = code(one), code(other)
    return a == b or (min(len(a), len(b)) >= 3 and (a in b or b in a)) or fuzz.ratio(a, b) >= 85


def _has_brand(profile: Profile, brand: str) -> bool:
    return bool(bare := code(brand)) and (bare in profile.spans or (len(bare) >= 5 and bare in profile.squeezed))


def _likeness(ours: Profile, theirs: Profile) -> int:
    """Share of our words found in theirs (three quarters) and of theirs in ours (one quarter), 0..100."""
    if not ours.words or not theirs.words:
        return 0
    return round(75 * _found(ours, theirs) + 25 * _found(theirs, ours))


def _found(wanted: Profile, text: Profile) -> float:
    # A model number that agrees or contradicts is judged elsewhere; that it is not named should not count twice.
    asked = [word for word in wanted.words if code(word) != wanted.model_code or _in(word, text)]
    total = sum(_weight(word) for word in asked)
    hits = sum(_weight(word) for word in asked if _in(word, text))
    return hits / total if total else 0.0


def _in(word: str, text: Profile) -> bool:
    if word in text.words or code(word) in text.spans:
        return True
    if any(char.isdigit() for char in word) or len(word) < 5:
        return False
    return (len(word) >= 7 and word in text.squeezed) or any(
        abs(len(word) - len(other)) <= 2 and fuzz.ratio(word, other) >= 86 for other in text.words
    )


def _weight(word: str) -> float:
    """Longer words and those with digits tell products apart better."""
    return 1.5 if any(char.isdigit() for char in word) and len(word) > 2 else min(1.0, 0.25 + len(word) / 8)
