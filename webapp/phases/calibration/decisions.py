"""What a person decided about one product, against what the machine had said."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from webapp.lib.text import fold
from webapp.phases.facts import Assessment

IDENTIFYING = ("name", "brand", "model", "gtin")
"""Fields that say which product it is. The condition does not: a photo alone cannot tell it."""
MIN_DECISIONS, MIN_SURE = 100, 60
"""Below these no calibrator is fitted at all: decisions, and those among them of which the defaults were sure. 52 right
ones in a row are the least that a bound of 95 % can stand on."""
MIN_PER_PATH = 40
"""Paths and fields with fewer decisions keep the defaults."""


class NotEnough(Exception):
    """Too few decisions to learn from: `decisions` of MIN_DECISIONS, `sure` of MIN_SURE."""

    def __init__(self, decisions: int, sure: int) -> None:
        super().__init__(f"{decisions} of {MIN_DECISIONS} decisions, {sure} of {MIN_SURE} where Lotline was sure")
        self.decisions, self.sure = decisions, sure


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One review or audit.

    `rights`: by field that the machine claimed, whether a person left it as it was; `right`: all that identify it
    were. `weight`: how many products it stands for, the inverse of the rate at which such ones are looked at.
    `group`: the product that it is in the end; decisions of one group never train and test each other.
    """

    assessment: Assessment
    rights: dict[str, bool]
    right: bool
    weight: float
    group: str
    at: datetime


def rightness(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> tuple[dict[str, bool], bool | None]:
    """Which claimed fields were right, and whether the product was; None where nothing was claimed: no guess, no error.

    Case, accents, spaces and signs make no difference; a field that a person only filled in was not wrong.
    """
    rights = {name: _same(value, after.get(name)) for name, value in before.items() if value}
    claimed = [rights[name] for name in IDENTIFYING if name in rights]
    return rights, all(claimed) if before.get("name") else None


def group_of(after: Mapping[str, str | None], product: str) -> str:
    """The settled product that a decision belongs to: by number, else by name, else by itself."""
    return after.get("gtin") or _plain(after.get("name")) or product


def _same(one: str | None, other: str | None) -> bool:
    return _plain(one) == _plain(other)


def _plain(value: str | None) -> str:
    return "".join(sign for sign in fold(value or "") if sign.isalnum())
