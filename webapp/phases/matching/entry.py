"""One record of a table, a catalog or a market, taken apart once so that it can be compared often."""

import re
from collections.abc import Iterable
from functools import cached_property
from itertools import islice

from webapp.lib.text import code, cut, fold
from webapp.phases import measures
from webapp.phases.facts import Fact

TEXT_LIMIT = 1500
"""Characters of a title or a description that count."""
MOST_CODES = 30
"""Of one text: each of ours is compared with each of theirs."""
_TOKEN = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+")
_CODE = re.compile(r"[^\W_]+(?:[-/.][^\W_]+)*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_DIGITS = re.compile(r"[1-9]\d{2,}")
_VERSION = re.compile(r"\b(?:v|ver|version|vol|volume|release)\s*\.?\s*(\d+)")


class Entry(Fact, frozen=True, kw_only=True, dict=True):
    """What is known of one product, whatever the source calls it. Texts may be empty; `price` in any one currency.

    `gtin14` is for the rules alone: what is learned does without, since it is learned from what barcodes say.
    """

    id: str
    title: str
    description: str = ""
    brand: str = ""
    model: str = ""
    category: str = ""
    price: float | None = None
    gtin14: str | None = None

    @cached_property
    def name(self) -> str:
        """The folded title."""
        return cut(fold(cut(self.title, TEXT_LIMIT)), TEXT_LIMIT)  # one sign may unfold to eighteen

    @cached_property
    def maker(self) -> str:
        """The folded brand."""
        return fold(self.brand)

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """Words and numbers of the title, in order: `wh-1000xm4` is two, `2.0` one."""
        return tokens_of(self.name)

    @cached_property
    def words(self) -> frozenset[str]:
        """The different words of the title with the brand."""
        return frozenset(self.tokens) | frozenset(tokens_of(self.maker))

    @cached_property
    def everything(self) -> frozenset[str]:
        """The different words of all texts."""
        texts = (fold(cut(self.description, TEXT_LIMIT)), fold(self.model))
        return self.words.union(*map(tokens_of, texts))

    @cached_property
    def squeezed(self) -> str:
        """Title and model number without gaps and signs, the words that stood apart parted by a space."""
        return " ".join(filter(None, (code(part) for part in f"{self.name} {self.model}".split())))

    @cached_property
    def run_on(self) -> str:
        """All texts as one run of letters and digits: finds `kx tg1033 s` in `kxtg1033s`."""
        return code(f"{self.name} {self.model} {cut(self.description, TEXT_LIMIT)}")

    @cached_property
    def codes(self) -> frozenset[str]:
        """What looks like a model number in title and model: letters with digits, or five digits and more."""
        return frozenset(islice(_codes(f"{self.name} {fold(self.model)}"), MOST_CODES))

    @cached_property
    def all_codes(self) -> frozenset[str]:
        """Model numbers anywhere, the description included."""
        return self.codes | frozenset(islice(_codes(fold(cut(self.description, TEXT_LIMIT))), MOST_CODES))

    @cached_property
    def code_digits(self) -> frozenset[str]:
        """The runs of three digits and more in its codes, without leading zeros: what `ver97185`, `97185-us` and
        `097185` have in common."""
        return frozenset(run for written in self.codes for run in _DIGITS.findall(written))

    @cached_property
    def model_code(self) -> str:
        """The model number as it is compared."""
        return code(self.model)

    @cached_property
    def numbers(self) -> frozenset[float]:
        """The numbers of the title by their value, those inside model numbers left out."""
        return frozenset(float(token.replace(",", ".")) for token in self.tokens if _NUMBER.fullmatch(token))

    @cached_property
    def versions(self) -> frozenset[float]:
        """Numbers that are said to be versions or volumes."""
        return frozenset(float(found) for found in _VERSION.findall(self.name))

    @cached_property
    def measures(self) -> tuple[measures.Measure, ...]:
        """The sizes in the title."""
        return measures.measures(self.name)

    @cached_property
    def grams(self) -> frozenset[str]:
        """The different runs of three characters of title and brand, word borders marked."""
        return grams_of(f"{self.maker} {self.name}")


def as_ours(entry: Entry) -> Entry:
    """The record with no more than is known of a product of our own before its offers are found: no price, no
    description. What a matcher learned from those it could not use."""
    return Entry(id=entry.id, title=entry.title, brand=entry.brand, model=entry.model, category=entry.category)


def tokens_of(text: str) -> tuple[str, ...]:
    """Words and numbers of a folded text, in order."""
    return tuple(token.replace(",", ".") if token[0].isdigit() else token for token in _TOKEN.findall(text))


def grams_of(text: str) -> frozenset[str]:
    """The different runs of three characters of a folded text, each word with a border before and after it."""
    padded = f" {' '.join(tokens_of(text))} "
    return frozenset(padded[at : at + 3] for at in range(len(padded) - 2))


def _codes(text: str) -> Iterable[str]:
    for written in _CODE.findall(text):
        bare = code(written)
        digits = sum(char.isdigit() for char in bare)
        if len(bare) >= 4 and digits and (digits < len(bare) or len(bare) >= 5) and not measures.measures(written):
            yield bare
