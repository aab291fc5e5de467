"""How telling each word is: the rarer among the records at hand, the more it says which product it is."""

import math
from collections import Counter
from collections.abc import Iterable

from webapp.phases.facts import Fact
from webapp.phases.matching.entry import Entry

COMMON = 40
"""So many of the commonest words are looked at one by one: `upgrade`, `mac`, `black` tell products of a trade apart."""
_SEEN_TWICE = 2


class Corpus(Fact, frozen=True, kw_only=True):
    """Rarity of words and of character trigrams among `size` records; unseen ones are as rare as can be.

    Words that only one record has are left out: they weigh almost as much as unseen ones.
    """

    size: int
    words: dict[str, float]
    grams: dict[str, float]
    common: tuple[str, ...]

    def word(self, word: str) -> float:
        """The weight of a word, larger for rarer ones."""
        return self.words.get(word) or rarity(1, self.size)

    def gram(self, gram: str) -> float:
        """The weight of a character trigram."""
        return self.grams.get(gram) or rarity(1, self.size)


def corpus_of(entries: Iterable[Entry]) -> Corpus:
    """What the records teach about words."""
    words: Counter[str] = Counter()
    titles: Counter[str] = Counter()
    grams: Counter[str] = Counter()
    size = 0
    for entry in entries:
        words.update(entry.everything)
        titles.update(entry.words)
        grams.update(entry.grams)
        size += 1
    return Corpus(
        size=size,
        words={word: rarity(count, size) for word, count in words.items() if count >= _SEEN_TWICE},
        grams={gram: rarity(count, size) for gram, count in grams.items() if count >= _SEEN_TWICE},
        common=tuple(sorted(titles, key=lambda word: (-titles[word], word))[:COMMON]),
    )


def rarity(count: int, size: int) -> float:
    """The weight of what `count` of `size` records have; above zero."""
    return math.log((size + 1) / (min(count, size) + 1)) + 0.1
