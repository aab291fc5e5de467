"""What a client knows already, as the phases look it up: its catalogs and the offers seen for products."""

from collections.abc import Collection, Sequence
from uuid import UUID

from webapp import storage
from webapp.catalog import photos
from webapp.catalog import reference as references
from webapp.catalog import services as catalog
from webapp.database import reading
from webapp.errors import CircuitOpen
from webapp.learning import services as learning
from webapp.learning.calibrations import calibrator_for
from webapp.phases.calibration import calibrated
from webapp.phases.facts import Analysis, Offer, PastPrice, Record, ReferencePhoto
from webapp.phases.rules import keys_of, ruled
from webapp.providers import asking
from webapp.providers import services as providers
from webapp.providers.interface import OutsideSource, Question, Source
from webapp.providers.own_sales import OwnSales
from webapp.work.lease import Lease

REFERENCE_SEARCHES = 3
"""So many searches for one product go through the reference catalogs too: the first ones, for what was typed and for
the largest words. Each costs 0.1 to 0.3 s in 200,000 products, and in proportion in more."""


class ClientReference:
    """`phases.facts.Reference` over the client's catalogs, the installation's reference catalogs, and offers.

    Each look-up is a short read; none is left open.
    """

    def __init__(self, product_id: UUID) -> None:
        self._product_id = product_id
        self._brands: Sequence[str] | None = None
        self._searches_left = REFERENCE_SEARCHES

    def by_gtin(self, gtin14: str) -> Sequence[Record]:
        """Records with this GTIN: the catalogs', the reference catalogs', the offers'; the product in hand is not its
        own witness."""
        with reading() as session:
            return [
                *catalog.find_by_gtin(session, gtin14, exclude=self._product_id),
                *references.find_by_gtin(session, gtin14),
                *providers.find_by_gtin(session, gtin14),
            ]

    def search(self, text: str, limit: int = 20) -> Sequence[Record]:
        """Records whose name resembles the text: the catalogs' first, then the reference catalogs' and the offers'."""
        self._searches_left -= 1
        with reading() as session:
            return [
                *catalog.search(session, text, limit=limit, exclude=self._product_id),
                *(references.search(session, text, limit=limit) if self._searches_left >= 0 else ()),
                *providers.search(session, text, limit=limit),
            ]

    def brands(self) -> Sequence[str]:
        """The client's brand names, read once."""
        if self._brands is None:
            with reading() as session:
                self._brands = sorted({*catalog.brands(session), *providers.brands(session)})
        return self._brands

    def by_digits(self, pieces: Sequence[str]) -> Sequence[Record]:
        """Catalog records whose GTIN contains one of these rows of digits."""
        with reading() as session:
            return catalog.find_by_digits(session, pieces, exclude=self._product_id)

    def photos(self, records: Sequence[Record], limit: int) -> Sequence[ReferencePhoto]:
        """Photos of the catalog's known products: of these records first, then the newest."""
        first = [UUID(record.id) for record in records if record.source == "catalog"]
        with reading() as session:
            found = catalog.reference_photos(session, first, limit=limit, exclude=self._product_id)
        return [ReferencePhoto(photo_id=str(photo_id), record=record) for photo_id, record in found]

    def photo(self, photo_id: str) -> bytes | None:
        """The photo as screens show it; None where it is gone."""
        with reading() as session:
            shown = photos.visible(session, UUID(photo_id))
            key = shown.display_key if shown else None
        try:
            return storage.read(key) if key else None
        except storage.BytesMissing:
            return None


class AskedOffers:
    """`phases.facts.Offers` over what the client knows, into which the outside sources are asked first.

    A source that is away is waited for, up to `patience_seconds` in all; then the work goes on without it, and
    `not_asked` says so.
    """

    def __init__(self, lease: Lease, sources: Sequence[OutsideSource], patience_seconds: float) -> None:
        self._lease = lease
        self._sources = sources
        self._patience_seconds = patience_seconds
        self._known = ClientOffers()
        self.not_asked: dict[str, str] = {}
        """Sources that were not asked: what people call them, by their name."""

    def by_gtin(self, gtin14: str) -> Sequence[Offer]:
        """Offers with this GTIN, newest first."""
        self._ask(Question(gtin14=gtin14))
        return self._known.by_gtin(gtin14)

    def search(self, text: str, limit: int = 50) -> Sequence[Offer]:
        """Offers whose title resembles the text, best first."""
        self._ask(Question(words=text))
        return self._known.search(text, limit)

    def history(self, offer_ids: Collection[str]) -> Sequence[PastPrice]:
        """What these offers asked on earlier days."""
        return self._known.history(offer_ids)

    def _ask(self, question: Question) -> None:
        for source in self._sources:
            if source.circuit.name in self.not_asked:
                continue
            try:
                asking.ask(self._lease, source, question)
            except CircuitOpen as away:
                if self._lease.waited_seconds() < self._patience_seconds:
                    away.at_most_seconds = self._patience_seconds
                    raise
                self.not_asked[source.circuit.name] = source.circuit.label


class ClientOffers:
    """`phases.facts.Offers` over the client's table of offers and its own sales."""

    def __init__(self, own: Source | None = None) -> None:
        self._own = own or OwnSales()

    def by_gtin(self, gtin14: str) -> Sequence[Offer]:
        """Offers and sales with this GTIN, newest first."""
        with reading() as session:
            offers = providers.offers_by_gtin(session, gtin14)
        return [*offers, *self._own.search(Question(gtin14=gtin14)).offers]

    def search(self, text: str, limit: int = 50) -> Sequence[Offer]:
        """Offers and sales whose title resembles the text, best first."""
        with reading() as session:
            offers = providers.search_offers(session, text, limit=limit)
        return [*offers, *self._own.search(Question(words=text)).offers]

    def history(self, offer_ids: Collection[str]) -> Sequence[PastPrice]:
        """What these offers asked on earlier days, newest first."""
        with reading() as session:
            return providers.history(session, offer_ids)


def same_photo(product_id: UUID, photo_hashes: Sequence[str]) -> tuple[Record, ...]:
    """Records of products that a person settled and that have one of these photos, byte for byte."""
    if not photo_hashes:
        return ()
    with reading() as session:
        return tuple(catalog.find_by_photo(session, photo_hashes, exclude=product_id))


def with_experience(found: Analysis, catalog_id: UUID, threshold: int) -> Analysis:
    """The analysis after what people decided before: accepted rules, then the catalog's calibrator."""
    if found.assessment is None:
        return found
    with reading() as session:
        rulings = learning.rulings_for(session, keys_of(found))
        calibrator = calibrator_for(session, catalog_id)
    return calibrated(ruled(found, rulings), calibrator, threshold)
