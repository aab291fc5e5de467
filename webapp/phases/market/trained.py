"""The matcher that was learned from records."""

from collections.abc import Sequence

import numpy as np

from webapp.phases.facts import Identity, Offer
from webapp.phases.market.matchers import Rules
from webapp.phases.market.matching import EXACT, SAME, Match
from webapp.phases.matching.entry import Entry
from webapp.phases.matching.learning import Learned, Scene


class Trained:
    """A learned matcher inside the rules: a common barcode decides as before, and what contradicts the product (its
    barcode, size, pack or number) stays out. Between the two the learned probability decides: 80 is the one from
    which at least 95 % were right on records that were held out."""

    def __init__(self, learned: Learned) -> None:
        self._learned = learned
        self.source = learned.source

    def judge(self, identity: Identity, offers: Sequence[Offer]) -> list[Match]:
        """All offers together."""
        ruled = Rules().judge(identity, offers)
        count = len(offers)
        scene = Scene(
            lefts=[_ours(identity)],
            rights=[_theirs(offer) for offer in offers],
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
            return Match(min(score, rule.score), rule.why, ruled_out=True)
        return Match(score, f"{rule.why}; by what was learned, {chance:.0%} sure")


def score_of(chance: float, accept: float | None) -> int:
    """The probability on the scale where 80 is what may be accepted unseen; never 80 where nothing may."""
    if accept is None:
        return min(round(SAME * chance), SAME - 1)
    if chance < accept:
        return min(int(SAME * chance / accept), SAME - 1)
    return SAME + int((EXACT - 1 - SAME) * (chance - accept) / max(1 - accept, 1e-9))


def _ours(identity: Identity) -> Entry:
    return Entry(
        id="",
        title=identity.name or "",
        brand=identity.brand or "",
        model=identity.model or "",
        category=identity.category or "",
    )


def _theirs(offer: Offer) -> Entry:
    return Entry(
        id=offer.id,
        title=offer.title,
        brand=offer.brand or "",
        model=offer.model or "",
        category=offer.category or "",
        price=float(offer.price),
    )
