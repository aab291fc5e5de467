"""Which records are the same product: by rules on a fresh installation, by what was learned where there is more.

The learned one is in `trained`, apart from this: it brings numpy, which the web process does not load. A language
model that breaks ties among offers is a third `Matcher`, around one of these two (`market.ties`).
"""

from collections.abc import Sequence
from typing import Protocol

from webapp.phases.matching.entry import Entry
from webapp.phases.matching.judging import Match, compare
from webapp.phases.matching.profile import of_entry


class Matcher(Protocol):
    """Judges the records that may be one product, all together: each is looked at among its rivals."""

    @property
    def source(self) -> str:
        """What it was made from; part of the fingerprint of whatever it judged."""

    def judge(self, ours: Entry, theirs: Sequence[Entry]) -> list[Match]:
        """How surely each of the others is the same product, in their order."""


class Rules:
    """The untrained matcher."""

    source = "rules"

    def judge(self, ours: Entry, theirs: Sequence[Entry]) -> list[Match]:
        """Each by itself."""
        profile = of_entry(ours)
        return [compare(profile, of_entry(entry)) for entry in theirs]
