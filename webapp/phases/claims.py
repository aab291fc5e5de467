"""Whether a text says more than is known: a number, a size or a promise that the facts do not hold.

For texts that a language model wrote. It is meant to err on the side of refusing: then the text that the program
itself wrote stays.
"""

import re
import unicodedata
from collections.abc import Iterable

from webapp.lib.text import SMALL_WORDS, clean, word_set, words
from webapp.phases import measures

_NUMBER_WORDS = word_set(
    """two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million dozen pair double triple
    twin twice quarter half dual quad multipack percent"""
)
_PROMISES = word_set(
    """warranty guarantee guaranteed shipping delivery dispatch returns refund certified authentic genuine original
    official officially licensed sealed unopened unused untested tested working waterproof watertight shockproof new
    mint flawless perfect excellent pristine limited rare vintage antique exclusive best cheapest free discount sale
    bargain organic vegan bio medical safe approved award compatible includes included including refurbished used
    like-new handmade recycled sustainable nontoxic hypoallergenic dishwasher microwave fireproof unbreakable"""
)
_REACHABLE = re.compile(r"https?:|\w@\w|\b[\w-]+\.[^\W\d_]{2,}", re.IGNORECASE)
"""An address, or what reads like one: letters, a dot, letters. A name written so (Dr.Oetker) is in the facts."""
_GLUE = word_set("this that it is with your by plus & + / | -")


class Claims:
    """What may be said, taken from texts that hold what is known."""

    def __init__(self, facts: Iterable[str]) -> None:
        known = [_plain(fact) for fact in facts if fact]
        self._measures = [measure for fact in known for measure in measures.measures(fact)]
        self._dotted = {found.group().casefold() for fact in known for found in _REACHABLE.finditer(fact)}
        self._packs = {measures.pack_size(fact) for fact in known}
        # "500 ml" is known as that size; 500 of anything else is not.
        self._words = {word for fact in known for word in words(fact) if not _has_digit(word)}
        self._words |= {word for fact in known for word in words(measures.without(fact))}

    def unsupported(self, text: str) -> str | None:
        """The first thing that a text says and the facts do not, as it is written there; None when all is known."""
        text = _plain(text)
        for found in _REACHABLE.finditer(text):
            if found.group().casefold() not in self._dotted:
                return found.group()
        for measure in measures.measures(text):
            if not any(measures.same(measure, known) for known in self._measures):
                return measure.text
        pack = measures.pack_size(text)
        if pack is not None and pack not in self._packs:
            return str(pack)
        for word in words(measures.without(text)):
            if word in self._words:
                continue
            if word in _NUMBER_WORDS or word in _PROMISES or _has_digit(word):
                return word
        return None

    def unknown_word(self, text: str) -> str | None:
        """The first word that is neither in the facts nor a mere joint between words; for titles, which add nothing."""
        for word in words(measures.without(_plain(text))):
            if word not in self._words and word not in SMALL_WORDS and word not in _GLUE:
                return word
        return None


def _has_digit(word: str) -> bool:
    return any(char.isdigit() for char in word)


def _plain(text: str) -> str:
    """Digits of other scripts, superscripts and fractions as plain digits, so that no number hides."""
    return clean(unicodedata.normalize("NFKC", clean(text)).replace("⁄", "/"))
