"""The price proposal: from what the market asks to a price to put on the listing, step by step, in words."""

from decimal import ROUND_CEILING, Decimal

from webapp.lib.money import rounded, shown
from webapp.phases.channels import CONDITION_WORDS
from webapp.phases.facts import Condition, Fact, Field, Market
from webapp.phases.pricing_rules import NO_TERMS, Terms, ceiling_of, foreign, highest, lowest, shaped

CONDITION_FACTORS = {
    Condition.NEW: Decimal("1.00"),
    Condition.LIKE_NEW: Decimal("0.85"),
    Condition.REFURBISHED: Decimal("0.75"),
    Condition.USED: Decimal("0.65"),
    Condition.FOR_PARTS: Decimal("0.25"),
}
"""What an item of a condition is worth by the price of a new one; used only where no offer of its kind was found.
A rule of thumb of the trade, to be replaced by the client's own sales."""

LIST_PRICE_FACTOR = Decimal("0.90")
"""Without any offer: so much of the list price, because hardly anybody pays it in full."""

LIST_PRICE_TRUST = 20
"""Confidence that a list price needs to cap the price (with the half-life of a year: about two years of age)."""

_SECOND_HAND = frozenset((Condition.LIKE_NEW, Condition.REFURBISHED, Condition.USED))


class Proposal(Fact, frozen=True, kw_only=True):
    """A price with its reasoning. `price` is None where nothing is known; `reasons` then says why."""

    price: Decimal | None = None
    currency: str | None = None
    reasons: tuple[str, ...] = ()


def propose(condition: Condition | None, market: Market, terms: Terms = NO_TERMS) -> Proposal:
    """Competitive price, or list price less a tenth; times the condition's factor where only offers of a better kind
    were found; not above a list price that is fresh; within the catalog's margin, floor and ceiling, in its form.
    Without any offer: cost and margin, where both are known."""
    currency = market.currency
    asked, list_price = _amount(market.competitive_price), _amount(market.list_price)
    reasons: list[str] = []
    if currency is None or (asked is None and list_price is None):
        why = next((proof.says for proof in market.competitive_price.evidence), "No offer was found.")
        least = lowest(terms, terms.cost_currency) if terms.cost_currency and terms.cost is not None else None
        if least is None or terms.cost_currency is None or terms.rules.margin_percent is None:
            return Proposal(reasons=(why, "No price is proposed: set one under “Edit the listing”."))
        reasons += [why, f"{least.says}: that is all there is to go by."]
        return _ruled(least.price, terms.cost_currency, terms, reasons)
    if asked is not None:
        price, factor = asked, _factor(condition, basis(market))
        reasons.append(f"Competitive price {shown(price, currency)}, from {_offers(market)}.")
    else:
        price = (list_price or Decimal(0)) * LIST_PRICE_FACTOR
        factor = CONDITION_FACTORS[condition] if condition else Decimal(1)
        reasons.append(
            f"No offer to compare with: {LIST_PRICE_FACTOR:.0%} of the list price of "
            f"{shown(list_price or Decimal(0), currency)} is {shown(price, currency)}."
        )
    if condition is None:
        reasons.append("The item's condition is not known, so nothing is taken off for it.")
    elif factor != 1:
        price *= factor
        reasons.append(
            f"That is for {_basis_words(market, asked)}; this one is {CONDITION_WORDS[condition]}: "
            f"{factor:.0%} of it is {shown(price, currency)}."
        )
    if list_price is not None and market.list_price.confidence >= LIST_PRICE_TRUST and price > list_price:
        price = list_price
        reasons.append(f"Not above the list price of {shown(price, currency)}.")
    return _ruled(price, currency, terms, reasons)


def _ruled(price: Decimal, currency: str, terms: Terms, reasons: list[str]) -> Proposal:
    """The price within the catalog's rules. What it must not be below goes before what it should not be above."""
    rules, least = terms.rules, lowest(terms, currency)
    if (left_out := foreign(terms, currency)) is not None:
        reasons.append(left_out)
    if least is not None and price < least.price:
        price = least.price
        reasons.append(f"{least.says}: not below that.")
    ceiling = ceiling_of(rules, currency)
    if ceiling is not None and price > ceiling:
        if least is None or least.price <= ceiling:
            price = ceiling
            reasons.append(f"Not above your ceiling of {shown(ceiling, currency)}.")
        else:
            reasons.append(f"Your ceiling of {shown(ceiling, currency)} is below that, so it does not hold here.")
            ceiling = None
    at_least = least.price if least is not None else Decimal(0)
    final = shaped(price, currency, rules, at_least)
    if ceiling is not None and final > ceiling:
        final = max(highest(ceiling, currency, rules), rounded(at_least, currency, ROUND_CEILING))
    if final != rounded(price, currency):
        reasons.append(f"Rounded {'down' if final < price else 'up'} to {shown(final, currency)}.")
    return Proposal(price=final, currency=currency, reasons=tuple(reasons))


def basis(market: Market) -> Condition | None:
    """The best condition among the offers that the competitive price comes from; None when there are none."""
    used = {offer.condition or Condition.NEW for offer in market.offers if offer.used and offer.kind != "list"}
    return next((condition for condition in Condition if condition in used), None)


def _amount(field: Field) -> Decimal | None:
    return Decimal(field.value) if field.value is not None else None


def _factor(condition: Condition | None, compared_with: Condition | None) -> Decimal:
    if condition is None or compared_with is None or condition is compared_with:
        return Decimal(1)
    if condition in _SECOND_HAND and compared_with in _SECOND_HAND:
        return Decimal(1)
    if compared_with in _SECOND_HAND:
        compared_with = Condition.USED
    return min(CONDITION_FACTORS[condition] / CONDITION_FACTORS[compared_with], Decimal(1))


def _basis_words(market: Market, asked: Decimal | None) -> str:
    found = basis(market) if asked is not None else Condition.NEW
    return "second-hand items" if found in _SECOND_HAND else f"{CONDITION_WORDS[found or Condition.NEW]} items"


def _offers(market: Market) -> str:
    offers, sales = market.offers_used - market.sales_used, market.sales_used
    said = ["1 offer" if offers == 1 else f"{offers:,} offers"] * bool(offers)
    return " and ".join(said + [f"{sales:,} of your own sales"] * bool(sales))
