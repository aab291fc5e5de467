"""Our product and the offers as a matcher takes them."""

from webapp.phases.facts import Identity, Offer
from webapp.phases.matching.entry import Entry


def of_identity(identity: Identity) -> Entry:
    """Our own product."""
    return Entry(
        id="",
        title=identity.name or "",
        brand=identity.brand or "",
        model=identity.model or "",
        category=identity.category or "",
        gtin14=identity.gtin14,
    )


def of_offer(offer: Offer) -> Entry:
    """An offer."""
    return Entry(
        id=offer.id,
        title=offer.title,
        brand=offer.brand or "",
        model=offer.model or "",
        category=offer.category or "",
        price=float(offer.price),
        gtin14=offer.gtin14,
    )
