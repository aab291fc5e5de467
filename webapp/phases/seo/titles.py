"""Title candidates: brand, name and model in the orders that buyers search in, filled up with what is known."""

from collections.abc import Sequence

from webapp.lib.text import contains_words, cut, fold, is_shouting, stem, unique, words
from webapp.phases import measures
from webapp.phases.channels import TITLE_LIMITS
from webapp.phases.facts import Candidate, Condition, Keyword, PricedOffer
from webapp.phases.seo.keywords import ngrams
from webapp.phases.wording import Known, headline

SHOWN = 6
SELLERS_NEEDED = 3
SELLERS_SHARE = 0.6
SELLERS_MATCH = 90
"""A word belongs to the product when this share of at least SELLERS_NEEDED sellers of surely the same product, by
SELLERS_MATCH, name it."""

GOOD_LENGTH = 45
"""Shorter titles leave search terms out; longer ones are not better for it."""

_CONDITION_SUFFIX = {
    Condition.LIKE_NEW: "Like New",
    Condition.REFURBISHED: "Refurbished",
    Condition.USED: "Used",
    Condition.FOR_PARTS: "For Parts",
}
_WEIGHTS = {"brand": 20, "model": 20, "keywords": 35, "length": 15, "clean": 10}


def candidates(facts: Known, keywords: Sequence[Keyword], offers: Sequence[PricedOffer]) -> tuple[Candidate, ...]:
    """Titles within each channel's limit, best first; empty when neither name nor brand nor model is known.

    Those for eBay end in the condition of what is not new; the shops forbid that (see `best`).
    """
    extras = unique([*_kind_unsaid(facts), *_agreed_by_sellers(facts, offers)])
    suffix = condition_suffix(facts.condition)
    made: list[str] = []
    for lead in _leads(facts):
        for limit in sorted(TITLE_LIMITS.values()):
            made += [_filled(lead, extras, limit), cut(lead, limit)]
        if suffix:
            made.append(_filled(lead, extras, TITLE_LIMITS["ebay"] - len(suffix)) + suffix)
    scored = [
        Candidate(text=text, score=score(text.removesuffix(suffix), facts, keywords), length=len(text))
        for text in unique(made)
    ]
    # sorted() is stable: between equals the more natural order of words, which was made first, wins.
    ranked = sorted(scored, key=lambda title: -title.score)
    kept = ranked[:SHOWN]
    for limit in TITLE_LIMITS.values():
        if not any(title.length <= limit for title in kept):
            kept += [title for title in ranked if title.length <= limit][:1]
    return tuple(kept)


def best(titles: Sequence[Candidate], channel: str, condition: Condition | None) -> str:
    """The best title for a channel: within its limit, and with the condition at its end only on eBay, where it is
    wanted. '' when there is none."""
    suffix = condition_suffix(condition)
    fitting = [title for title in titles if title.length <= TITLE_LIMITS[channel]]
    if suffix:
        stated = [title for title in fitting if title.text.endswith(suffix)]
        plain = [title for title in fitting if not title.text.endswith(suffix)]
        fitting = (stated or plain) if channel == "ebay" else (plain or stated)
    return max(fitting, key=lambda title: title.score).text if fitting else ""


def condition_suffix(condition: Condition | None) -> str:
    """How a title ends that states the condition: ` - Used`; '' for new and for unknown."""
    word = _CONDITION_SUFFIX.get(condition) if condition else None
    return f" - {word}" if word else ""


def score(title: str, facts: Known, keywords: Sequence[Keyword]) -> int:
    """0..100: has the brand (20), the model (20), the best search terms by weight (35), a good length (15), neither
    shouting nor repeats (10). What is not known costs half its points."""
    parts = {
        "brand": _has(title, facts.brand),
        "model": _has(title, facts.model),
        "keywords": _coverage(title, keywords[:10]),
        "length": min(len(title) / GOOD_LENGTH, 1.0),
        "clean": 0.0 if is_shouting(title) or _repeats(title) else 1.0,
    }
    return round(sum(_WEIGHTS[name] * share for name, share in parts.items()))


def _leads(facts: Known) -> list[str]:
    """Orders of brand, name and model, the most natural first. A model that the name lacks stands behind the brand
    when the name is short (`Sony WH-1000XM4 Headphones`), else at the end (`Tefal Emotion Pan Set E8249014`)."""
    natural = headline(facts)
    if not facts.model:
        return [natural] if natural else []
    core = facts.core or (facts.thing if not facts.name else "")
    model_first = " ".join(part for part in (facts.brand, facts.model, core) if part)
    short = len(words(core)) <= 3 and not contains_words(facts.name, facts.model)
    return unique([model_first, natural] if short else [natural, model_first])


def _kind_unsaid(facts: Known) -> list[str]:
    """The kind of thing, when the name says nothing but brand, model and sizes (`Sony WH-1000XM4`)."""
    telling = [word for word in words(measures.without(facts.core)) if len(word) >= 4 and word.isalpha()]
    return [facts.thing] if facts.name and facts.thing and len(facts.thing) <= 30 and not telling else []


def _agreed_by_sellers(facts: Known, offers: Sequence[PricedOffer]) -> list[str]:
    """Words that most sellers of the same product name and that we do not, in the order that sellers write them."""
    titles = [offer.title for offer in offers if offer.match >= SELLERS_MATCH and offer.kind != "list"]
    if len(titles) < SELLERS_NEEDED:
        return []
    said = {stem(word) for word in words(headline(facts))}
    places: dict[str, list[int]] = {}
    spelled: dict[str, str] = {}
    for title in titles:
        new = {fold(run[0]): run[0] for run in ngrams(title, longest=1) if stem(fold(run[0])) not in said}
        for place, (key, word) in enumerate(new.items()):
            places.setdefault(key, []).append(place)
            spelled.setdefault(key, word)
    agreed = [key for key, found in places.items() if len(found) >= SELLERS_SHARE * len(titles) and key.isalpha()]
    agreed.sort(key=lambda key: (sum(places[key]) / len(places[key]), key))
    return [spelled[key].capitalize() if len(key) > 3 else spelled[key] for key in agreed]


def _filled(lead: str, extras: Sequence[str], limit: int) -> str:
    title = cut(lead, limit)
    for extra in extras:
        longer = f"{title} {extra}"
        if len(longer) <= limit and not contains_words(title, extra):
            title = longer
    return title


def _has(title: str, known: str) -> float:
    return 0.5 if not known else 1.0 if contains_words(title, known) else 0.0


def _coverage(title: str, keywords: Sequence[Keyword]) -> float:
    """Share of the search terms by weight whose words all stand in the title, in whatever order."""
    there = {stem(word) for word in words(title)}
    total = sum(keyword.weight for keyword in keywords)
    hits = sum(
        keyword.weight
        for keyword in keywords
        if {stem(word) for word in words(keyword.text)} <= there or contains_words(title, keyword.text)
    )
    return hits / total if total else 0.5


def _repeats(title: str) -> bool:
    stems = [stem(word) for word in words(title) if len(word) > 3]
    return len(stems) != len(set(stems))
