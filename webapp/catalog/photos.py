"""Photos in the database: who may see one, which products show the same one, which bytes are still needed."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from webapp.catalog.models import Photo, Product


class Twin(NamedTuple):
    """A photo that a product of this client already shows."""

    sha256: str
    photo_id: UUID
    product_id: UUID
    title: str | None
    created_at: datetime


def visible(session: Session, photo_id: UUID) -> Photo | None:
    """The photo, if it belongs to the client in context and its product is not deleted."""
    return session.execute(
        select(Photo)
        .join(Product, (Product.client_id == Photo.client_id) & (Product.id == Photo.product_id))
        .where(Photo.id == photo_id, Product.deleted_at.is_(None))
    ).scalar_one_or_none()


def twins(session: Session, sha256s: Collection[str]) -> list[Twin]:
    """Photos of the same bytes in use on products that are not deleted: the newest product for each."""
    if not sha256s:
        return []
    rows = session.execute(
        select(Photo.sha256, Photo.id, Product.id, Product.name, Product.created_at)
        .join(Product, (Product.client_id == Photo.client_id) & (Product.id == Photo.product_id))
        .where(Photo.sha256.in_(sha256s), Photo.replaced_by.is_(None), Product.deleted_at.is_(None))
        .ext(distinct_on(Photo.sha256))
        .order_by(Photo.sha256, Product.id.desc())
    )
    return [Twin(*row) for row in rows]


def needed(session: Session, original_keys: Collection[str]) -> set[str]:
    """Those of these originals that some photo refers to, also one that was replaced, or of a deleted product."""
    return set(session.scalars(select(Photo.original_key).where(Photo.original_key.in_(original_keys))))
