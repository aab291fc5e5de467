"""The matcher that was learned from records."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from webapp.phases.matching.entry import Entry
from webapp.phases.matching.judging import EXACT, SAME, Match
from webapp.phases.matching.learning import Learned, Scene
from webapp.phases.matching.matchers import Rules


class Trained:
    """A learned matcher inside the rules: a common barcode decides as before, and what contradicts the product (its
    barcode, size, pack or number) stays out. Between the two the learned probability decides: 80 is the one from
    which at least 95 % were right on records that were held out."""

    def __init__(self, learned: Learned) -> None:
        self._learned = learned
        self.source = learned.source
        self.learned_at = learned.learned_at

    def judge(self, ours: Entry, theirs: Sequence[Entry]) -> list[Match]:
        """All of them together."""
        ruled = Rules().judge(ours, theirs)
        count = len(theirs)
        scene = Scene(
            lefts=[ours],
            rights=list(theirs),
            pairs=np.column_stack([np.zeros(count, np.int64), np.arange(count)]),
            labels=np.zeros(count, np.int64),
            known=np.zeros(count, bool),
            one_sided=True,
        )
        chances = self._learned.probabilities(scene)
        return [self._match(rule, float(chance)) for rule, chance in zip(ruled, chances, strict=True)]

    def _match(self, rule: Match, chance: float) -> Match:
        if rule.score >= EXACT:
            return rule
        score = score_of(chance, self._learned.accept)
        if rule.ruled_out:
            return replace(rule, score=min(score, rule.score))
        return Match(score, f"{rule.why}; by what was learned, {chance:.0%} sure")


def score_of(chance: float, accept: float | None) -> int:
    """The probability on the scale where 80 is what may be accepted unseen; never 80 where nothing may."""
    if accept is None:
        return min(round(SAME * chance), SAME - 1)
    if chance < accept:
        return min(int(SAME * chance / accept), SAME - 1)
    return SAME + int((EXACT - 1 - SAME) * (chance - accept) / max(1 - accept, 1e-9))
