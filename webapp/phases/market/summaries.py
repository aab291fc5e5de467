"""What the sightings of a product show beside the competitive price: each kind of condition apart, and the past."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from webapp.lib.money import LARGEST, rounded
from webapp.phases.facts import ConditionPrice, Offers, PastPrice, Rates, SeenPrice
from webapp.phases.market import prices
from webapp.phases.market.conditions import KINDS
from webapp.phases.market.sightings import SEEN_AGAIN, TOO_OLD, Sighting, in_play

MOST_DOTS = 240
"""The newest dots of a history are kept: more are a smear, and every open page is sent them."""


def by_condition(usable: Sequence[Sighting], used: Sequence[Sighting]) -> tuple[ConditionPrice, ...]:
    """What new, second-hand and broken items go for, each by itself and without its own outliers."""
    compared = {one.condition for one in used}
    found = []
    for kind, conditions in KINDS.items():
        there = [one for one in in_play(usable) if one.condition in conditions]
        far = prices.outliers([one.price for one in there])
        near = [one for place, one in enumerate(there) if place not in far]
        if not near:
            continue
        weighed = [prices.Weighed(one.price, one.weight, place) for place, one in enumerate(near)]
        found.append(
            ConditionPrice(
                kind=kind,
                offers=len(near),
                low=min(one.price for one in near),
                middle=prices.at_share(weighed, 0.5).price,
                high=max(one.price for one in near),
                compared=not compared.isdisjoint(conditions),
            )
        )
    return tuple(found)


def history(judged: Sequence[Sighting], offers: Offers, currency: str, rates: Rates | None) -> tuple[SeenPrice, ...]:
    """What the offers that count ask and asked, and earlier sightings of them: oldest first, without outliers."""
    kept = {
        one.offer.id: one
        for one in judged
        if not one.is_list_price and (not one.aside or one.aside in (SEEN_AGAIN, TOO_OLD))
    }
    if not kept:
        return ()
    now = [SeenPrice(day=one.day, price=one.price, kind=one.offer.kind, used=not one.aside) for one in kept.values()]
    past = [
        SeenPrice(day=day, price=price, kind=kept[offer_id].offer.kind, used=not kept[offer_id].aside)
        for offer_id, day, price in _in_currency(offers.history(list(kept)), currency, rates)
        if offer_id in kept
    ]
    dots = sorted([*now, *past], key=lambda dot: (dot.day, dot.price))[-MOST_DOTS:]
    far = prices.outliers([dot.price for dot in dots])
    return tuple(dot for place, dot in enumerate(dots) if place not in far)


def _in_currency(past: Sequence[PastPrice], currency: str, rates: Rates | None) -> list[tuple[str, date, Decimal]]:
    """The former prices that are in `currency` or can be converted, as offer, day and price."""
    wanted = {(one.currency, one.day) for one in past if one.currency != currency}
    known = rates.into(currency, wanted) if rates is not None and wanted else {}
    found = []
    for one in past:
        rate = known.get((one.currency, one.day))
        if one.currency == currency:
            price = one.price
        elif rate is not None:
            price = rounded(min(one.price * rate.rate, LARGEST), currency)
        else:
            continue
        if price > 0:
            found.append((one.offer_id, one.day, price))
    return found
