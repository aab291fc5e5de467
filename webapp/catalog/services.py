"""Catalogs and what they know: which catalog a product goes to, its code, and look-ups for the phases.

Callers hold the session; nothing here commits. Row-level security limits every look-up to the client in context.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import UUID as SqlUUID
from sqlalchemy import Float, Row, Select, column, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from webapp.catalog.models import Catalog, CatalogStatus, Photo, Product
from webapp.database import new_id
from webapp.errors import Invalid
from webapp.lib import text
from webapp.phases.facts import Record
from webapp.statements import Statement

SAME_GTIN_LIMIT = 20
SAME_PHOTO_LIMIT = 5
PHOTOS_PER_RECORD = 3
PIECES_LIMIT = 20
BRANDS_LIMIT = 2000
QUERY_LENGTH = 300
"""Characters of a search text that count; a label's whole text would find everything a little."""
CODE_LENGTH = 60


_FACTS = ("name", "brand", "model", "gtin14", "sku", "category", "price", "currency")
"""What a record says of a product, in the words of both."""


class Choice(NamedTuple):
    """A catalog as a form offers it."""

    id: UUID
    name: str


# --- where products go ----------------------------------------------------------------------------


def choices(session: Session) -> list[Choice]:
    """The client's catalogs that take products, the default one first."""
    rows = session.execute(
        select(Catalog.id, Catalog.name)
        .where(Catalog.status != CatalogStatus.INACTIVE)
        .order_by(Catalog.is_default.desc(), func.lower(Catalog.name), Catalog.id)
    )
    return [Choice(*row) for row in rows]


def catalog_for(session: Session, catalog_id: UUID | None) -> UUID:
    """The chosen catalog, or the client's default one when none was chosen.

    Raises:
        Invalid: there is no such catalog, it is another client's, or it takes no products.
    """
    wanted = Catalog.is_default if catalog_id is None else Catalog.id == catalog_id
    found = session.execute(
        select(Catalog.id).where(wanted, Catalog.status != CatalogStatus.INACTIVE)
    ).scalar_one_or_none()
    if found is None:
        says = "This catalog is not there any more; choose another."
        raise Invalid(says, fields={"catalog": says})
    return found


def add_known(session: Session, client_id: UUID, records: Sequence[Record], source_data: dict[str, Any]) -> None:
    """Products that are known without ever having been photographed, in the default catalog. A SKU that is there
    already stays as it is. `source_data` says where they come from."""
    catalog_id = catalog_for(session, None)
    rows = [
        {
            "id": new_id(),
            "client_id": client_id,
            "catalog_id": catalog_id,
            "source_data": source_data,
            **{name: getattr(record, name) for name in _FACTS},
        }
        for record in records
    ]
    session.execute(insert(Product).on_conflict_do_nothing(index_elements=["catalog_id", "sku"]), rows)


def new_code(session: Session, client_id: UUID, name: str) -> str:
    """A code such as `01_ai_power_hour` for a product that has its name now; no other product of the client has it.

    The number counts the client's named products. The client's row stays locked until the transaction ends, so call
    this late in it.
    """
    slug = text.slug(name, CODE_LENGTH).replace("-", "_")
    code = _next_code(session, client_id, slug)
    while _WITH_CODE.execute(session, {"code": code}):  # one that an import brought
        code = _next_code(session, client_id, slug)
    return code


_WITH_CODE = Statement("SELECT id FROM products WHERE code = :code")
_COUNT_NAMED = Statement(
    "UPDATE clients SET products_named = products_named + 1 WHERE id = :id RETURNING products_named"
)


def _next_code(session: Session, client_id: UUID, slug: str) -> str:
    number = _COUNT_NAMED.execute(session, {"id": client_id})[0].products_named
    return f"{number:02d}_{slug}" if slug else f"{number:02d}"


# --- what is known --------------------------------------------------------------------------------


def find_by_gtin(session: Session, gtin14: str, *, exclude: UUID | None = None) -> list[Record]:
    """Named products with exactly this GTIN, newest first. `exclude`: the product in hand is not its own witness."""
    known = _named(exclude).where(Product.gtin14 == gtin14).order_by(Product.id.desc()).limit(SAME_GTIN_LIMIT)
    return [_record(row) for row in session.execute(known)]


def find_by_digits(session: Session, pieces: Sequence[str], *, exclude: UUID) -> list[Record]:
    """Named products whose GTIN contains one of these rows of digits, newest first: reads the client's index of
    numbers through, some 20 ms for 100,000 of them."""
    alike = or_(*(Product.gtin14.contains(piece, autoescape=True) for piece in pieces[:PIECES_LIMIT]))
    known = _named(exclude).where(alike).order_by(Product.id.desc()).limit(SAME_GTIN_LIMIT)
    return [_record(row) for row in session.execute(known)]


def find_by_photo(session: Session, photo_hashes: Sequence[str], *, exclude: UUID) -> list[Record]:
    """Products that a person settled and that have a photo with one of these sha256, newest first."""
    having = select(Photo.product_id).where(Photo.sha256.in_(photo_hashes), Photo.replaced_by.is_(None))
    known = (
        _named(exclude)
        .where(Product.id.in_(having), Product.fixed_fields.contains(["name"]))
        .order_by(Product.id.desc())
        .limit(SAME_PHOTO_LIMIT)
    )
    return [_record(row) for row in session.execute(known)]


def reference_photos(
    session: Session, first: Sequence[UUID], *, limit: int, exclude: UUID
) -> list[tuple[UUID, Record]]:
    """Photos of known products by id, with their record: those of the products in `first`, then the newest. Of each
    product its PHOTOS_PER_RECORD first."""
    photo_id = Photo.id.label("photo_id")
    known = _named(exclude).add_columns(photo_id).join(Photo, Photo.product_id == Product.id)
    known = known.where(Photo.client_id == Product.client_id, Photo.position < PHOTOS_PER_RECORD)
    ordered = known.order_by(Product.id.in_(first).desc(), Product.id.desc(), Photo.position).limit(limit)
    rows = [dict(row._mapping) for row in session.execute(ordered)]
    return [(row.pop("photo_id"), Record(source="catalog", **{**row, "id": str(row["id"])})) for row in rows]


def search(session: Session, words: str, *, limit: int = 20, exclude: UUID | None = None) -> list[Record]:
    """Named products whose name, brand, model or SKU resembles the words, best first. Typos are tolerated."""
    words = text.cut(words, QUERY_LENGTH)
    if not words or limit < 1:
        return []
    found = func.search_products(words, 2 * limit).table_valued(column("id", SqlUUID), column("score", Float))
    known = (
        _named(exclude).join(found, Product.id == found.c.id).order_by(found.c.score.desc(), Product.id).limit(limit)
    )
    return [_record(row) for row in session.execute(known)]


def brands(session: Session) -> Sequence[str]:
    """Brand names of the client's products as they are written, the commonest first."""
    return session.scalars(
        select(Product.brand)
        .where(Product.brand.is_not(None), Product.brand != "", Product.deleted_at.is_(None))
        .group_by(Product.brand)
        .order_by(func.count().desc(), Product.brand)
        .limit(BRANDS_LIMIT)
    ).all()  # type: ignore[return-value]  # none is NULL


def _named(exclude: UUID | None) -> Select[*tuple[Any, ...]]:
    facts = [getattr(Product, name) for name in ("id", *_FACTS)]
    # A photographed product counts only once a person has settled its name: else one confident mistake of the machine
    # would be the witness of the next.
    settled = or_(Product.upload_key.is_(None), Product.fixed_fields.contains(["name"]))
    known = select(*facts).where(Product.name.is_not(None), Product.name != "", Product.deleted_at.is_(None), settled)
    return known if exclude is None else known.where(Product.id != exclude)


def _record(row: Row[*tuple[Any, ...]]) -> Record:
    return Record(source="catalog", **{**row._mapping, "id": str(row.id)})
