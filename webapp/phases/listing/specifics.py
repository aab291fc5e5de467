"""Item specifics and bullet points: the known facts in the names that channels use."""

from webapp.lib.text import cut, sentence
from webapp.phases.channels import CONDITION_WORDS
from webapp.phases.facts import Specific
from webapp.phases.wording import Known, details

VALUE_LIMIT = 65
"""Longest value of a specific on eBay."""

BULLETS = 8


def specifics(facts: Known) -> tuple[Specific, ...]:
    """Name and value of every known fact, in the order a seller fills them in; values fit VALUE_LIMIT."""
    pairs = [
        ("Brand", facts.brand),
        ("Model", facts.model),
        ("MPN", facts.mpn),
        (facts.code_label, facts.code),
        ("Condition", CONDITION_WORDS[facts.condition].capitalize() if facts.condition else ""),
        ("Type", facts.kind),
        *facts.sizes,
        ("Unit quantity", str(facts.pack) if facts.pack and facts.pack > 1 else ""),
        ("Colour", ", ".join(facts.colours)),
        *facts.carried,
    ]
    return tuple(Specific(name=name, value=cut(value, VALUE_LIMIT)) for name, value in pairs if cut(value, VALUE_LIMIT))


def bullets(facts: Known) -> tuple[str, ...]:
    """Up to BULLETS short lines, what a buyer asks first on top; each says one thing that is known."""
    lines = []
    if facts.condition:
        lines.append(f"Condition: {facts.condition_words}. {sentence(facts.condition_details)}".strip().rstrip("."))
    lines += [f"{name}: {value}" for name, value in details(facts)]
    return tuple(lines[:BULLETS])
