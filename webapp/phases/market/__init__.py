"""Phase 2: what the market asks for the product, from the offers the client knows."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from webapp.lib import gtin
from webapp.lib.money import decimal_string, shown
from webapp.lib.text import clean, cut, fold, unique
from webapp.phases.channels import CONDITION_WORDS
from webapp.phases.facts import (
    Alternative,
    Condition,
    Evidence,
    Field,
    Identity,
    Interval,
    Market,
    Offer,
    Offers,
    Rates,
    Report,
    Verdict,
)
from webapp.phases.market import prices, summaries
from webapp.phases.market.sightings import (
    Sighting,
    choose_currency,
    converted,
    in_play,
    put_aside_incomparable,
    put_aside_unusable,
    sight,
    web_link,
)
from webapp.phases.matching.matchers import Matcher, Rules

MARKETPLACES = ("amazon", "ebay", "walmart", "allegro", "bol", "cdiscount", "otto", "kaufland", "rakuten", "etsy")
"""The best-known marketplaces, best first; an offer's marketplace belongs to one when its name begins with it."""

NEAR_MISS = 35
"""Offers that are another product, but resemble ours this much, are listed with the reason: a person may disagree."""

LISTED_MISSES = 20
LISTED_OFFERS = 100
EVIDENCE_SHOWN = 5


def research(
    identity: Identity,
    offers: Offers,
    report: Report,
    now: datetime,
    currency: str | None = None,
    matcher: Matcher | None = None,
    rates: Rates | None = None,
    verdicts: Sequence[Verdict] = (),
) -> Market:
    """Finds the offers for a product and works out what it sells for.

    Offers come by barcode first, then by words. Findings are in `currency`, or in that of most offers; offers in other
    money are converted by the `rates` of the day they were seen, or left out. Compared is what a buyer pays, with
    shipping. The competitive price is the weighted median of the cheaper half of the offers that count (weights:
    freshness, match) and the client's own sales; the list price is the newest one; the marketplace price is the
    cheapest offer on the best-known marketplace. `now`: aware; ages are counted from it. `matcher`: who judges which
    offers are the same product, the rules by default. `verdicts`: what people said of offers; it stands, whatever the
    matcher says, and those are listed, found or not. What `report` raises goes through.
    """
    candidates = _candidates(identity, offers, report, verdicts)
    report(50, f"Comparing {_count(len(candidates), 'offer')} with the product")
    found = sight(identity, candidates, now, matcher or Rules(), verdicts)
    same = [one for one in found if one.match.same]
    misses = [one for one in found if not one.match.same and one.match.score >= NEAR_MISS][:LISTED_MISSES]
    misses += [one for one in found if one.said_same is False]
    report(75, f"Working out prices from {_count(len(same), 'offer')} of the same product")
    chosen = choose_currency(same, currency)
    known = converted([*same, *misses], chosen or "", rates)
    usable = put_aside_unusable(known, chosen or "", with_rates=rates is not None)
    judged = put_aside_incomparable(usable, identity.condition)
    used = in_play(judged)
    list_price = next((one for one in judged if one.is_list_price and not one.aside), None)
    marketplace, cheapest = _best_marketplace(used)
    silence = _why_nothing(candidates, judged)
    report(90, "Writing down the findings")
    ages = [one.age_days for one in used]
    # What a person said can be taken back only where it is listed.
    kept = sorted(judged, key=lambda one: (one.said_same is None, bool(one.aside)))[:LISTED_OFFERS]
    listed = sorted(kept, key=lambda one: bool(one.aside))
    market = Market(
        competitive_price=_competitive_price(used, chosen, identity.condition, silence),
        list_price=_single_price(list_price, "List price", chosen, "None of the offers is a maker's list price"),
        marketplace_price=_single_price(
            cheapest, f"Cheapest on {marketplace}", chosen, "No offer that counts names its marketplace"
        ),
        brand=_vote(((one.offer.brand, one) for one in same), identity.brand, "brand"),
        category=_vote(((one.offer.category, one) for one in same), identity.category, "category"),
        marketplace=marketplace,
        marketplace_link=web_link(cheapest.offer.link) if cheapest else None,
        currency=chosen if used or list_price else None,
        low=min((one.price for one in used), default=None),
        high=max((one.price for one in used), default=None),
        offers_found=sum(not one.is_list_price for one in same),
        offers_used=len(used),
        newest_days=min(ages, default=None),
        oldest_days=max(ages, default=None),
        sales_used=sum(one.is_sale for one in used),
        interval=_interval(used),
        conditions=summaries.by_condition(usable, used),
        history=summaries.history(judged, offers, chosen or "", rates),
        offers=tuple(one.priced(chosen) for one in listed),
    )
    report(100, silence if not used else f"Priced from {_count(len(used), 'offer')}")
    return market


def _candidates(identity: Identity, offers: Offers, report: Report, verdicts: Sequence[Verdict]) -> list[Offer]:
    """Every offer that may be for the product, each once; also those that people spoke of."""
    found: dict[str, Offer] = {}
    known = gtin.try_normalise(identity.gtin14) if identity.gtin14 else None
    if known and not gtin.is_restricted(known):
        report(5, "Looking for offers with the same barcode")
        found.update((offer.id, offer) for offer in offers.by_gtin(known))
    queries = _queries(identity)
    for number, query in enumerate(queries):
        report(15 + 30 * number / len(queries), f"Looking for offers like “{cut(query, 60)}”")
        for offer in offers.search(query):
            found.setdefault(offer.id, offer)
    for verdict in verdicts:
        found.setdefault(verdict.offer.id, verdict.offer)
    return list(found.values())


def _queries(identity: Identity) -> list[str]:
    name, brand, model = (clean(part or "") for part in (identity.name, identity.brand, identity.model))
    branded = name if fold(brand) in fold(name) else f"{brand} {name}"
    return [cut(query, 200) for query in unique([f"{brand} {model}" if model else "", branded if name else ""])]


def _weighed(used: Sequence[Sighting]) -> list[prices.Weighed]:
    return [prices.Weighed(one.price, one.weight, index) for index, one in enumerate(used)]


def _competitive(used: Sequence[Sighting]) -> prices.Weighed:
    weighed = _weighed(used)
    return prices.competitive(
        [one for one in weighed if not used[one.index].is_sale], [one for one in weighed if used[one.index].is_sale]
    )


def _interval(used: Sequence[Sighting]) -> Interval | None:
    bounds = prices.interval(_weighed(used), _competitive(used).price) if used else None
    return Interval(low=bounds[0], high=bounds[1], percent=prices.INTERVAL_PERCENT) if bounds else None


def _competitive_price(used: Sequence[Sighting], currency: str | None, wanted: Condition | None, silence: str) -> Field:
    if not used or currency is None:
        return Field(evidence=(Evidence(kind="offer", says=silence, weight=0.0),))
    price = _competitive(used)
    conditions = {one.condition for one in used}
    scores = [one.match.score for one in used]
    confidence = prices.confidence(_weighed(used), [one.age_days for one in used], scores)
    if wanted is None or (wanted not in conditions and wanted is not Condition.NEW):
        confidence = confidence * 2 // 3
    ranked = sorted(used, key=lambda one: (-one.weight, one.offer.id))
    # The offer whose price was taken comes first, then those that weighed most.
    first = used[price.index]
    witnesses = [first, *(one for one in ranked if one is not first)][:EVIDENCE_SHOWN]
    return Field(
        value=decimal_string(price.price, currency),
        confidence=confidence,
        evidence=(_rule(used, wanted), *(_witness(one) for one in witnesses)),
    )


def _rule(used: Sequence[Sighting], wanted: Condition | None) -> Evidence:
    conditions = sorted({CONDITION_WORDS[one.condition] for one in used})
    sales = sum(one.is_sale for one in used)
    says = f"{_middle(len(used) - sales, sales)}, condition {' or '.join(conditions)}"
    if wanted is None:
        says += "; the item's own condition is not known"
    elif wanted not in {one.condition for one in used}:
        says += f"; there is none in condition “{CONDITION_WORDS[wanted]}”"
    return Evidence(kind="rule", says=f"{says}.")


def _middle(offers: int, sales: int) -> str:
    """Which middle of how many was taken: `prices.competitive` in words."""
    asked, sold = _count(offers, "offer"), f"{sales:,} of your own sales"
    what = " and ".join([asked] * bool(offers) + [sold] * bool(sales))
    if offers + sales <= 3:
        return {1: what, 2: f"Lower of {what}"}.get(offers + sales, f"Middle of {what}")
    cheaper = f"the cheaper half of {what}" if offers > 3 else what
    return f"Middle of {cheaper}" + (" (a sale counts twice)" if offers and sales else "")


def _single_price(one: Sighting | None, what: str, currency: str | None, silence: str) -> Field:
    if one is None or currency is None:
        return Field(evidence=(Evidence(kind="offer", says=f"{silence}.", weight=0.0),))
    half_life = prices.LIST_HALF_LIFE_DAYS if one.is_list_price else prices.HALF_LIFE_DAYS
    return Field(
        value=decimal_string(one.price, currency),
        confidence=min(95, round(prices.freshness(one.age_days, half_life) * one.match.score)),
        evidence=(_witness(one, f"{what}: "),),
    )


def _witness(one: Sighting, lead: str = "") -> Evidence:
    seller = cut(one.offer.marketplace or one.offer.source, 60) or "Unnamed source"
    age = "today" if one.age_days == 0 else f"{_count(one.age_days, 'day')} ago"
    condition = "" if one.is_list_price else f", {CONDITION_WORDS[one.condition]}"
    who, seen = (f"Sold by you ({seller})", age) if one.is_sale else (seller, f"seen {age}")
    says = f"{lead}{who}, {_price_words(one)}{condition}, {seen}. {one.match.why}."
    return Evidence(kind="offer", says=says, weight=min(1.0, round(one.weight, 3)), record_id=one.offer.id)


def _price_words(one: Sighting) -> str:
    own, shipping = clean(one.offer.currency).upper(), one.offer.shipping
    words = shown(one.offer.price, own)
    words += f" and {shown(shipping, own)} shipping" if shipping else ""
    if one.rate_day is None:
        return words
    return f"{words}, that is {shown(one.price, one.currency)} at the rate of {one.rate_day:%-d %b %Y}"


def _best_marketplace(used: Sequence[Sighting]) -> tuple[str | None, Sighting | None]:
    """The best-known marketplace among the offers that count, as it is written there, and its cheapest offer."""
    named = [one for one in used if clean(one.offer.marketplace or "") and not one.is_sale]
    if not named:
        return None, None
    size = Counter(fold(one.offer.marketplace or "") for one in named)
    best = min(size, key=lambda name: (_fame(name), -size[name], name))
    there = [one for one in named if fold(one.offer.marketplace or "") == best]
    cheapest = min(there, key=lambda one: (one.price, one.age_days, one.offer.id))
    return cut(cheapest.offer.marketplace or "", 80), cheapest


def _fame(marketplace: str) -> int:
    return next((rank for rank, name in enumerate(MARKETPLACES) if marketplace.startswith(name)), len(MARKETPLACES))


def _vote(ballots: Iterable[tuple[str | None, Sighting]], own: str | None, what: str) -> Field:
    """The value that the offers of the same product agree on, each with its weight; our own finding votes like one
    perfect offer. Our spelling is kept, else the most frequent one is taken."""
    weights: defaultdict[str, float] = defaultdict(float)
    spellings: dict[str, Counter[str]] = {}
    evidence: dict[str, list[Evidence]] = {}
    votes: list[tuple[str, float, Sighting | None]]
    votes = [(clean(value or ""), one.weight, one) for value, one in ballots]
    votes.append((clean(own or ""), 1.0, None))
    for value, weight, one in votes:
        if not (key := fold(value)):
            continue
        weights[key] += weight
        spellings.setdefault(key, Counter())[cut(value, 200)] += 1
        known = f"Already known: {cut(value, 80)}." if one is None else ""
        proof = Evidence(kind="rule", says=known) if one is None else _witness(one)
        evidence.setdefault(key, []).append(proof)
    total = sum(weights.values())
    if not total:
        says = f"Neither the product nor an offer for it names a {what}."
        return Field(evidence=(Evidence(kind="offer", says=says, weight=0.0),))
    ranked = sorted(weights, key=lambda key: (-weights[key], key))
    values = {key: min(spellings[key], key=lambda spelling: (-spellings[key][spelling], spelling)) for key in ranked}
    if fold(own or "") in values:
        values[fold(own or "")] = cut(own or "", 200)
    surety = {key: min(95, round(100 * weights[key] / total * (1 - 0.35 ** (1 + weights[key])))) for key in ranked}
    best = ranked[0]
    return Field(
        value=values[best],
        confidence=surety[best],
        evidence=tuple(sorted(evidence[best], key=lambda proof: -proof.weight)[:EVIDENCE_SHOWN]),
        alternatives=tuple(Alternative(value=values[key], confidence=surety[key]) for key in ranked[1:4]),
    )


def _why_nothing(candidates: Sequence[Offer], judged: Sequence[Sighting]) -> str:
    """Why there is no competitive price, in one sentence."""
    if not candidates:
        return "Looked through the offers and found none that resembles this product."
    same = [one for one in judged if one.match.same and not one.is_list_price]
    if not same and any(one.match.same for one in judged):
        return "Found a list price for this product, but no offer."
    if not same:
        return f"Looked at {_count(len(candidates), 'offer')}; none is surely for this product."
    reasons = Counter(one.aside for one in same if one.aside).most_common(1)
    return f"{_count(len(same), 'offer')} for this product, but none counts ({reasons[0][0]})." if reasons else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"
