"""What a name says about which product it is: its words, model numbers, sizes, pack, generation, colour."""

import re
from functools import cached_property

from webapp.lib import gtin
from webapp.lib.text import SMALL_WORDS, code, cut, fold, is_code, word_set, words
from webapp.phases import measures
from webapp.phases.matching.entry import Entry
from webapp.phases.vocabulary import COLOURS, SELLERS_NOISE

STOP_WORDS = SMALL_WORDS | SELLERS_NOISE
_VARIANTS = word_set(
    """pro max mini plus lite light ultra air se xl xxl junior kids deluxe premium classic refill travel zero diet
    upgrade academic education student teacher professional standard home basic enterprise business starter essentials
    small medium large"""
)
_MEASURE_WORD = re.compile(
    r"\d+(?:[.,]\d+)?(?:ml|cl|dl|l|mg|g|kg|oz|lb|lbs|mm|cm|m|in|inch|ft|mb|gb|tb|w|kw|v|mah|ah|hz|khz|mhz|ghz|pcs|pc"
    r"|ct|pack|pk|x|er|k|p|i|fps|mp|dpi|rpm|bit|ch|way|port|piece|st|nd|rd|th|mbps|gbps|btu|db|va|a|s|h|d)\+?"
)
_NOT_A_MODEL = re.compile(
    r"\d+-[a-z]{3,}|\d+-\d+[a-z]{0,3}|\d+(?:st|nd|rd|th)-\w+|mpe?g?\d|win\d+|usb\d|\d+x\d+|mp3|mp4|802\.?11\w*|h\.?26\d"
)
_YEAR = re.compile(r"(?:19|20)\d\d")


NAME_LIMIT = 300
SHORT_LIMIT = 80
"""Longer names and brands are descriptions; what tells products apart stands in front."""


class Profile:
    """What one name, with its brand and model, says about which product it is. Computed once, compared often."""

    def __init__(self, name: str, brand: str | None, model: str | None, gtin14: str | None = None) -> None:
        self.name = cut(name, NAME_LIMIT)
        self.brand = fold(cut(brand or "", SHORT_LIMIT))
        self.model = cut(model or "", SHORT_LIMIT)
        self.gtin14 = _world_wide(gtin14)
        self.text = " ".join(part for part in (cut(brand or "", SHORT_LIMIT), self.name, self.model) if part)
        self.tokens = words(self.name)
        self.words = tuple(dict.fromkeys(word for word in words(measures.without(self.text)) if word not in STOP_WORDS))

    @cached_property
    def model_code(self) -> str:
        """The model number as it is compared, '' when there is none or it is a mere word."""
        return code(self.model) if is_code(self.model) else ""

    @cached_property
    def codes(self) -> frozenset[str]:
        """Everything in the name that looks like a model number, with the model itself."""
        found = {code(token) for token in self.tokens if _looks_like_model(token)}
        return frozenset(found | {self.model_code} - {""})

    @cached_property
    def spans(self) -> frozenset[str]:
        """One to four neighbouring words written as one, so that `WH 1000 XM4` is found in `WH-1000XM4`."""
        bare = [code(token) for token in self.tokens]
        joined = {"".join(bare[i:j]) for i in range(len(bare)) for j in range(i + 1, min(i + 5, len(bare) + 1))}
        return frozenset(joined | ({code(self.model)} if self.model else set()))

    @cached_property
    def squeezed(self) -> str:
        """All words without gaps: finds `akkubohrschrauber` in `Akku-Bohrschrauber`."""
        return "".join(code(word) for word in words(self.text))

    @cached_property
    def measures(self) -> tuple[measures.Measure, ...]:
        """The sizes in the name."""
        return measures.measures(self.text)

    @cached_property
    def pack(self) -> int | None:
        """How many are sold together, where the name says so."""
        return measures.pack_size(self.name)

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Bare small numbers: generations, volumes, sizes (`iPhone 13`, `Vol 2`), and their letter forms (`s21`)."""
        sized = {number for measure in self.measures for number in re.findall(r"\d+", measure.text)}
        if self.pack:
            sized.add(str(self.pack))
        found = {token.rstrip("+") for token in self.tokens if re.fullmatch(r"[a-z]{0,2}\d{1,3}\+?", token)}
        return frozenset(found - sized)

    @cached_property
    def variants(self) -> frozenset[str]:
        """Words that name another member of the family: pro, mini, plus."""
        return _VARIANTS.intersection(self.tokens) | {"plus" for token in self.tokens if token.endswith("+")}

    @cached_property
    def colours(self) -> frozenset[str]:
        """The colours that the name gives."""
        return frozenset(COLOURS[token] for token in self.tokens if token in COLOURS)


def of_entry(entry: Entry) -> Profile:
    """The profile of a product, ours or another's."""
    return Profile(entry.title, entry.brand, entry.model, entry.gtin14)


def _looks_like_model(token: str) -> bool:
    bare = code(token)
    if len(bare) < 4 or _MEASURE_WORD.fullmatch(token) or _NOT_A_MODEL.fullmatch(token):
        return False
    if bare.isdigit():
        return len(bare) not in (8, 12, 13, 14) and not _YEAR.fullmatch(bare) and token == bare
    return any(char.isdigit() for char in bare) and any(char.isalpha() for char in bare)


def _world_wide(gtin14: str | None) -> str | None:
    """A shop's own number (in-store, coupon) says nothing about a product elsewhere."""
    known = gtin.try_normalise(gtin14) if gtin14 else None
    return known if known and not gtin.is_restricted(known) else None
