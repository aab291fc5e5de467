"""The product as schema.org JSON-LD, as Google's merchant listings read it.

Whoever writes it into a page has to escape `</` inside the script element.
"""

from collections.abc import Sequence
from decimal import Decimal

from webapp.lib.money import decimal_string
from webapp.phases.channels import SCHEMA_CONDITIONS
from webapp.phases.wording import Known

IMAGES = 10


def product(
    facts: Known, name: str, description: str, images: Sequence[str], price: Decimal | None, currency: str | None
) -> dict[str, object]:
    """A schema.org Product with what is known. Without a name it is empty: nothing valid can be said. `offers` is
    there only with a price above zero and its currency; whether the item is in stock is the shop's to add."""
    if not name:
        return {}
    data: dict[str, object] = {"@context": "https://schema.org/", "@type": "Product", "name": name}
    if usable := [image for image in images if is_image_address(image)][:IMAGES]:
        data["image"] = usable
    if description:
        data["description"] = description
    if facts.sku:
        data["sku"] = facts.sku
    if facts.gtin14:
        data["gtin14"] = facts.gtin14
    if facts.mpn:
        data["mpn"] = facts.mpn
    if facts.model:
        data["model"] = facts.model
    if facts.brand:
        data["brand"] = {"@type": "Brand", "name": facts.brand}
    if facts.category:
        data["category"] = facts.category
    if len(facts.colours) == 1:
        data["color"] = facts.colours[0]
    if facts.condition:
        data["itemCondition"] = SCHEMA_CONDITIONS[facts.condition]
    if price is not None and price > 0 and currency:
        offer: dict[str, object] = {
            "@type": "Offer",
            "price": decimal_string(price, currency),
            "priceCurrency": currency,
        }
        if facts.condition:
            offer["itemCondition"] = SCHEMA_CONDITIONS[facts.condition]
        data["offers"] = offer
    return data


def lacking(data: dict[str, object]) -> list[str]:
    """What Google's merchant listings require and this product lacks, in plain words; empty when it is complete."""
    required = {"name": "a name", "image": "a photo", "offers": "a price"}
    return [words for key, words in required.items() if not data.get(key)]


def is_image_address(address: str) -> bool:
    """Whether a text can stand as an image's address: absolute, or from the root of the same site."""
    return address.startswith(("https://", "http://", "/")) and address.isprintable() and " " not in address
