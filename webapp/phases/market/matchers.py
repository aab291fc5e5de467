"""Which offers are for the same product: by rules on a fresh installation, by what was learned where there is more.

The learned one is in `trained`, apart from this: it brings numpy, which the web process does not load. A language
model that breaks ties would be a third `Matcher` around one of these two.
"""

from collections.abc import Sequence
from typing import Protocol

from webapp.phases.facts import Identity, Offer
from webapp.phases.market.matching import Match, compare
from webapp.phases.market.profile import of_identity, of_offer


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
