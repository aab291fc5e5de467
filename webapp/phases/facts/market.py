"""What phases 2 to 4 know of the product, and the findings of phase 2."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from webapp.phases.facts.base import Fact
from webapp.phases.facts.fields import Field
from webapp.phases.facts.given import Condition


class Identity(Fact, frozen=True, kw_only=True):
    """What phases 2 to 4 know of the product: analysis' findings, or the reviewer's."""

    name: str | None = None
    model: str | None = None
    brand: str | None = None
    condition: Condition | None = None
    gtin14: str | None = None
    category: str | None = None
    sku: str | None = None
    image_urls: tuple[str, ...] = ()
    keywords_seen: tuple[str, ...] = ()
    """Words that stood on the label (text lines), most certain first."""


class PricedOffer(Fact, frozen=True, kw_only=True):
    """An offer that market research took (or set aside, with the reason) for this product."""

    id: str
    source: str
    title: str
    price: Decimal
    currency: str
    kind: str
    seen_at: datetime
    age_days: int
    match: int
    """How surely it is the same product, 0..100."""
    used: bool
    why: str
    shipping: Decimal | None = None
    compared: Decimal | None = None
    """What it was compared by: with shipping, in the currency of the findings. None where it has no price in that."""
    rate_day: date | None = None
    """The day of the exchange rate it was converted by; None where nothing was to be converted."""
    marketplace: str | None = None
    link: str | None = None
    condition: Condition | None = None
    said_same: bool | None = None
    """What a person had said: the same product, another one, or None for nothing."""


class Interval(Fact, frozen=True, kw_only=True):
    """Where the competitive price lies in `percent` of 100 cases like this one."""

    low: Decimal
    high: Decimal
    percent: int


class ConditionPrice(Fact, frozen=True, kw_only=True):
    """What items of one kind of condition go for. `kind`: `new`, `second_hand` or `for_parts`. `middle`: the weighted
    median. `compared`: whether the competitive price comes from these."""

    kind: str
    offers: int
    low: Decimal
    middle: Decimal
    high: Decimal
    compared: bool


class SeenPrice(Fact, frozen=True, kw_only=True):
    """One dot of the price history, in the currency of the findings. `kind` as offers have it; `used`: whether the
    offer, as it is today, counts for the competitive price."""

    day: date
    price: Decimal
    kind: str
    used: bool


class JudgeKind(StrEnum):
    """Who tells whether two names are the same product: the built-in rules, what was learned for everybody, or what was
    learned for this client alone."""

    RULES = "rules"
    EVERYBODY = "everybody"
    OWN = "own"


class Judge(Fact, frozen=True, kw_only=True):
    """Who told which offers are the same product; when it was learned, unless by the rules."""

    kind: JudgeKind
    learned_at: datetime | None = None


class Market(Fact, frozen=True, kw_only=True):
    """Findings of phase 2. Prices are fields whose value is a decimal string in `currency`; a price that could not
    be found has value None and says so in its evidence. `low`/`high` bound the offers used (the spread). `interval` is
    None where too few offers count. `history` is oldest first."""

    competitive_price: Field
    list_price: Field
    marketplace_price: Field
    brand: Field
    category: Field
    marketplace: str | None = None
    marketplace_link: str | None = None
    currency: str | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    offers_found: int = 0
    offers_used: int = 0
    newest_days: int | None = None
    oldest_days: int | None = None
    sales_used: int = 0
    """How many of the offers used are the client's own sales."""
    interval: Interval | None = None
    conditions: tuple[ConditionPrice, ...] = ()
    history: tuple[SeenPrice, ...] = ()
    offers: tuple[PricedOffer, ...] = ()
    not_asked: tuple[str, ...] = ()
    """Sources that were away and therefore not asked, by what people call them."""
    judge: Judge | None = None
    """Who told which offers are the same product; None: it was not kept."""
    model_notes: tuple[str, ...] = ()
    """Where a language model was to help and did not: why, in sentences."""
