"""Which offers are for the same product: by rules on a fresh installation, by what was learned where there is more.

A language model that breaks ties would be a third `Matcher` around one of these two.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from webapp.phases.facts import Identity, Offer
from webapp.phases.market.matching import EXACT, SAME, Match, compare
from webapp.phases.market.profile import of_identity, of_offer
from webapp.phases.matching.entry import Entry
from webapp.phases.matching.learning import Learned, Scene


class Matcher(Protocol):
    """Judges the offers that were found for a product, all together: each is looked at among its rivals."""

    @property
    def source(self) -> str:
        """What it was made from; part of the fingerprint of whatever it judged."""

    def judge(self, identity: Identity, offers: Sequence[Offer]) -> list[Match]:
        """How surely each offer is the same product, in the order of the offers."""


class Rules:
    """The untrained matcher."""

    source = "rules"

    def judge(self, identity: Identity, offers: Sequence[Offer]) -> list[Match]:
        """Each offer by itself."""
        ours = of_identity(identity)
        return [compare(ours, of_offer(offer)) for offer in offers]


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
