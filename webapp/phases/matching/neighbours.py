"""Where a record stands among all records of the other table: its rank, and its lead on the next.

An inverted index over words or character trigrams, weighed by rarity; similarity is the cosine.
"""

from collections.abc import Callable, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from webapp.phases.matching.boosting import Floats
from webapp.phases.matching.corpus import Corpus
from webapp.phases.matching.entry import Entry

_NEAR = 0.9
"""Share of a record's own similarity from which another one counts as near."""
_ALIKE = 0.5
_CROWD = 4
"""The place whose similarity tells how crowded it is around a record."""
Words = Callable[[Entry], Set[str]]


class Index:
    """The records of one table by what they are made of: words or trigrams, as `parts` gives them."""

    def __init__(self, entries: Sequence[Entry], parts: Words, weight: Callable[[str], float]) -> None:
        self._parts, self._weight = parts, weight
        self.size = len(entries)
        postings: dict[str, list[int]] = {}
        squares = np.zeros(self.size)
        for place, entry in enumerate(entries):
            for part in parts(entry):
                postings.setdefault(part, []).append(place)
                squares[place] += weight(part) ** 2
        self._postings = {part: np.array(places, np.int64) for part, places in postings.items()}
        self._lengths = np.sqrt(np.maximum(squares, 1e-12))

    def similarities(self, entry: Entry) -> Floats:
        """The cosine, 0..1, of the entry with every record of the table."""
        parts = sorted(self._parts(entry))
        known = [part for part in parts if part in self._postings]
        if not known:
            return np.zeros(self.size)
        places = np.concatenate([self._postings[part] for part in known])
        squares = np.repeat([self._weight(part) ** 2 for part in known], [len(self._postings[part]) for part in known])
        length = np.sqrt(sum(self._weight(part) ** 2 for part in parts))
        shared = np.bincount(places, squares, self.size).astype(np.float64)
        found: Floats = shared / (length * self._lengths)
        return found

    def nearest(self, entry: Entry, limit: int) -> NDArray[np.int64]:
        """Places of the most similar records, the best first; those with nothing in common are left out."""
        found = self.similarities(entry)
        order = np.argsort(-found, kind="stable")[:limit]
        return order[found[order] > 0]


def neighbour_table(
    lefts: Sequence[Entry], rights: Sequence[Entry], pairs: NDArray[np.int64], corpus: Corpus, sides: Sequence[int]
) -> Floats:
    """For each pair (row of places in `lefts` and `rights`) and each side asked for: how its two records stand among
    all records of the other table, by words and by trigrams. Side 0 looks from the left record to the right table; if
    it is the only one, to the left record's own candidates, since in use there are no others."""
    tables = (lefts, rights)
    found = []
    for parts, weight in ((_words, corpus.word), (_grams, corpus.gram)):
        for side in sides:
            index = Index(tables[1 - side], parts, weight)
            own_only = len(sides) == 1
            found.append(_standing(tables[side], index, pairs[:, side], pairs[:, 1 - side], own_only=own_only))
    return np.hstack(found)


def _standing(
    entries: Sequence[Entry], index: Index, own: NDArray[np.int64], other: NDArray[np.int64], *, own_only: bool
) -> Floats:
    table = np.zeros((len(own), 5))
    for place in np.unique(own):
        rows = np.flatnonzero(own == place)
        all_found = index.similarities(entries[place])
        value = all_found[other[rows]]
        if own_only:
            all_found = value
        top = -np.sort(-all_found)[: _CROWD + 1]
        top = np.pad(top, (0, _CROWD + 1 - len(top)))
        better = (all_found[None, :] > value[:, None] + 1e-9).sum(axis=1)
        table[rows, 0] = np.log1p(better)
        table[rows, 1] = value - np.where(better > 0, top[0], top[1])
        table[rows, 2] = top[_CROWD] - value
        table[rows, 3] = np.log1p((all_found[None, :] > _NEAR * value[:, None]).sum(axis=1))
        table[rows, 4] = np.log1p((all_found > _ALIKE).sum())
    return table


def _words(entry: Entry) -> Set[str]:
    return entry.words


def _grams(entry: Entry) -> Set[str]:
    return entry.grams
