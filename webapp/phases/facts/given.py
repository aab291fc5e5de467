"""What analysis starts from: the photos, what was typed, and what the client knows."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from webapp.phases.facts.base import Fact


class Photo(Fact, frozen=True, kw_only=True):
    """One photo as it was uploaded. `data` is the original file's bytes (any accepted format, not yet upright)."""

    id: str
    file_name: str
    data: bytes


class Condition(StrEnum):
    """Condition of an item; the words of the trade, mapped to each channel's own codes in the listing phase."""

    NEW = "new"
    LIKE_NEW = "like_new"
    REFURBISHED = "refurbished"
    USED = "used"
    FOR_PARTS = "for_parts"


class Hints(Fact, frozen=True, kw_only=True):
    """What the uploader typed, all optional. `threshold`: confidence at which a run goes on without a person.
    `expects_barcode`: whether goods without a barcode are an exception here.
    `same_photo`: records of products that a person settled and that have one of these photos, byte for byte."""

    name: str | None = None
    model: str | None = None
    condition: Condition | None = None
    threshold: int = 80
    expects_barcode: bool = False
    same_photo: tuple["Record", ...] = ()


class Record(Fact, frozen=True, kw_only=True):
    """A known product: from the client's catalogs (`source='catalog'`), from a reference catalog of the installation
    (`'reference'`), or from an offer (`'offer'`).

    `origin`: the reference catalog's name, or where an offer stands; of an offer also its web address, and when it was
    seen last.
    """

    source: str
    id: str
    name: str
    brand: str | None = None
    model: str | None = None
    gtin14: str | None = None
    sku: str | None = None
    category: str | None = None
    price: Decimal | None = None
    currency: str | None = None
    origin: str | None = None
    link: str | None = None
    seen_at: datetime | None = None


class ReferencePhoto(Fact, frozen=True, kw_only=True):
    """A photo of a known product, by the id that `Reference.photo` gives its bytes for."""

    photo_id: str
    record: Record


class Reference(Protocol):
    """What is known of products, looked up by analysis."""

    def by_gtin(self, gtin14: str) -> Sequence[Record]:
        """Records with exactly this GTIN, catalogs before offers."""

    def by_digits(self, pieces: Sequence[str]) -> Sequence[Record]:
        """Records whose GTIN contains one of these rows of digits."""

    def search(self, text: str, limit: int = 20) -> Sequence[Record]:
        """Records whose name resembles the text, best first; typos are tolerated."""

    def brands(self) -> Sequence[str]:
        """Brand names known to the client, as they are written."""

    def photos(self, records: Sequence[Record], limit: int) -> Sequence[ReferencePhoto]:
        """Photos of these records first, then of other known products, the newest first."""

    def photo(self, photo_id: str) -> bytes | None:
        """The bytes of a reference photo; None where they are gone. The same bytes for the same id, for ever."""
