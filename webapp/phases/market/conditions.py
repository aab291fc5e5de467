"""Which offers may be compared with an item of a given condition."""

import re
from collections.abc import Sequence

from webapp.lib.text import words
from webapp.phases.facts import Condition, Offer

_SAID = (
    (Condition.FOR_PARTS, re.compile(r"\b(?:for parts|not working|faulty|broken|defekt|spares or repairs?|defect)\b")),
    (Condition.REFURBISHED, re.compile(r"\b(?:refurb\w*|renewed|generaluberholt|reconditionn?\w*|rigenerato)\b")),
    (Condition.LIKE_NEW, re.compile(r"\b(?:like new|as new|open box|wie neu|neuwertig|comme neuf|ex display)\b")),
    (Condition.USED, re.compile(r"\b(?:used|pre owned|preowned|second hand|gebraucht|occasion|usato|usado)\b")),
)


def condition_said(title: str) -> Condition | None:
    """The condition that an offer's title names, None when it names none."""
    text = " ".join(words(title))
    return next((condition for condition, pattern in _SAID if pattern.search(text)), None)


NEW: tuple[Condition, ...] = (Condition.NEW,)
SECOND_HAND = (Condition.LIKE_NEW, Condition.REFURBISHED, Condition.USED)
BROKEN: tuple[Condition, ...] = (Condition.FOR_PARTS,)

KINDS = {"new": NEW, "second_hand": SECOND_HAND, "for_parts": BROKEN}
"""The kinds of condition whose prices are never mixed in one figure."""

ENOUGH = 3
"""With so many offers of exactly the item's condition, other second-hand offers are not needed."""


def condition_of(offer: Offer) -> Condition:
    """The condition an offer is in: as given, else as its title says, else new (what markets assume when silent)."""
    return offer.condition or condition_said(offer.title) or Condition.NEW


def comparable(wanted: Condition | None, found: Sequence[Condition]) -> tuple[Condition, ...]:
    """The conditions whose offers are compared with an item in `wanted`, given those that the offers found are in.

    New is only compared with new. A used item is compared with its own condition where there are enough, else with
    all second-hand offers, else with new ones (the listing takes its discount off). A broken item falls back to
    second-hand, then new. An unknown condition is taken as new, else second-hand, else broken. Empty when nothing fits.
    """
    match wanted:
        case Condition.NEW:
            groups = [NEW]
        case Condition.FOR_PARTS:
            groups = [BROKEN, SECOND_HAND, NEW]
        case None:
            groups = [NEW, SECOND_HAND, BROKEN]
        case _:
            exact: tuple[Condition, ...] = (wanted,)
            groups = [exact, SECOND_HAND, NEW] if found.count(wanted) >= ENOUGH else [SECOND_HAND, NEW]
    return next((group for group in groups if any(condition in group for condition in found)), ())


_EBAY_IDS = (
    (range(1000, 1001), Condition.NEW),
    (range(1500, 1751), Condition.LIKE_NEW),
    (range(2000, 2501), Condition.REFURBISHED),
    (range(2750, 2751), Condition.LIKE_NEW),
    (range(2990, 6001), Condition.USED),
    (range(7000, 7001), Condition.FOR_PARTS),
)
_WRITTEN = {
    Condition.NEW: "new, neu, neuf, nuevo, nuovo, nieuw, brand new, new with tags, new in box, newcondition, neuware",
    Condition.LIKE_NEW: "like new, as new, new other, open box, neuwertig, wie neu, comme neuf, mint, ex display",
    Condition.REFURBISHED: "refurbished, refurb, renewed, generaluberholt, certified refurbished, seller refurbished, "
    "manufacturer refurbished, reconditionne, rigenerato, reacondicionado, refurbishedcondition, aufbereitet",
    Condition.USED: "used, gebraucht, usato, usado, occasion, pre owned, preowned, second hand, secondhand, very good, "
    "good, acceptable, fair, used very good, used good, used acceptable, usedcondition, sehr gut, gut, akzeptabel",
    Condition.FOR_PARTS: "for parts, parts, for parts or not working, not working, defekt, defective, broken, faulty, "
    "spares or repairs, damagedcondition, pour pieces, ersatzteile, as is",
}
LONGEST_ID = 20
_MEANING = {" ".join(words(text)): condition for condition, texts in _WRITTEN.items() for text in texts.split(",")}


def read_condition(text: str) -> Condition | None:
    """The condition that a cell or a feed states: our words, those of the trade in several languages, eBay's ids,
    schema.org's names. None when it is not known."""
    if text.strip().isdecimal():
        if len(text) > LONGEST_ID:  # Python refuses to read a number of thousands of digits
            return None
        return next((condition for ids, condition in _EBAY_IDS if int(text) in ids), None)
    if text in set(Condition):
        return Condition(text)
    said = " ".join(words(text.rsplit("/", 1)[-1].replace("_", " ")))
    return _MEANING.get(said)
