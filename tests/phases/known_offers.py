"""Offers in a list, looked up as the app looks them up in its table; and short ways to write offers down."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from rapidfuzz import fuzz

from webapp.lib.text import fold
from webapp.phases.facts import Condition, Offer, PastPrice

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class KnownOffers:
    """An `Offers` over a list, which may know former prices."""

    def __init__(self, offers: Sequence[Offer], past: Sequence[PastPrice] = ()) -> None:
        self.offers = list(offers)
        self.past = list(past)

    def history(self, offer_ids: Collection[str]) -> Sequence[PastPrice]:
        return [one for one in self.past if one.offer_id in offer_ids]

    def by_gtin(self, gtin14: str) -> Sequence[Offer]:
        found = [offer for offer in self.offers if offer.gtin14 == gtin14]
        return sorted(found, key=lambda offer: offer.seen_at, reverse=True)

    def search(self, text: str, limit: int = 50) -> Sequence[Offer]:
        ranked = sorted(self.offers, key=lambda offer: (-fuzz.token_set_ratio(fold(text), fold(offer.title)), offer.id))
        return [offer for offer in ranked if fuzz.token_set_ratio(fold(text), fold(offer.title)) >= 30][:limit]


def offer(title: str, price: str, *, days: int = 3, currency: str = "EUR", id: str = "", **more: object) -> Offer:
    """An offer seen `days` before NOW; its id is made of title, price and age unless given."""
    facts: dict[str, object] = {"source": "price list", "marketplace": "eBay", **more}
    return Offer(
        id=id or f"{title}/{price}/{days}/{facts.get('condition', '')}/{facts['marketplace']}",
        title=title,
        price=Decimal(price),
        currency=currency,
        seen_at=NOW - timedelta(days=days),
        **facts,  # type: ignore[arg-type]
    )


def used(title: str, price: str, **more: object) -> Offer:
    """The offer of a used item."""
    return offer(title, price, condition=Condition.USED, **more)  # type: ignore[arg-type]


def heard(steps: list[tuple[float, str]]):  # type: ignore[no-untyped-def]
    """A `report` that writes down what it hears."""

    def report(percent: float, step: str) -> None:
        steps.append((percent, step))

    return report


def silent(percent: float, step: str) -> None:
    """A `report` that nobody listens to."""
