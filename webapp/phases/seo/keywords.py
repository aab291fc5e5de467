"""Search terms for a product, each with a weight and with where it came from.

Every source gives a term a weight; the weights of several sources combine like independent chances
(1 - the product of what each leaves), so that a word that the name, the label and the sellers share comes first.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from webapp.lib.text import SMALL_WORDS, clean, cut, fold, is_code, phrases, word_set, words
from webapp.phases import measures
from webapp.phases.facts import Condition, Keyword, Market, PricedOffer
from webapp.phases.vocabulary import SELLERS_NOISE
from webapp.phases.wording import Known

LIMIT = 25
LONGEST = 60
MATCH_FOR_WORDS = 80
"""Match that an offer needs to lend its words."""

LABEL_LINES = 40
_EDGES = SMALL_WORDS | word_set("& + - x cm mm ml kg inch zoll oz lb very")
_NAME_WEIGHTS = {1: 0.5, 2: 0.6, 3: 0.5}

_Weights = dict[str, float]


def collect(facts: Known, label: Sequence[str], market: Market) -> tuple[Keyword, ...]:
    """The best search terms, heaviest first, at most LIMIT; terms that differ only in case or accents are one.
    `label`: lines that stood on the label, the surest first."""
    terms: dict[str, _Weights] = defaultdict(dict)
    spelling: dict[str, str] = {}
    for text, weight, source in _found(facts, label, market.offers):
        shown = clean(text).lower()
        key = fold(shown)
        if len(shown) <= LONGEST and any(char.isalnum() for char in key):
            spelling.setdefault(key, shown)
            terms[key][source] = max(weight, terms[key].get(source, 0.0))
    weights = {key: _together(by_source.values()) for key, by_source in terms.items()}
    known = {fold(text) for text in (facts.brand, facts.model, facts.name, *_kinds(facts.kind))}
    return tuple(
        Keyword(text=spelling[key], weight=weights[key], sources=tuple(sorted(terms[key])))
        for key in _without_parts(weights, known, fold(facts.name))[:LIMIT]
    )


def ngrams(text: str, longest: int = 3) -> Iterator[tuple[str, ...]]:
    """Runs of one to three neighbouring words that say something by themselves: no sizes, no small words at the
    edges, no sellers' noise, and codes only alone."""
    for group in phrases(measures.without(text)):
        folded = [fold(word) for word in group]
        for start in range(len(group)):
            for end in range(start + 1, min(start + longest, len(group)) + 1):
                if _says_something(folded[start:end]):
                    yield tuple(group[start:end])


def _says_something(run: Sequence[str]) -> bool:
    if run[0] in _EDGES or run[-1] in _EDGES or run[0].isdigit() or any(word in SELLERS_NOISE for word in run):
        return False
    if len(run) == 1:
        return len(run[0]) >= 3
    # `iphone 12` is searched for, `wh-1000xm4 wireless` is not.
    return not any(is_code(word) for word in run)


def _found(facts: Known, label: Sequence[str], offers: Sequence[PricedOffer]) -> Iterator[tuple[str, float, str]]:
    """Every term with the weight that one source gives it, and the source."""
    yield from _named(facts)
    for run in ngrams(facts.name):
        yield " ".join(run), _NAME_WEIGHTS[len(run)], "name"
    for text, weight in _on_label(label):
        yield text, weight, "label"
    for text, share in _in_titles(offers):
        yield text, 0.7 * share, "offers"


def _named(facts: Known) -> Iterator[tuple[str, float, str]]:
    """What is known by name: brand, model, both, the whole name, the category."""
    brand, model = facts.brand, facts.model
    if brand and model and fold(brand) not in fold(model):
        yield f"{brand} {model}", 0.95, "model"
    if model:
        yield model, 0.85 if is_code(model) else 0.7, "model"
    if brand:
        yield brand, 0.7, "brand"
    if facts.name:
        yield facts.name, 0.8, "name"
    for kind in _kinds(facts.kind):
        yield kind, 0.6, "category"
        if brand:
            yield f"{brand} {kind}", 0.65, "category"
    if facts.condition is Condition.REFURBISHED and model:
        yield f"refurbished {brand} {model}", 0.5, "condition"


def _kinds(kind: str) -> list[str]:
    """`Cell Phones & Smartphones` are two things to search for."""
    return [part for part in re.split(r"\s*(?:&|,|\+| and | und )\s*", kind) if part]


def _on_label(lines: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Words that stood on the label, the surest first; the weight falls from 0.4 to 0.1."""
    for place, line in enumerate(lines[:LABEL_LINES]):
        for run in ngrams(cut(line, 120), longest=2):
            if all(len(word) > 2 for word in run):
                yield " ".join(run), max(0.4 - 0.02 * place, 0.1)


def _in_titles(offers: Sequence[PricedOffer]) -> Iterator[tuple[str, float]]:
    """Runs of words in the sellers' titles with the share of titles that have them; one title alone proves little."""
    titles = [offer.title for offer in offers if offer.match >= MATCH_FOR_WORDS]
    count: dict[str, int] = defaultdict(int)
    spelled: dict[str, str] = {}
    for title in titles:
        for key, text in {fold(" ".join(run)): " ".join(run) for run in ngrams(title)}.items():
            count[key] += 1
            spelled.setdefault(key, text)
    for key, times in count.items():
        if times >= 2 or (len(titles) == 1 and len(words(key)) == 1):
            yield spelled[key], times / max(len(titles), 3)


def _together(weights: Iterable[float]) -> float:
    left = 1.0
    for weight in weights:
        left *= 1 - min(weight, 1.0)
    return round(1 - left, 3)


def _without_parts(weights: _Weights, known: set[str], name: str) -> list[str]:
    """Heaviest first, without runs of words that are only a part of a run that weighs as much or nearly so; what is
    known by name stays, and the whole name makes no run superfluous."""
    ranked = sorted(weights, key=lambda key: (-weights[key], -len(key), key))
    return [
        key
        for key in ranked
        if key in known
        or not any(
            f" {key} " in f" {longer} " and weights[longer] >= weights[key] - 0.1
            for longer in ranked
            if len(longer) > len(key) and longer != name
        )
    ]
