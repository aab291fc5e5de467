"""What a catalog says about its prices: margin, floor, ceiling, rounding."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_DOWN, Decimal
from enum import StrEnum

import msgspec

from webapp.lib.money import minor_digits, rounded, shown
from webapp.phases.facts import Fact

CHARM_ENDINGS = (Decimal("0.99"), Decimal("0.95"))
CHARM_LOSS = Decimal("0.05")
"""Unasked, a price is rounded down to the next ending only where that gives away no more than this share."""


class Rounding(StrEnum):
    """The form that prices have."""

    CHARM = "charm"
    """Down to .99 or .95 where that costs little: what is done where nobody says otherwise."""
    NINETY_NINE = "99"
    NINETY_FIVE = "95"
    WHOLE = "whole"
    STEP = "step"
    EXACT = "exact"


class PricingRules(Fact, frozen=True, kw_only=True):
    """A catalog's rules. `margin_percent`: at least so much above what the product cost. `floor` and `ceiling` are in
    `currency`. `step`: what prices are multiples of, with `Rounding.STEP`."""

    margin_percent: Decimal | None = None
    floor: Decimal | None = None
    ceiling: Decimal | None = None
    currency: str | None = None
    rounding: Rounding = Rounding.CHARM
    step: Decimal | None = None


class Terms(Fact, frozen=True, kw_only=True):
    """What shapes the price of one product beside the market: its catalog's rules and what it cost."""

    rules: PricingRules = PricingRules()
    cost: Decimal | None = None
    cost_currency: str | None = None


NO_TERMS = Terms()


class Bound(Fact, frozen=True, kw_only=True):
    """A price that ours must not be below, and why."""

    price: Decimal
    says: str


def read_rules(kept: object) -> PricingRules:
    """The rules that a catalog keeps as JSON; none where it keeps something else."""
    try:
        return msgspec.convert(kept, PricingRules)
    except msgspec.ValidationError:
        return PricingRules()


def lowest(terms: Terms, currency: str) -> Bound | None:
    """The higher of floor and cost with margin, of what is in this currency."""
    found = []
    rules, cost, margin = terms.rules, terms.cost, terms.rules.margin_percent
    if cost is not None and margin is not None and terms.cost_currency == currency:
        price = rounded(cost * (1 + margin / 100), currency, ROUND_CEILING)
        says = f"Cost {shown(cost, currency)} plus {margin.normalize():f}% is {shown(price, currency)}"
        found.append(Bound(price=price, says=says))
    if rules.floor is not None and rules.currency == currency:
        price = rounded(rules.floor, currency, ROUND_CEILING)
        found.append(Bound(price=price, says=f"Your floor is {shown(rules.floor, currency)}"))
    return max(found, key=lambda bound: bound.price, default=None)


def foreign(terms: Terms, currency: str) -> str | None:
    """What is in other money and therefore not looked at, in a sentence."""
    rules = terms.rules
    if rules.currency not in (None, currency) and (rules.floor is not None or rules.ceiling is not None):
        return f"Floor and ceiling are in {rules.currency}, so they are not looked at."
    if terms.cost is not None and rules.margin_percent is not None and terms.cost_currency != currency:
        return f"The cost is in {terms.cost_currency}, so the margin is not looked at."
    return None


def shaped(amount: Decimal, currency: str, rules: PricingRules, at_least: Decimal = Decimal(0)) -> Decimal:
    """The amount in the form that the rules ask for: the nearest price of that form, or the next higher one where that
    would be below `at_least`. Never zero."""
    least = max(at_least, Decimal(1).scaleb(-minor_digits(currency)))
    if rules.rounding is Rounding.CHARM:
        price = charm(amount, currency)
        return price if price >= least else max(rounded(amount, currency), rounded(least, currency, ROUND_CEILING))
    ending, step = _grid(rules, currency)
    place = (amount - ending) / step
    price = place.to_integral_value(ROUND_HALF_DOWN) * step + ending
    if price < least:
        price = ((least - ending) / step).to_integral_value(ROUND_CEILING) * step + ending
    return rounded(price, currency)


def ceiling_of(rules: PricingRules, currency: str) -> Decimal | None:
    """The ceiling, where there is one in this currency."""
    if rules.ceiling is None or rules.currency != currency:
        return None
    ceiling = rounded(rules.ceiling, currency, ROUND_FLOOR)
    return ceiling if ceiling > 0 else None


def highest(limit: Decimal, currency: str, rules: PricingRules) -> Decimal:
    """The highest price of the rules' form that is not above the limit; the limit itself where there is none."""
    if rules.rounding is Rounding.CHARM:
        return charm(limit, currency)
    ending, step = _grid(rules, currency)
    price = ((limit - ending) / step).to_integral_value(ROUND_FLOOR) * step + ending
    return rounded(price if price > 0 else limit, currency)


def _grid(rules: PricingRules, currency: str) -> tuple[Decimal, Decimal]:
    """Prices of the form are `ending` and whole numbers of `step`."""
    smallest = Decimal(1).scaleb(-minor_digits(currency))
    match rules.rounding:
        case Rounding.NINETY_NINE if minor_digits(currency):
            return CHARM_ENDINGS[0], Decimal(1)
        case Rounding.NINETY_FIVE if minor_digits(currency):
            return CHARM_ENDINGS[1], Decimal(1)
        case Rounding.EXACT:
            return Decimal(0), smallest
        case Rounding.STEP if rules.step is not None and rules.step > 0:
            return Decimal(0), rounded(rules.step, currency, ROUND_CEILING)
    return Decimal(0), Decimal(1)


def charm(amount: Decimal, currency: str) -> Decimal:
    """The amount rounded down to end in .99 or .95, or just to whole minor units where that would give away more than
    CHARM_LOSS. Currencies without minor units are rounded down to tens on the same condition. Never zero."""
    digits = minor_digits(currency)
    smallest = Decimal(1).scaleb(-digits)
    plain = max(rounded(amount, currency), smallest)
    if digits:
        whole = plain.to_integral_value(ROUND_FLOOR)
        endings = [base + ending for base in (whole, whole - 1) for ending in CHARM_ENDINGS]
        best = max(ending for ending in endings if ending <= plain)
    else:
        best = plain // 10 * 10
    return rounded(best, currency) if best > 0 and best >= plain * (1 - CHARM_LOSS) else plain
