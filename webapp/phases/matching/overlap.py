"""What two sets of words share, weighed by how telling each word is."""

import math
from collections.abc import Callable, Set
from dataclasses import dataclass


@dataclass(frozen=True)
class Overlap:
    """Sums of weights: `shared`, only in the `left`, only in the `right` set; the heaviest of each; and the cosine."""

    shared: float
    left: float
    right: float
    top_shared: float
    top_left: float
    top_right: float
    cosine: float

    @property
    def jaccard(self) -> float:
        """Share of all weight that is common, 0..1."""
        return self.shared / (self.shared + self.left + self.right) if self.shared else 0.0

    @property
    def of_left(self) -> float:
        """Share of the left set's weight that the right one has, 0..1."""
        return self.shared / (self.shared + self.left) if self.shared else 0.0

    @property
    def of_right(self) -> float:
        """Share of the right set's weight that the left one has, 0..1."""
        return self.shared / (self.shared + self.right) if self.shared else 0.0


def overlap(left: Set[str], right: Set[str], weight: Callable[[str], float]) -> Overlap:
    """The overlap of two sets. Swapping the sets swaps left and right."""
    # Sorted, since sums of fractions depend on their order and that of sets differs between processes.
    shared = [weight(word) for word in sorted(left & right)]
    mine = [weight(word) for word in sorted(left - right)]
    other = [weight(word) for word in sorted(right - left)]
    both, a, b = (sum(value * value for value in values) for values in (shared, mine, other))
    return Overlap(
        shared=sum(shared),
        left=sum(mine),
        right=sum(other),
        top_shared=max(shared, default=0.0),
        top_left=max(mine, default=0.0),
        top_right=max(other, default=0.0),
        cosine=both / math.sqrt((both + a) * (both + b)) if both else 0.0,
    )
