"""Offers as market research sees them: compared with the product, aged, and either used or set aside with a reason."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import urlsplit

from webapp.lib.money import LARGEST, rounded
from webapp.lib.text import clean, cut, fold
from webapp.phases.channels import CONDITION_WORDS
from webapp.phases.facts import Condition, Identity, Offer, PricedOffer, Rates, Verdict
from webapp.phases.market import prices
from webapp.phases.market.conditions import comparable, condition_of
from webapp.phases.market.entries import of_identity, of_offer
from webapp.phases.matching.judging import EXACT, Match
from webapp.phases.matching.matchers import Matcher

STALE_DAYS = 365
"""Older offers are set aside as long as there are fresher ones."""

SEEN_AGAIN = "Seen again later"
TOO_OLD = "More than a year old"


@dataclass(frozen=True)
class Sighting:
    """One offer, how surely it is our product, in what condition, how old.

    `price` in `currency`: what a buyer pays, with shipping. It is converted where the offer is in other money, by the
    rate of `rate_day`. `said_same`: what a person said of it, None if nobody did. `aside`: why it is not used, '' if it
    is.
    """

    offer: Offer
    match: Match
    condition: Condition
    age_days: int
    price: Decimal
    currency: str
    rate_day: date | None = None
    said_same: bool | None = None
    aside: str = ""

    @property
    def day(self) -> date:
        """The day it was seen."""
        return _utc(self.offer.seen_at).date()

    @property
    def is_sale(self) -> bool:
        """Whether the client sold at this price."""
        return self.offer.kind == "sale"

    @property
    def is_list_price(self) -> bool:
        """Whether this is the maker's list price rather than an offer."""
        return self.offer.kind == "list"

    @property
    def weight(self) -> float:
        """How much it counts, 0..1, a sale up to SALE_WEIGHT."""
        return prices.weight(self.age_days, self.match.score) * (prices.SALE_WEIGHT if self.is_sale else 1.0)

    def put_aside(self, why: str) -> "Sighting":
        """The same, not used."""
        return replace(self, aside=why)

    def priced(self, currency: str | None) -> PricedOffer:
        """The form that findings in `currency` keep."""
        offer = self.offer
        return PricedOffer(
            id=offer.id,
            source=clean(offer.source),
            title=cut(offer.title, 300),
            price=offer.price,
            currency=clean(offer.currency).upper(),
            shipping=offer.shipping,
            compared=self.price if self.currency == currency else None,
            rate_day=self.rate_day,
            kind=offer.kind,
            seen_at=offer.seen_at,
            age_days=self.age_days,
            match=self.match.score,
            used=not self.aside,
            why=self.aside or self.match.why,
            marketplace=cut(offer.marketplace or "", 80) or None,
            link=web_link(offer.link),
            condition=self.condition if offer.condition or self.condition is not Condition.NEW else None,
            said_same=self.said_same,
        )


def web_link(link: str | None) -> str | None:
    """The link if it leads to a web page; anything else (`javascript:`, a path, a broken address, one that seems to
    lead elsewhere than it does) is dropped."""
    text = clean(link or "")
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    misleads = "\\" in text or "@" in parts.netloc
    return text if parts.scheme in ("http", "https") and parts.netloc and not misleads and len(text) <= 2000 else None


def sight(
    identity: Identity, offers: Sequence[Offer], now: datetime, matcher: Matcher, verdicts: Sequence[Verdict] = ()
) -> list[Sighting]:
    """Every offer with a usable price, compared with the product, those of `verdicts` by the person alone; best match
    first, then newest, then by id."""
    priced = [offer for offer in offers if _has_price(offer)]
    # All are judged, also those that a person spoke of: they are rivals of the others.
    matches = matcher.judge(of_identity(identity), [of_offer(offer) for offer in priced])
    said = {verdict.offer.id: verdict for verdict in verdicts}
    seen = [
        Sighting(
            offer=offer,
            match=_said(said[offer.id]) if offer.id in said else match,
            condition=condition_of(offer),
            age_days=max((_utc(now) - _utc(offer.seen_at)).days, 0),
            price=_with_shipping(offer),
            currency=clean(offer.currency).upper(),
            said_same=said[offer.id].is_same if offer.id in said else None,
        )
        for offer, match in zip(priced, matches, strict=True)
    ]
    return sorted(seen, key=lambda one: (-one.match.score, one.age_days, one.offer.price, one.offer.id))


def _said(verdict: Verdict) -> Match:
    who = f"by {cut(verdict.by, 60)} on {verdict.day:%-d %b %Y}"
    return Match(EXACT, f"Taken in {who}") if verdict.is_same else Match(0, f"Left out {who}", ruled_out=True)


def _with_shipping(offer: Offer) -> Decimal:
    extra = offer.shipping
    return offer.price + extra if extra is not None and extra.is_finite() and 0 < extra <= LARGEST else offer.price


def _has_price(offer: Offer) -> bool:
    """Nobody asks what is not a number, in no currency, or less than the currency's smallest coin."""
    price, currency = offer.price, clean(offer.currency).upper()
    return bool(currency) and price.is_finite() and 0 < price <= LARGEST and rounded(price, currency) > 0


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def choose_currency(same: Sequence[Sighting], wanted: str | None) -> str | None:
    """The currency asked for, else the one that most offers are in (the newest decides between equals)."""
    if wanted:
        return clean(wanted).upper()
    count = Counter(one.currency for one in same)
    newest = {one.currency: one.age_days for one in sorted(same, key=lambda one: -one.age_days)}
    return min(count, key=lambda currency: (-count[currency], newest[currency], currency), default=None)


def converted(found: Sequence[Sighting], currency: str, rates: Rates | None) -> list[Sighting]:
    """The sightings in `currency`: those of our product in other money are converted by the rate of the day they were
    seen; where none is known they stay as they are."""
    wanted = {(one.currency, one.day) for one in found if one.match.same and one.currency != currency}
    known = rates.into(currency, wanted) if rates is not None and wanted and currency else {}

    def one_of(one: Sighting) -> Sighting:
        rate = known.get((one.currency, one.day))
        if rate is None or one.currency == currency:
            return one
        price = rounded(min(one.price * rate.rate, LARGEST), currency)
        return replace(one, price=price, currency=currency, rate_day=rate.day) if price > 0 else one

    return [one_of(one) for one in found]


def put_aside_unusable(found: Sequence[Sighting], currency: str, *, with_rates: bool) -> list[Sighting]:
    """The sightings, with a reason on each that says nothing about our product in this currency: another product,
    money that could not be converted, an older sighting of the same offer. Of list prices only the newest counts."""
    missing = "and no exchange rate into {} is known for {:%-d %b %Y}" if with_rates else "not in {}"

    def foreign(one: Sighting) -> str:
        return "" if one.currency == currency else f"In {one.currency}, {missing.format(currency, one.day)}"

    found = _judged(found, lambda one: "" if one.match.same else one.match.why)
    found = _judged(found, foreign)
    return _put_aside_repeats(_put_aside_older_list_prices(found))


def put_aside_incomparable(found: Sequence[Sighting], wanted: Condition | None) -> list[Sighting]:
    """The sightings, with a reason on each that cannot be compared with an item in condition `wanted`: another
    condition, too old, a price far from the others."""
    fitting = comparable(wanted, [one.condition for one in in_play(found)])
    found = _offers_judged(found, lambda one: one.condition in fitting, "Condition is {condition}")
    if any(one.age_days <= STALE_DAYS for one in in_play(found)):
        found = _offers_judged(found, lambda one: one.age_days <= STALE_DAYS, TOO_OLD)
    playing = in_play(found)
    far = {id(playing[place]) for place in prices.outliers([one.price for one in playing])}
    return _offers_judged(found, lambda one: id(one) not in far, "Price is far from the others")


def in_play(found: Sequence[Sighting]) -> list[Sighting]:
    """The offers (not list prices) that still count."""
    return [one for one in found if not one.aside and not one.is_list_price]


def _judged(found: Sequence[Sighting], reason: Callable[[Sighting], str]) -> list[Sighting]:
    """Sets those aside for which `reason` gives one; the first reason stays."""
    return [one if one.aside else one.put_aside(reason(one)) for one in found]


def _offers_judged(found: Sequence[Sighting], fits: Callable[[Sighting], bool], why: str) -> list[Sighting]:
    """Sets the offers aside that do not fit; list prices are not judged by age, condition or other prices."""

    def reason(one: Sighting) -> str:
        return "" if one.is_list_price or fits(one) else why.format(condition=CONDITION_WORDS[one.condition])

    return _judged(found, reason)


def _put_aside_older_list_prices(found: Sequence[Sighting]) -> list[Sighting]:
    lists = [one for one in found if one.is_list_price and not one.aside]
    order = sorted(lists, key=lambda one: (one.age_days, -one.match.score, -one.price, one.offer.id))
    return _judged(found, lambda one: "An older list price" if any(one is older for older in order[1:]) else "")


def _put_aside_repeats(found: Sequence[Sighting]) -> list[Sighting]:
    """A shop's offer that was seen again later counts once. Several sellers of one page on one day all count, and so
    does each sale."""
    newest: dict[tuple[str, ...], int] = {}
    for one in found:
        if not one.aside:
            newest[_offer_key(one)] = min(newest.get(_offer_key(one), one.age_days), one.age_days)
    kept: set[tuple[object, ...]] = set()

    def reason(one: Sighting) -> str:
        if one.is_sale:
            return ""
        if one.age_days > newest[_offer_key(one)]:
            return SEEN_AGAIN
        exact = (*_offer_key(one), one.price)
        repeated = exact in kept and bool(one.offer.link)
        kept.add(exact)
        return "The same offer twice" if repeated else ""

    return _judged(found, reason)


def _offer_key(one: Sighting) -> tuple[str, ...]:
    offer = one.offer
    page = offer.link or fold(offer.title)
    return (offer.kind, fold(offer.source), fold(offer.marketplace or ""), page, one.condition, one.currency)
