"""eBay's item summaries as entries that are read by the rules of an offers file."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from webapp.phases.facts import Offer
from webapp.providers.entries import Entry, read_offers

Item = Entry
_AMOUNT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


def read_items(items: Sequence[Item], now: datetime, marketplace: str, gtin14: str | None) -> tuple[list[Offer], int]:
    """The offers among the items, and how many items could not be read. `gtin14`: the number that they were found by,
    which the summaries do not repeat."""
    name = "eBay" if marketplace == "EBAY_US" else f"eBay {marketplace.removeprefix('EBAY_').replace('_', ' ')}"
    entries = [entry for item in items if _is_offer(item) for entry in _entries(item, name, gtin14)]
    return read_offers(entries, now, "eBay")


def _is_offer(item: Item) -> bool:
    """Not an auction, whose price is a bid; nor a group of variants, whose price is that of its cheapest one."""
    options = item.get("buyingOptions")
    is_auction = isinstance(options, list) and bool(options) and "FIXED_PRICE" not in options
    return not is_auction and item.get("itemGroupType") != "SELLER_DEFINED_VARIATIONS"


def _entries(item: Item, marketplace: str, gtin14: str | None) -> Iterator[dict[str, object]]:
    price = _part(item, "price")
    shared = {
        "title": item.get("title"),
        "marketplace": marketplace,
        "url": item.get("itemAffiliateWebUrl") or item.get("itemWebUrl"),
        "category": _category(item),
        "gtin": gtin14,
    }
    yield shared | {
        "id": item.get("itemId"),
        "price": price.get("value"),
        "currency": price.get("currency"),
        "shipping": _shipping(item, price.get("currency")),
        "condition": item.get("conditionId"),
    }
    marketing = _part(item, "marketingPrice")
    original = _part(marketing, "originalPrice")
    if marketing.get("priceTreatment") == "LIST_PRICE" and original.get("value"):
        yield shared | {
            "id": f"{item.get('itemId')}#list",
            "kind": "list",
            "price": original.get("value"),
            "currency": original.get("currency"),
        }


def _shipping(item: Item, currency: object) -> object:
    """The cheapest fixed cost of shipping in the price's money; None where it depends on who buys."""
    options = item.get("shippingOptions")
    costs = (
        [_part(option, "shippingCost") for option in options if isinstance(option, Mapping)]
        if isinstance(options, list)
        else []
    )
    found = []
    for cost in costs:
        value = cost.get("value")
        if cost.get("currency") == currency and isinstance(value, str) and _AMOUNT.fullmatch(value):
            found.append((float(value), value))
    return min(found)[1] if found else None


def _category(item: Item) -> object:
    """The leaf, which eBay names first."""
    categories = item.get("categories")
    first = categories[0] if isinstance(categories, list) and categories else None
    return first.get("categoryName") if isinstance(first, Mapping) else None


def _part(whole: Item, name: str) -> Item:
    part = whole.get(name)
    return part if isinstance(part, Mapping) else {}
