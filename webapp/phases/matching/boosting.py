"""Gradient-boosted trees for two classes, in numpy alone: small, the same on every machine, cheap to ask.

Histogram trees of a fixed depth, grown level by level on the logistic loss with Newton steps; each tree sees a share
of the rows and of the columns. A missing value (NaN) counts as lower than every number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from webapp.phases.facts import Fact

Floats = NDArray[np.float64]
_BINS = 64
_AT_ONCE = 1_000_000
"""Places in trees that are looked up at once: bounds memory."""


@dataclass(frozen=True)
class Growth:
    """How trees are grown; the defaults suit tables of a few thousand labelled pairs and a mean of several forests."""

    trees: int = 150
    depth: int = 4
    rate: float = 0.1
    rows: float = 0.7
    columns: float = 0.2
    ridge: float = 3.0
    min_weight: float = 1.0
    """Least sum of second derivatives in a leaf."""


class Forest(Fact, frozen=True, kw_only=True):
    """Grown trees, as bytes of little-endian numbers so that they can be kept in a file.

    `columns` (int16) and `limits` (float32), trees x (2**depth - 1), of the inner nodes in heap order; `leaves`
    (float32), trees x 2**depth. A row goes right where its value is greater than the limit. `start`: log-odds of a
    row before any tree. `width`: columns of the table that it was grown on.
    """

    depth: int
    width: int
    start: float
    columns: bytes
    limits: bytes
    leaves: bytes

    def margin(self, table: Floats) -> Floats:
        """Log-odds of class 1 for each row of the table.

        Raises:
            ValueError: the table is not as wide as the one that the trees were grown on, or trees are damaged.
        """
        if table.shape[1] != self.width:
            raise ValueError(f"the trees were grown on {self.width} columns, not on {table.shape[1]}")
        inner = 2**self.depth - 1
        columns = np.frombuffer(self.columns, "<i2").reshape(-1, inner).astype(np.int64)
        limits = np.frombuffer(self.limits, "<f4").reshape(-1, inner)
        leaves = np.frombuffer(self.leaves, "<f4").reshape(-1, inner + 1)
        values = np.where(np.isnan(table), -np.inf, table).astype(np.float32)
        trees = np.arange(len(columns))
        total = np.full(len(values), self.start)
        step = max(1, _AT_ONCE // max(len(columns), 1))
        for begin in range(0, len(values), step):
            rows = values[begin : begin + step]
            places = np.arange(len(rows))[:, None]
            node = np.zeros((len(rows), len(columns)), np.int64)
            for _ in range(self.depth):
                node = 2 * node + 1 + (rows[places, columns[trees, node]] > limits[trees, node])
            total[begin : begin + step] += leaves[trees, node - inner].sum(axis=1, dtype=np.float64)
        return total


def merged(forests: Sequence[Forest]) -> Forest:
    """One forest whose margin is the mean of theirs."""
    count = len(forests)
    leaves = [np.frombuffer(forest.leaves, "<f4") / np.float32(count) for forest in forests]
    return Forest(
        depth=forests[0].depth,
        width=forests[0].width,
        start=sum(forest.start for forest in forests) / count,
        columns=b"".join(forest.columns for forest in forests),
        limits=b"".join(forest.limits for forest in forests),
        leaves=np.concatenate(leaves).astype("<f4").tobytes(),
    )


def grow(table: Floats, labels: NDArray[np.int64], growth: Growth, seed: int) -> Forest:
    """Trees fitted to a table (rows, columns) and labels 0 and 1. The same seed gives the same trees."""
    random = np.random.default_rng(seed)
    count, width = table.shape
    edges, binned = _binned(table)
    share = float(np.clip(labels.mean(), 1e-3, 1 - 1e-3))
    start = float(np.log(share / (1 - share)))
    margin = np.full(count, start)
    inner, picked = 2**growth.depth - 1, max(1, round(growth.columns * width))
    columns = np.zeros((growth.trees, inner), np.int32)
    limits = np.full((growth.trees, inner), np.inf, np.float32)
    leaves = np.zeros((growth.trees, inner + 1), np.float32)
    for tree in range(growth.trees):
        chance = 1 / (1 + np.exp(-margin))
        rows = np.flatnonzero(random.random(count) < growth.rows)
        some = np.sort(random.choice(width, picked, replace=False))
        pull, weight = (labels - chance), chance * (1 - chance)
        bins = binned[:, some]
        column, cut, leaf = _tree(bins, rows, pull, weight, growth)
        columns[tree] = some[column]
        limits[tree] = np.where(cut < _BINS, edges[columns[tree], np.minimum(cut, _BINS - 1)], np.inf)
        leaves[tree] = growth.rate * leaf
        margin += leaves[tree][_descend(bins, column, cut)]
    return Forest(
        depth=growth.depth,
        width=width,
        start=start,
        columns=columns.astype("<i2").tobytes(),
        limits=limits.astype("<f4").tobytes(),
        leaves=leaves.astype("<f4").tobytes(),
    )


def _binned(table: Floats) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """For each column its limits (columns, bins), padded with infinity, and each value's bin; bin 0 holds NaN."""
    count, width = table.shape
    edges = np.full((width, _BINS), np.inf, np.float32)
    binned = np.zeros((count, width), np.int64)
    for column in range(width):
        values = table[:, column].astype(np.float32)
        known = values[~np.isnan(values)]
        steps = np.unique(known)
        if len(steps) > _BINS - 2:
            steps = np.unique(np.quantile(known, np.linspace(0, 1, _BINS - 1), method="inverted_cdf"))
        # A cut at bin b sends b and lower left: bin 0 is NaN, bin b ends halfway to the next step.
        middles = (steps[:-1] + (steps[1:] - steps[:-1]) / 2).astype(np.float32)
        edges[column, 0] = -np.inf
        edges[column, 1 : 1 + len(middles)] = middles
        binned[:, column] = np.where(np.isnan(values), 0, 1 + np.searchsorted(middles, values, side="left"))
    return edges, binned


def _tree(
    bins: NDArray[np.int64], rows: NDArray[np.int64], pull: Floats, weight: Floats, growth: Growth
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """One tree over the picked columns: column and last bin that goes left for each inner node, value of each leaf."""
    width = bins.shape[1]
    inner = 2**growth.depth - 1
    column = np.zeros(inner, np.int64)
    cut = np.full(inner, _BINS, np.int64)
    places = bins[rows] + np.arange(width) * _BINS
    pulls, weights = pull[rows], weight[rows]
    repeated_pulls, repeated_weights = np.repeat(pulls, width), np.repeat(weights, width)
    node = np.zeros(len(rows), np.int64)
    for level in range(growth.depth):
        first, nodes = 2**level - 1, 2**level
        flat = (places + (node * (width * _BINS))[:, None]).ravel()
        shape = (nodes, width, _BINS)
        g = np.bincount(flat, repeated_pulls, nodes * width * _BINS).reshape(shape).cumsum(axis=2)
        h = np.bincount(flat, repeated_weights, nodes * width * _BINS).reshape(shape).cumsum(axis=2)
        g_all, h_all = g[:, :, -1:], h[:, :, -1:]
        gain = g * g / (h + growth.ridge) + (g_all - g) ** 2 / (h_all - h + growth.ridge)
        gain -= g_all * g_all / (h_all + growth.ridge)
        gain[(h < growth.min_weight) | (h_all - h < growth.min_weight)] = 0.0
        best = gain.reshape(nodes, -1).argmax(axis=1)
        worth = gain.reshape(nodes, -1)[np.arange(nodes), best] > 1e-6
        column[first : first + nodes] = np.where(worth, best // _BINS, 0)
        cut[first : first + nodes] = np.where(worth, best % _BINS, _BINS)
        here = first + node
        node = 2 * node + (bins[rows, column[here]] > cut[here])
    g_leaf = np.bincount(node, pulls, inner + 1)
    h_leaf = np.bincount(node, weights, inner + 1)
    return column, cut, g_leaf / (h_leaf + growth.ridge)


def _descend(bins: NDArray[np.int64], column: NDArray[np.int64], cut: NDArray[np.int64]) -> NDArray[np.int64]:
    node = np.zeros(len(bins), np.int64)
    rows = np.arange(len(bins))
    while node.size and node[0] < len(column):
        node = 2 * node + 1 + (bins[rows, column[node]] > cut[node])
    return node - len(column)
