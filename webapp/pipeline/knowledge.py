"""What a client knows already, as the phases look it up: its catalogs and the offers seen for products."""

from collections.abc import Sequence
from uuid import UUID

from webapp.catalog import services as catalog
from webapp.database import reading
from webapp.phases.facts import Offer, Record
from webapp.providers import services as providers


class ClientReference:
    """`phases.facts.Reference` over catalog and offers. Each look-up is a short read; none is left open."""

    def __init__(self, product_id: UUID) -> None:
        self._product_id = product_id
        self._brands: Sequence[str] | None = None

    def by_gtin(self, gtin14: str) -> Sequence[Record]:
        """Catalog records, then offers, with this GTIN; the product in hand is not its own witness."""
        with reading() as session:
            return [
                *catalog.find_by_gtin(session, gtin14, exclude=self._product_id),
                *providers.find_by_gtin(session, gtin14),
            ]

    def search(self, text: str, limit: int = 20) -> Sequence[Record]:
        """Records whose name resembles the text: the catalog's first, then the offers'."""
        with reading() as session:
            return [
                *catalog.search(session, text, limit=limit, exclude=self._product_id),
                *providers.search(session, text, limit=limit),
            ]

    def brands(self) -> Sequence[str]:
        """The client's brand names, read once."""
        if self._brands is None:
            with reading() as session:
                self._brands = sorted({*catalog.brands(session), *providers.brands(session)})
        return self._brands


class ClientOffers:
    """`phases.facts.Offers` over the client's table of offers."""

    def by_gtin(self, gtin14: str) -> Sequence[Offer]:
        """Offers with this GTIN, newest first."""
        with reading() as session:
            return providers.offers_by_gtin(session, gtin14)

    def search(self, text: str, limit: int = 50) -> Sequence[Offer]:
        """Offers whose title resembles the text, best first."""
        with reading() as session:
            return providers.search_offers(session, text, limit=limit)
