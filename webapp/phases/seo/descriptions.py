"""Description candidates for search results and pages: short true sentences from known facts."""

from collections.abc import Sequence

from webapp.lib.text import contains_words, cut, sentence, unique
from webapp.phases.channels import DESCRIPTION_LIMIT, META_DESCRIPTION_LIMIT
from webapp.phases.facts import Candidate, Keyword
from webapp.phases.wording import Known, details, headline

GOOD_LENGTH = 70
"""Shorter descriptions leave room in the search result unused."""


def candidates(facts: Known, keywords: Sequence[Keyword]) -> tuple[Candidate, ...]:
    """Two short ones within META_DESCRIPTION_LIMIT and one that says everything, best first; empty when nothing is
    known."""
    head = headline(facts)
    if not head:
        return ()
    news = [(name, value) for name, value in details(facts) if not contains_words(head, value)]
    opening = f"{facts.condition_words.capitalize()}: {head}" if facts.condition else head
    in_one = [f"{name.lower() if name.istitle() else name} {value}" for name, value in news if name != "Category"]
    condition = [sentence(f"Condition: {facts.condition_words}")] if facts.condition else []
    remarks = [sentence(facts.condition_details)] if facts.condition_details else []
    short = [*condition, *(_stated(name, value) for name, value in news), *remarks]
    everything = [*condition, *remarks, *(_stated(name, value) for name, value in details(facts))]
    made = unique(
        [
            _packed(sentence(head), short, " ", META_DESCRIPTION_LIMIT),
            sentence(_packed(opening, in_one, ", ", META_DESCRIPTION_LIMIT - 1)),
            _packed(sentence(head), everything, " ", DESCRIPTION_LIMIT),
        ]
    )
    scored = [Candidate(text=text, score=score(text, keywords), length=len(text)) for text in made]
    return tuple(sorted(scored, key=lambda candidate: -candidate.score))


def score(text: str, keywords: Sequence[Keyword]) -> int:
    """0..100: the best search terms by weight (60) and a length that search results show in full (40)."""
    top = keywords[:6]
    total = sum(keyword.weight for keyword in top)
    covered = sum(keyword.weight for keyword in top if contains_words(text, keyword.text)) / total if total else 0.5
    length = min(len(text) / GOOD_LENGTH, 1.0) if len(text) <= META_DESCRIPTION_LIMIT else 0.75
    return round(60 * covered + 40 * length)


def _stated(name: str, value: str) -> str:
    return sentence(f"{name}: {value}")


def _packed(opening: str, parts: Sequence[str], separator: str, limit: int) -> str:
    """The opening, cut to the limit, and as many of the parts as fit, in order."""
    text = cut(opening, limit)
    for part in parts:
        longer = f"{text}{separator}{part}"
        if len(longer) <= limit:
            text = longer
    return text
