"""Reference catalogs: known products that belong to the installation and that every client's analysis looks up.

Look-ups take a session and commit nothing; what writes takes the system login's connection, since the app's only reads.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import UUID as SqlUUID
from sqlalchemy import Connection, Float, Row, Select, column, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from webapp.catalog.models import ReferenceCatalog, ReferenceProduct
from webapp.database import new_id
from webapp.errors import NotFound
from webapp.lib.text import cut
from webapp.phases.facts import Record
from webapp.phases.reference_csv import ReferenceRow

CHUNK_ROWS = 5000
SAME_GTIN_LIMIT = 20
QUERY_LENGTH = 100
"""Characters of a search text that count: each costs, and these catalogs are the largest."""
SOURCE = "reference"
"""What records from here say of where they come from."""

_FACTS = ("name", "brand", "model", "gtin14", "category")
_UPSERT = text("""
    INSERT INTO reference_products (catalog_id, id, key, name, brand, model, gtin14, category)
    SELECT CAST(:catalog_id AS uuid), news.*
    FROM unnest(CAST(:id AS uuid[]), CAST(:key AS text[]), CAST(:name AS text[]), CAST(:brand AS text[]),
                CAST(:model AS text[]), CAST(:gtin14 AS text[]), CAST(:category AS text[])) AS news
    ON CONFLICT (catalog_id, key) DO UPDATE
    SET name = excluded.name, brand = excluded.brand, model = excluded.model, category = excluded.category
    WHERE (reference_products.name, reference_products.brand, reference_products.model, reference_products.category)
        IS DISTINCT FROM (excluded.name, excluded.brand, excluded.model, excluded.category)
    RETURNING xmax = 0 AS is_new
""")


@dataclass
class Tally:
    """What became of the rows of an import. `total`: what the catalog holds after it."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    total: int = 0


def find_by_gtin(session: Session, gtin14: str) -> list[Record]:
    """Products with exactly this GTIN, by catalog."""
    known = _records().where(ReferenceProduct.gtin14 == gtin14).order_by(ReferenceCatalog.name, ReferenceProduct.id)
    return [_record(row) for row in session.execute(known.limit(SAME_GTIN_LIMIT))]


def search(session: Session, words: str, *, limit: int = 20) -> list[Record]:
    """Products whose name, brand or model resembles the words, best first. Typos are tolerated."""
    words = cut(words, QUERY_LENGTH)
    if not words or limit < 1:
        return []
    found = func.search_reference_products(words, limit).table_valued(column("id", SqlUUID), column("score", Float))
    known = _records().join(found, ReferenceProduct.id == found.c.id)
    return [_record(row) for row in session.execute(known.order_by(found.c.score.desc(), ReferenceProduct.id))]


def keep(connection: Connection, name: str, rows: Iterable[ReferenceRow]) -> Tally:
    """Write products into the catalog of this name, which is made if it is not there. A product that is there already
    gives way; reads `rows` in chunks, so any number of them takes the same memory."""
    tally, coming = Tally(), iter(rows)
    made = insert(ReferenceCatalog).values(id=new_id(), name=name)
    on_conflict = made.on_conflict_do_update(index_elements=["name"], set_={"imported_at": datetime.now(UTC)})
    # The catalog's row stays locked: two imports of one catalog wait for each other.
    catalog_id = connection.execute(on_conflict.returning(ReferenceCatalog.id)).scalar_one()
    while chunk := list(islice(coming, CHUNK_ROWS)):
        values: dict[str, Any] = {each: [getattr(row, each) for row in chunk] for each in ("key", *_FACTS)}
        values |= {"catalog_id": catalog_id, "id": [new_id() for _ in chunk]}
        changed = connection.execute(_UPSERT, values).scalars().all()
        tally.inserted += sum(changed)
        tally.updated += len(changed) - sum(changed)
        tally.unchanged += len(chunk) - len(changed)
    counted = select(func.count()).where(ReferenceProduct.catalog_id == catalog_id).scalar_subquery()
    total = update(ReferenceCatalog).where(ReferenceCatalog.id == catalog_id).values(product_count=counted)
    tally.total = connection.execute(total.returning(ReferenceCatalog.product_count)).scalar_one()
    return tally


def forget(connection: Connection, name: str) -> int:
    """Remove a catalog with its products; how many those were.

    Raises:
        NotFound: there is no catalog of this name.
    """
    gone = delete(ReferenceCatalog).where(ReferenceCatalog.name == name).returning(ReferenceCatalog.product_count)
    count = connection.execute(gone).scalar_one_or_none()
    if count is None:
        known = connection.execute(select(ReferenceCatalog.name).order_by(ReferenceCatalog.name)).scalars().all()
        there = f"There are: {', '.join(known)}." if known else "There is none yet."
        raise NotFound(f"There is no reference catalog {name!r}. {there}")
    return int(count)


def _records() -> Select[*tuple[Any, ...]]:
    facts = [getattr(ReferenceProduct, name) for name in ("id", *_FACTS)]
    origin = ReferenceCatalog.name.label("origin")
    return select(*facts, origin).join(ReferenceCatalog, ReferenceCatalog.id == ReferenceProduct.catalog_id)


def _record(row: Row[*tuple[Any, ...]]) -> Record:
    return Record(source=SOURCE, **{**row._mapping, "id": str(row.id)})
