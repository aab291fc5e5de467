"""Item specifics and bullet points: the known facts in the names that channels use."""

from webapp.lib.text import cut, sentence
from webapp.phases.channels import CONDITION_WORDS
from webapp.phases.facts import Specific
from webapp.phases.wording import Known

VALUE_LIMIT = 65
"""Longest value of a specific on eBay."""

BULLETS = 6


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
    ]
    return tuple(Specific(name=name, value=cut(value, VALUE_LIMIT)) for name, value in pairs if cut(value, VALUE_LIMIT))


def bullets(facts: Known) -> tuple[str, ...]:
    """Up to BULLETS short lines, what a buyer asks first on top; each says one thing that is known."""
    lines = []
    maker = " ".join(part for part in (facts.brand, facts.model) if part)
    if maker:
        lines.append(
            f"{'Brand and model' if facts.brand and facts.model else 'Brand' if facts.brand else 'Model'}: {maker}"
        )
    if facts.condition:
        details = f". {sentence(facts.condition_details)}" if facts.condition_details else ""
        lines.append(f"Condition: {facts.condition_words}{details}")
    lines.extend(f"{kind}: {size}" for kind, size in facts.sizes)
    if facts.pack and facts.pack > 1:
        lines.append(f"Pack of {facts.pack}")
    if facts.colours:
        lines.append(f"Colour: {', '.join(facts.colours)}")
    if facts.kind:
        lines.append(f"Type: {facts.kind}")
    if facts.code:
        lines.append(f"{facts.code_label}: {facts.code}")
    return tuple(lines[:BULLETS])
