"""What screens show of products themselves: their facts, their photos, or that they were removed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from webapp.access.models import User
from webapp.catalog.models import Catalog, Photo, Product
from webapp.phases.facts import NO_BARCODE, POOR
from webapp.pipeline.cards import AnyRow, photo_url
from webapp.together import Asked, read_together


class PhotoCard(NamedTuple):
    """A photo as a screen shows it. `earlier`: those that it replaced, newest first."""

    id: UUID
    thumb_url: str
    display_url: str
    original_url: str
    file_name: str
    width: int
    height: int
    is_primary: bool
    size_bytes: int
    quality_score: int | None
    quality_says: str
    earlier: tuple["PhotoCard", ...] = ()

    @property
    def is_poor(self) -> bool:
        """Whether it is worth taking again."""
        return self.quality_score is not None and self.quality_score <= POOR

    @property
    def wants_another(self) -> bool:
        """Whether what is said of it is mended by another photo beside it, not by taking it again."""
        return self.quality_says == NO_BARCODE


class ProductView(NamedTuple):
    """A product as its page shows it."""

    id: UUID
    title: str | None
    name: str | None
    model: str | None
    brand: str | None
    condition: str | None
    gtin: str | None
    sku: str | None
    code: str | None
    price: Any
    currency: str | None
    cost: Any
    cost_currency: str | None
    category: str | None
    size: str | None
    quantity: str | None
    catalog_name: str
    created_at: datetime
    uploader_name: str


_PHOTOS = (
    select(
        Photo.id,
        Photo.file_name,
        Photo.width,
        Photo.height,
        Photo.is_primary,
        Photo.size_bytes,
        Photo.quality_score,
        Photo.quality_says,
        Photo.replaced_by,
    )
    .where(Photo.product_id == bindparam("product_id"))
    .order_by(Photo.position)
)


def photos(session: Session, product_id: UUID) -> tuple[PhotoCard, ...]:
    """A product's photos in use, in their order, each with those that it replaced."""
    [rows] = read_together(session, ask_photos(product_id))
    return photos_of(rows)


def ask_photos(product_id: UUID) -> Asked:
    """For `photos_of`: a product's photos."""
    return _PHOTOS, {"product_id": product_id}


def photos_of(rows: Sequence[AnyRow]) -> tuple[PhotoCard, ...]:
    """As `photos`, from what was read together with other things."""
    newer = {row.id: row.replaced_by for row in rows}
    earlier: dict[UUID, list[PhotoCard]] = {row.id: [] for row in rows if row.replaced_by is None}
    for row in sorted(rows, key=lambda row: row.id, reverse=True):
        if row.replaced_by is not None:
            in_use = row.replaced_by
            while newer[in_use] is not None:
                in_use = newer[in_use]
            earlier[in_use].append(_photo(row, ()))
    return tuple(_photo(row, tuple(earlier[row.id])) for row in rows if row.replaced_by is None)


def _photo(row: AnyRow, earlier: tuple[PhotoCard, ...]) -> PhotoCard:
    return PhotoCard(
        id=row.id,
        thumb_url=photo_url(row.id, "thumb"),
        display_url=photo_url(row.id, "display"),
        original_url=photo_url(row.id, "original"),
        file_name=row.file_name,
        width=row.width,
        height=row.height,
        is_primary=row.is_primary,
        size_bytes=row.size_bytes,
        quality_score=row.quality_score,
        quality_says=row.quality_says,
        earlier=earlier,
    )


_PRODUCT = (
    select(
        Product.id,
        Product.name,
        Product.model,
        Product.brand,
        Product.condition,
        Product.gtin14,
        Product.sku,
        Product.code,
        Product.price,
        Product.currency,
        Product.cost,
        Product.cost_currency,
        Product.category,
        Product.size,
        Product.quantity,
        Product.created_at,
        Catalog.name.label("catalog_name"),
        User.name.label("uploader"),
    )
    .join(Catalog, Catalog.id == Product.catalog_id)
    .outerjoin(User, User.id == Product.created_by)
    .where(Product.id == bindparam("product_id"), Product.deleted_at.is_(None))
)


def product(session: Session, product_id: UUID) -> ProductView | None:
    """A product with its catalog's and uploader's names, or None."""
    [rows] = read_together(session, ask_product(product_id))
    return product_of(rows)


def ask_product(product_id: UUID) -> Asked:
    """For `product_of`: a product that was not removed."""
    return _PRODUCT, {"product_id": product_id}


def product_of(rows: Sequence[AnyRow]) -> ProductView | None:
    """As `product`, from what was read together with other things."""
    if not rows:
        return None
    [found] = rows
    return ProductView(
        id=found.id,
        title=found.name,
        name=found.name,
        model=found.model,
        brand=found.brand,
        condition=found.condition.value if found.condition else None,
        gtin=found.gtin14,
        sku=found.sku,
        code=found.code,
        price=found.price,
        currency=found.currency,
        cost=found.cost,
        cost_currency=found.cost_currency,
        category=found.category,
        size=found.size,
        quantity=found.quantity,
        catalog_name=found.catalog_name,
        created_at=found.created_at,
        uploader_name=found.uploader or "",
    )


class Removed(NamedTuple):
    """A product that somebody took off the desk."""

    id: UUID
    title: str | None
    by_name: str
    at: datetime


def removed(session: Session, product_id: UUID) -> Removed | None:
    """The removed product of this id, or None."""
    row = session.execute(
        select(Product.id, Product.name, User.name.label("by"), Product.deleted_at)
        .outerjoin(User, User.id == Product.deleted_by)
        .where(Product.id == product_id, Product.deleted_at.is_not(None))
    ).one_or_none()
    return Removed(row.id, row.name, row.by or "", row.deleted_at) if row and row.deleted_at else None
