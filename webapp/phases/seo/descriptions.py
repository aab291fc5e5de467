"""Description candidates for search results and pages: short true sentences from known facts."""

from collections.abc import Sequence

from webapp.lib.text import clean, contains_words, cut, fold, sentence, unique
from webapp.phases.channels import DESCRIPTION_LIMIT, META_DESCRIPTION_LIMIT
from webapp.phases.facts import Candidate, Keyword
from webapp.phases.wording import Known, headline


def candidates(facts: Known, keywords: Sequence[Keyword]) -> tuple[Candidate, ...]:
    """Two short ones within META_DESCRIPTION_LIMIT and one long one, best first; empty when nothing is known."""
    head = headline(facts)
    if not head:
        return ()
    facts_first = _packed([_opening(facts), *sentences(facts)], META_DESCRIPTION_LIMIT)
    condition_first = _packed([_condition_opening(facts), *sentences(facts)], META_DESCRIPTION_LIMIT)
    long = cut(" ".join([_opening(facts), *sentences(facts)]), DESCRIPTION_LIMIT)
    made = unique([facts_first, condition_first, long])
    scored = [Candidate(text=text, score=score(text, keywords), length=len(text)) for text in made]
    return tuple(sorted(scored, key=lambda candidate: (-candidate.score, candidate.length, candidate.text)))


def sentences(facts: Known) -> list[str]:
    """What is known besides the headline, most useful first; each a sentence."""
    made = []
    if facts.brand and facts.model:
        made.append(f"Model {facts.model} by {facts.brand}.")
    elif facts.model:
        made.append(f"Model {facts.model}.")
    elif facts.brand:
        made.append(f"Brand: {facts.brand}.")
    if facts.condition_details and fold(facts.condition_details) not in fold(facts.condition_words):
        made.append(sentence(facts.condition_details))
    if facts.sizes:
        made.append(f"{'; '.join(f'{kind}: {size}' for kind, size in facts.sizes)}.")
    if facts.pack and facts.pack > 1:
        made.append(f"Sold as a pack of {facts.pack}.")
    if facts.colours:
        made.append(f"Colour: {', '.join(facts.colours)}.")
    if facts.kind:
        made.append(f"Category: {facts.kind}.")
    if facts.code:
        made.append(f"{facts.code_label} {facts.code}.")
    return [clean(text) for text in made]


def score(text: str, keywords: Sequence[Keyword]) -> int:
    """0..100: the best search terms by weight (60) and a length that search results show in full (40)."""
    top = keywords[:6]
    total = sum(keyword.weight for keyword in top)
    covered = sum(keyword.weight for keyword in top if contains_words(text, keyword.text)) / total if total else 0.5
    length = min(len(text) / 70, 1.0) if len(text) <= META_DESCRIPTION_LIMIT else 0.75
    return round(60 * covered + 40 * length)


def _opening(facts: Known) -> str:
    head = headline(facts)
    return sentence(f"{head}, {facts.condition_words}" if facts.condition_words else head)


def _condition_opening(facts: Known) -> str:
    words = facts.condition_words
    return sentence(f"{words}: {headline(facts)}") if words else _opening(facts)


def _packed(parts: Sequence[str], limit: int) -> str:
    """The first part, cut to the limit, and as many of the others as fit, in order."""
    text = cut(parts[0], limit)
    for part in parts[1:]:
        longer = f"{text} {part}"
        if len(longer) <= limit:
            text = longer
    return text
