"""Sizes and quantities as product names write them: `500 ml`, `1,5 l`, `27"`, `pack of 6`, `6 x 330 ml`.

They tell products apart that share every other word, and they become item specifics.
"""

import re
from collections.abc import Sequence

from webapp.lib.text import clean
from webapp.phases.facts import Fact


class Measure(Fact, frozen=True, kw_only=True):
    """One size. `amount` is in the dimension's base unit: millilitres, grams, millimetres, gigabytes, watts, volts,
    milliampere hours or pieces. `unit` is the written unit in small letters, `text` the size as it was written."""

    dimension: str
    amount: float
    unit: str
    text: str


_UNITS: dict[str, tuple[str, float]] = {
    "ml": ("volume", 1), "cl": ("volume", 10), "dl": ("volume", 100), "l": ("volume", 1000),
    "liter": ("volume", 1000), "litre": ("volume", 1000), "liters": ("volume", 1000), "litres": ("volume", 1000),
    "ltr": ("volume", 1000), "fl oz": ("volume", 29.57), "fl. oz": ("volume", 29.57), "fl.oz": ("volume", 29.57),
    "floz": ("volume", 29.57), "gal": ("volume", 3785), "gallon": ("volume", 3785), "qt": ("volume", 946),
    "mg": ("weight", 0.001), "g": ("weight", 1), "gr": ("weight", 1), "gram": ("weight", 1), "grams": ("weight", 1),
    "gramm": ("weight", 1), "kg": ("weight", 1000), "kilo": ("weight", 1000), "oz": ("weight", 28.35),
    "ounce": ("weight", 28.35), "ounces": ("weight", 28.35), "lb": ("weight", 453.6), "lbs": ("weight", 453.6),
    "mm": ("length", 1), "cm": ("length", 10), "m": ("length", 1000), "inch": ("length", 25.4),
    "inches": ("length", 25.4), "zoll": ("length", 25.4), '"': ("length", 25.4), "″": ("length", 25.4),
    "”": ("length", 25.4), "''": ("length", 25.4), "ft": ("length", 304.8), "feet": ("length", 304.8),
    "mb": ("storage", 0.001), "gb": ("storage", 1), "tb": ("storage", 1000),
    "w": ("power", 1), "watt": ("power", 1), "watts": ("power", 1), "kw": ("power", 1000),
    "v": ("voltage", 1), "volt": ("voltage", 1), "volts": ("voltage", 1),
    "mah": ("charge", 1), "ah": ("charge", 1000),
    "pcs": ("count", 1), "pc": ("count", 1), "pieces": ("count", 1), "piece": ("count", 1), "count": ("count", 1),
    "ct": ("count", 1), "capsules": ("count", 1), "tablets": ("count", 1), "sheets": ("count", 1),
    "rolls": ("count", 1), "bags": ("count", 1), "wipes": ("count", 1), "stück": ("count", 1), "stk": ("count", 1),
    "teile": ("count", 1), "teilig": ("count", 1), "tlg": ("count", 1), "nappies": ("count", 1),
    "diapers": ("count", 1), "pièces": ("count", 1), "pezzi": ("count", 1), "stuks": ("count", 1),
}  # fmt: skip
_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_MEASURE = re.compile(rf"(?<![\w.,/-])(\d+(?:[.,]\d+)?|\d\d?/\d\d?)(\s?-?\s?)({_UNIT})(?![\w])", re.IGNORECASE)
_SMALL_UNITS = frozenset(("ml", "g", "mg", "mm", "mah", "w", "gb", "mb"))

_PACKS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:pack|set|lot|bundle|case|multipack|pk)\s+of\s+(\d{1,4})\b",
        r"\b(\d{1,4})[\s-]?(?:er[\s-]?)?(?:pack|packs|pk)\b(?!\s*of)",
        r"\b(\d{1,2})[\s-]?(?:er[\s-]?)?set\b(?!\s*of)",
        r"\b(\d{1,3})\s?[x×]\s?(?=\d+(?:[.,]\d+)?\s?(?:ml|cl|l|g|kg|oz|fl)\b)",
        r"\d\s?(?:ml|cl|l|g|kg|oz)\s?[x×]\s?(\d{1,3})\b(?![.,]\d)",
        r"^\s*(\d{1,2})\s?[x×]\s+(?=[^\W\d])",
        r"\s(?-i:[x×])(\d{1,3})\s*$",
        r"\((\d{1,3})\s?[x×]\)|\([x×]\s?(\d{1,3})\)",
    )
]
_PACK_WORDS = {"twin pack": 2, "twinpack": 2, "double pack": 2, "doppelpack": 2, "triple pack": 3, "pair of": 2}
_PACK_PHRASE = re.compile(rf"\b(?:{'|'.join(_PACK_WORDS)})\b", re.IGNORECASE)
_ROUNDING = 0.04
"""Share by which labels round when they give a size in a second unit: 12 oz is 340 g, 2.5 fl oz is 75 ml."""


def measures(text: str) -> tuple[Measure, ...]:
    """The sizes in a text in the order they stand there, each once."""
    found: dict[tuple[str, float], Measure] = {}
    for match in _MEASURE.finditer(clean(text)):
        number, gap, unit = match.groups()
        if gap == "" and unit in "Gg" and number in ("2", "3", "4", "5", "6"):
            continue  # a mobile network, not a weight
        if unit.lower() not in _UNITS:
            continue  # a letter that only looks like one of ours: the Turkish İ and ı
        dimension, factor = _UNITS[unit.lower()]
        amount = _amount(number, unit.lower()) * factor
        if amount > 0:
            measure = Measure(dimension=dimension, amount=amount, unit=unit.lower(), text=match.group())
            found.setdefault((dimension, round(amount, 4)), measure)
    return tuple(found.values())


def without(text: str) -> str:
    """The text without its sizes and pack sizes: what is left names the thing itself."""
    text = clean(text)
    for pattern in (*_PACKS, _PACK_PHRASE, _MEASURE):
        text = pattern.sub(" ", text)
    return clean(text)


def _amount(number: str, unit: str) -> float:
    if "/" in number:
        above, below = number.split("/")
        return int(above) / int(below) if int(below) else 0.0
    whole, mark, decimals = number.replace(",", ".").partition(".")
    if mark and len(decimals) == 3 and whole.strip("0") and (unit in _SMALL_UNITS or _UNITS[unit][0] == "count"):
        return float(whole + decimals)  # 1.000 ml is a litre; 1.500 kg is one and a half
    return float(number.replace(",", "."))


def pack_size(text: str) -> int | None:
    """How many units are sold together (`pack of 6`, `6 x 330 ml`, `3x Soap`); None when the text does not say."""
    text = clean(text)
    for pattern in _PACKS:
        if match := pattern.search(text):
            count = int(next(group for group in match.groups() if group))
            if 1 <= count <= 2000:
                return count
    phrase = _PACK_PHRASE.search(text)
    return _PACK_WORDS.get(phrase.group().lower()) if phrase else None


def conflict(ours: Sequence[Measure], theirs: Sequence[Measure]) -> tuple[Measure, Measure] | None:
    """The first pair of sizes (ours, theirs) that contradict: a dimension that both give, with no size in common."""
    for dimension in dict.fromkeys(measure.dimension for measure in ours):
        mine = [measure for measure in ours if measure.dimension == dimension]
        other = [measure for measure in theirs if measure.dimension == dimension]
        if other and not any(same(a, b) for a in mine for b in other):
            return mine[0], other[0]
    return None


def same(one: Measure, other: Measure) -> bool:
    """Whether two sizes are equal; between different units (12 oz, 340 g) within what labels round."""
    tolerance = _ROUNDING if _UNITS[one.unit] != _UNITS[other.unit] else 0.001
    larger = max(one.amount, other.amount)
    return one.dimension == other.dimension and abs(one.amount - other.amount) <= tolerance * larger


def agree(ours: Sequence[Measure], theirs: Sequence[Measure]) -> bool:
    """Whether at least one size is given by both."""
    return any(same(a, b) for a in ours for b in theirs)
