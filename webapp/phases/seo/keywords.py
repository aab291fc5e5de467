"""Search terms for a product, each with a weight and with where it came from.

Every source gives a term a weight; the weights of several sources combine like independent chances
(1 - the product of what each leaves), so that a word that the name, the label and the sellers share comes first.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from webapp.lib.text import SMALL_WORDS, clean, cut, fold, is_code, phrases, word_set
from webapp.phases.facts import Condition, Identity, Keyword, Market, PricedOffer
from webapp.phases.vocabulary import SELLERS_NOISE
from webapp.phases.wording import leaf

LIMIT = 25
LONGEST = 60
MATCH_FOR_WORDS = 80
"""Match that an offer needs to lend its words."""

_EDGES = SMALL_WORDS | word_set("& + - x")

_Weights = dict[str, float]


def collect(identity: Identity, market: Market, category: str | None) -> tuple[Keyword, ...]:
    """The best search terms, heaviest first, at most LIMIT; terms that differ only in case or accents are one."""
    terms: dict[str, _Weights] = defaultdict(dict)
    spelling: dict[str, str] = {}

    def add(text: str, weight: float, source: str) -> None:
        shown = clean(text).lower()
        key = fold(shown)
        if key and len(shown) <= LONGEST and any(char.isalnum() for char in key):
            spelling.setdefault(key, shown)
            terms[key][source] = max(weight, terms[key].get(source, 0.0))

    brand, model = clean(identity.brand or ""), clean(identity.model or "")
    whole = set()
    for text, weight, source in _named(identity, brand, model, category):
        add(text, weight, source)
        whole.add(fold(text))
    for words in ngrams(cut(identity.name or "", 300)):
        add(" ".join(words), 0.45 + 0.1 * len(words), "name")
    for text, weight in _on_label(identity.keywords_seen):
        add(text, weight, "label")
    for text, share in _in_titles(market.offers):
        add(text, 0.7 * share, "offers")
    weights = {key: _together(by_source.values()) for key, by_source in terms.items()}
    kept = _without_parts(weights, whole)
    return tuple(
        Keyword(text=spelling[key], weight=weights[key], sources=tuple(sorted(terms[key]))) for key in kept[:LIMIT]
    )


def ngrams(text: str, longest: int = 3) -> Iterator[tuple[str, ...]]:
    """Runs of one to three neighbouring words that do not start or end with a small word and say something."""
    for group in phrases(text):
        folded = [fold(word) for word in group]
        for start in range(len(group)):
            for end in range(start + 1, min(start + longest, len(group)) + 1):
                run = folded[start:end]
                if run[0] in _EDGES or run[-1] in _EDGES or any(word in SELLERS_NOISE for word in run):
                    continue
                if len(run) == 1 and (len(run[0]) < 3 or run[0].isdigit()):
                    continue
                yield tuple(group[start:end])


def _named(identity: Identity, brand: str, model: str, category: str | None) -> Iterator[tuple[str, float, str]]:
    """What is known by name: brand, model, both, the whole name, the category."""
    name, kind = clean(identity.name or ""), leaf(category or "")
    if brand and model and fold(brand) not in fold(model):
        yield f"{brand} {model}", 0.95, "model"
    if model:
        yield model, 0.85 if is_code(model) else 0.7, "model"
    if brand:
        yield brand, 0.7, "brand"
    if name:
        yield name, 0.8, "name"
    if kind:
        yield kind, 0.6, "category"
    if kind and brand:
        yield f"{brand} {kind}", 0.65, "category"
    if identity.condition is Condition.REFURBISHED and (model or kind):
        yield f"refurbished {f'{brand} {model}'.strip() or kind}", 0.5, "condition"


def _on_label(lines: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Words that stood on the label, the surest first; the weight falls from 0.4 to 0.1."""
    for place, line in enumerate(lines[:40]):
        for words in ngrams(cut(line, 120), longest=2):
            if all(len(word) > 2 for word in words):
                yield " ".join(words), max(0.4 - 0.02 * place, 0.1)


def _in_titles(offers: Sequence[PricedOffer]) -> Iterator[tuple[str, float]]:
    """Runs of words in the sellers' titles with the share of titles that have them; one title alone proves little."""
    titles = [offer.title for offer in offers if offer.match >= MATCH_FOR_WORDS]
    count: dict[str, int] = defaultdict(int)
    spelled: dict[str, str] = {}
    for title in titles:
        for key, text in {fold(" ".join(words)): " ".join(words) for words in ngrams(title)}.items():
            count[key] += 1
            spelled.setdefault(key, text)
    for key, times in count.items():
        if times >= 2 or len(titles) == 1:
            yield spelled[key], times / max(len(titles), 3)


def _together(weights: Iterable[float]) -> float:
    left = 1.0
    for weight in weights:
        left *= 1 - min(weight, 1.0)
    return round(1 - left, 3)


def _without_parts(weights: _Weights, whole: set[str]) -> list[str]:
    """Heaviest first, without runs of words that only occur as a part of a heavier run."""
    ranked = sorted(weights, key=lambda key: (-weights[key], -len(key), key))
    kept: list[str] = []
    for key in ranked:
        is_part = any(f" {key} " in f" {longer} " for longer in kept)
        if key in whole or not is_part or (" " not in key and len(kept) < LIMIT // 2):
            kept.append(key)
    return kept
