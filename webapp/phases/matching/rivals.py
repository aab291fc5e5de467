"""Collective features: a pair among the other pairs of its two records. A product has few partners, mostly one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from webapp.phases.matching.boosting import Floats


def rival_table(pairs: NDArray[np.int64], scores: Floats, sides: Sequence[int]) -> Floats:
    """For each side: rank of the pair's score among the pairs of that record, its lead on the best other one (NaN
    without one), that other's score, the sum and the number of the others; with both sides, whether it is the best of
    both."""
    columns = [column for side in sides for column in _among(pairs[:, side], scores)]
    if len(sides) > 1:
        columns.append(((columns[0] == 0) & (columns[5] == 0)).astype(float))
    return np.column_stack(columns)


def partner_table(pairs: NDArray[np.int64], labels: NDArray[np.int64], known: NDArray[np.bool_]) -> Floats:
    """For each side: how many *other* pairs of the record are known to be the same product, and known not to be.
    A pair's own label never counts. `labels` are read only where `known`."""
    columns = []
    for side in (0, 1):
        records = pairs[:, side]
        for wanted in (1, 0):
            own = (known & (labels == wanted)).astype(float)
            columns.append(np.bincount(records, own)[records] - own)
    return np.column_stack(columns)


def _among(records: NDArray[np.int64], scores: Floats) -> list[Floats]:
    count = len(records)
    order = np.lexsort((-scores, records))
    ranked, ordered = scores[order], records[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[first, count])
    rank = np.empty(count)
    rank[order] = np.arange(count) - np.repeat(first, sizes)
    second = np.where(sizes > 1, ranked[np.minimum(first + 1, count - 1)], np.nan)
    total = np.add.reduceat(ranked, first)
    place = np.empty(count, np.int64)
    place[order] = np.repeat(np.arange(len(first)), sizes)
    best_other = np.where(rank == 0, second[place], ranked[first][place])
    return [rank, scores - best_other, best_other, total[place] - scores, sizes[place].astype(float)]
