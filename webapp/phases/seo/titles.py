"""Title candidates: brand, name and model in the orders that buyers search in, filled up with what is known."""

from collections.abc import Iterable, Sequence

from webapp.lib.text import contains_words, cut, fold, is_shouting, unique, words
from webapp.phases.channels import TITLE_LIMITS
from webapp.phases.facts import Candidate, Condition, Keyword, PricedOffer
from webapp.phases.seo.keywords import ngrams
from webapp.phases.wording import Known, headline

SHOWN = 6
SELLERS_NEEDED = 3
SELLERS_SHARE = 0.6
"""A word belongs to the product when this share of at least SELLERS_NEEDED sellers of the same product name it."""

_CONDITION_SUFFIX = {
    Condition.LIKE_NEW: "Like New",
    Condition.REFURBISHED: "Refurbished",
    Condition.USED: "Used",
    Condition.FOR_PARTS: "For Parts",
}
_WEIGHTS = {"brand": 20, "model": 20, "keywords": 30, "length": 15, "front": 10, "clean": 5}


def candidates(facts: Known, keywords: Sequence[Keyword], offers: Sequence[PricedOffer]) -> tuple[Candidate, ...]:
    """Titles within each channel's limit, best first; empty when neither name nor brand nor model is known."""
    extras = unique([*_missing_kind(facts), *_agreed_by_sellers(facts, offers)])
    condition = _CONDITION_SUFFIX.get(facts.condition) if facts.condition else None
    made: list[str] = []
    for lead in _leads(facts):
        for limit in sorted(TITLE_LIMITS.values()):
            made.append(cut(lead, limit))
            made.append(_filled(lead, extras, limit))
            # Only auctions and classifieds want the condition in the title: shops forbid it.
            if condition and limit == TITLE_LIMITS["ebay"] and not contains_words(lead, condition):
                made.append(f"{_filled(lead, extras, limit - len(condition) - 3)} - {condition}")
    scored = [Candidate(text=text, score=score(text, facts, keywords), length=len(text)) for text in unique(made)]
    ranked = sorted(scored, key=lambda title: (-title.score, title.length, title.text))
    return tuple(_with_one_for_each_channel(ranked))


def score(title: str, facts: Known, keywords: Sequence[Keyword]) -> int:
    """0..100: has the brand (20), the model (20), the best search terms by weight (30), a good length (15), what
    matters within the first 40 characters (10), no shouting and no repeats (5). What is unknown is not held against
    the title, except by half its points."""
    parts = {
        "brand": _has(title, facts.brand),
        "model": _has(title, facts.model),
        "keywords": _coverage(title, keywords[:10]),
        "length": 1.0 if len(title) >= 45 else len(title) / 45,
        "front": 1.0 if any(known and contains_words(title[:40], known) for known in (facts.brand, facts.model)) else 0,
        "clean": 0.0 if is_shouting(title) or _repeats(title) else 1.0,
    }
    return round(sum(_WEIGHTS[name] * share for name, share in parts.items()))


def best(titles: Sequence[Candidate], limit: int) -> str:
    """The best title within a limit; between equals the longer. '' when there is none."""
    fitting = [title for title in titles if title.length <= limit]
    return max(fitting, key=lambda title: (title.score, title.length, title.text)).text if fitting else ""


def _leads(facts: Known) -> list[str]:
    core, kind = facts.core, facts.name or facts.kind
    brand_in_core = contains_words(core, facts.brand)
    brand = "" if brand_in_core else facts.brand
    model = "" if contains_words(core, facts.model) or contains_words(facts.brand, facts.model) else facts.model
    orders = [(brand, model, core or kind), (brand, core or kind, model)] if core or kind else [(brand, model, "")]
    leads = [" ".join(part for part in order if part) for order in orders]
    return unique([*leads, headline(facts)])


def _missing_kind(facts: Known) -> Iterable[str]:
    """The kind of thing, when the name does not say it (`Sony WH-1000XM4` is a pair of `Headphones`)."""
    stems = {_stem(word) for word in words(facts.name)}
    if facts.kind and facts.name and len(facts.kind) <= 30 and not stems & {_stem(word) for word in words(facts.kind)}:
        yield facts.kind


def _agreed_by_sellers(facts: Known, offers: Sequence[PricedOffer]) -> list[str]:
    """Words that most sellers of the same product name and that we do not, in the order sellers write them."""
    titles = [offer.title for offer in offers if offer.match >= 90]
    if len(titles) < SELLERS_NEEDED:
        return []
    count: dict[str, int] = {}
    spelled: dict[str, str] = {}
    for title in titles:
        for key, word in {fold(run[0]): run[0] for run in ngrams(title, longest=1)}.items():
            count[key] = count.get(key, 0) + 1
            spelled.setdefault(key, word)
    agreed = [key for key, times in count.items() if times >= SELLERS_SHARE * len(titles)]
    return [_as_written(spelled[key]) for key in agreed if not contains_words(headline(facts), spelled[key])]


def _as_written(word: str) -> str:
    return word.capitalize() if word.isalpha() and len(word) > 4 and (word.isupper() or word.islower()) else word


def _filled(lead: str, extras: Sequence[str], limit: int) -> str:
    title = cut(lead, limit)
    for extra in extras:
        longer = f"{title} {extra}"
        if len(longer) <= limit and not contains_words(title, extra):
            title = longer
    return title


def _with_one_for_each_channel(ranked: Sequence[Candidate]) -> list[Candidate]:
    kept = list(ranked[:SHOWN])
    for limit in TITLE_LIMITS.values():
        if ranked and not any(title.length <= limit for title in kept):
            kept.append(next(title for title in ranked if title.length <= limit))
    return sorted(kept, key=lambda title: (-title.score, title.length, title.text))


def _has(title: str, known: str) -> float:
    return 0.5 if not known else 1.0 if contains_words(title, known) else 0.0


def _coverage(title: str, keywords: Sequence[Keyword]) -> float:
    total = sum(keyword.weight for keyword in keywords)
    return sum(keyword.weight for keyword in keywords if contains_words(title, keyword.text)) / total if total else 0.5


def _repeats(title: str) -> bool:
    stems = [_stem(word) for word in words(title) if len(word) > 3]
    return len(stems) != len(set(stems))


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word
