"""What market research starts from: offers, prices of the past, exchange rates."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from webapp.phases.facts.base import Fact
from webapp.phases.facts.given import Condition


class Offer(Fact, frozen=True, kw_only=True):
    """One offer seen in a market. `kind`: `offer` (someone sells at this price), `list` (maker's list price) or `sale`
    (the client sold at this price). `shipping`: what comes on top, in the same currency; None where it is not known."""

    id: str
    source: str
    title: str
    price: Decimal
    currency: str
    shipping: Decimal | None = None
    kind: str = "offer"
    marketplace: str | None = None
    link: str | None = None
    brand: str | None = None
    model: str | None = None
    gtin14: str | None = None
    category: str | None = None
    condition: Condition | None = None
    seen_at: datetime


class Verdict(Fact, frozen=True, kw_only=True):
    """A person's word on whether an offer is for the product. `by`: what the person is called."""

    offer: Offer
    is_same: bool
    by: str
    day: date


class Offers(Protocol):
    """The offers known to the client, looked up by market research."""

    def by_gtin(self, gtin14: str) -> Sequence[Offer]:
        """Offers with exactly this GTIN, newest first."""

    def search(self, text: str, limit: int = 50) -> Sequence[Offer]:
        """Offers whose title resembles the text, best first."""

    def history(self, offer_ids: Collection[str]) -> Sequence["PastPrice"]:
        """What these offers asked on earlier days, newest first."""


class PastPrice(Fact, frozen=True, kw_only=True):
    """What an offer asked on an earlier day, shipping included where it is known."""

    offer_id: str
    day: date
    price: Decimal
    currency: str


class Rate(Fact, frozen=True, kw_only=True):
    """What one unit of a currency was worth in another. `day`: the day that the rate is of."""

    rate: Decimal
    day: date


class Rates(Protocol):
    """Exchange rates, dated, looked up by market research."""

    def into(self, currency: str, wanted: Collection[tuple[str, date]]) -> Mapping[tuple[str, date], Rate]:
        """For each (currency, day) the rate into `currency` of that day, or of the nearest day before it within reason;
        those without are left out."""
