"""Catalogs, the products in them, and the products' photos."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base, new_id, text_enum
from webapp.phases.facts import Condition


class CatalogKind(StrEnum):
    """Where a catalog's products come from."""

    ERP = "erp"
    MANUAL = "manual"
    VENDOR = "vendor"
    DROPSHIP = "dropship"


class CatalogStatus(StrEnum):
    """Whether a catalog is in use."""

    DRAFT = "draft"
    ACTIVE = "active"
    INACTIVE = "inactive"


class ProductKind(StrEnum):
    """A thing or a service."""

    PRODUCT = "PRODUCT"
    SERVICE = "SERVICE"


class Catalog(Base):
    """A named set of products of one client. Each client has exactly one default catalog."""

    __tablename__ = "catalogs"
    __table_args__ = (
        UniqueConstraint("client_id", "id"),
        Index("uq_catalogs_default", "client_id", unique=True, postgresql_where=text("is_default")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    kind: Mapped[CatalogKind] = mapped_column(text_enum(CatalogKind, "kind"), server_default="manual")
    source: Mapped[str | None]
    status: Mapped[CatalogStatus] = mapped_column(text_enum(CatalogStatus, "status"), server_default="active")
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))
    source_config: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    sync_settings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    pricing_rules: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    last_sync_at: Mapped[datetime | None] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class Product(Base):
    """A thing or a service to be sold. A photographed one lacks name, SKU, code and price until they are known."""

    __tablename__ = "products"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "catalog_id"], ["catalogs.client_id", "catalogs.id"], ondelete="CASCADE"),
        UniqueConstraint("client_id", "id"),
        UniqueConstraint("client_id", "code"),
        UniqueConstraint("client_id", "upload_key"),
        UniqueConstraint("catalog_id", "sku"),
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint("cost >= 0", name="cost"),
        CheckConstraint("(cost IS NULL) = (cost_currency IS NULL)", name="cost_has_currency"),
        CheckConstraint("cost_currency ~ '^[A-Z]{3}$'", name="cost_currency"),
        CheckConstraint("inventory_count >= 0", name="inventory_count"),
        CheckConstraint("gtin14 ~ '^[0-9]{14}$'", name="gtin14"),
        CheckConstraint("quantity ~ '^[1-9][0-9]{0,3}$'", name="quantity"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("(photo_wanted_at IS NULL) = (photo_wanted_note IS NULL)", name="photo_wanted"),
        CheckConstraint("photo_wanted_at IS NULL OR deleted_at IS NULL", name="photo_wanted_in_use"),
        Index("ix_products_client_gtin14", "client_id", "gtin14"),
        Index("ix_products_client_created", "client_id", "created_at"),
        Index("ix_products_client_brand", "client_id", "brand"),
        Index("ix_products_client_catalog", "client_id", "catalog_id"),
        Index(
            "ix_products_photo_wanted",
            "client_id",
            "photo_wanted_at",
            postgresql_where=text("photo_wanted_at IS NOT NULL"),
        ),
        Index(
            "ix_products_search_text",
            "search_text",
            postgresql_using="gin",
            postgresql_ops={"search_text": "gin_trgm_ops"},
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID]
    catalog_id: Mapped[UUID] = mapped_column(index=True)
    code: Mapped[str | None]
    sku: Mapped[str | None]
    gtin14: Mapped[str | None]
    name: Mapped[str | None]
    model: Mapped[str | None]
    brand: Mapped[str | None]
    kind: Mapped[ProductKind] = mapped_column(text_enum(ProductKind, "kind"), server_default="PRODUCT")
    condition: Mapped[Condition | None] = mapped_column(text_enum(Condition, "condition"))
    category: Mapped[str | None]
    size: Mapped[str | None]
    """Net contents or dimensions, as they are written."""
    quantity: Mapped[str | None]
    """Pieces sold together."""
    description: Mapped[str | None]
    price: Mapped[Decimal | None]
    currency: Mapped[str | None]
    cost: Mapped[Decimal | None]
    """What it cost the client, in a currency of its own: the price's changes with the market."""
    cost_currency: Mapped[str | None]
    listing_texts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"), default=dict)
    """Texts of its listing that a person wrote, by their names: every later listing has them."""
    attributes: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    inventory_count: Mapped[int] = mapped_column(server_default=text("0"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    fixed_fields: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"), default=list)
    """Names of the columns that a person settled; the machine never overwrites them."""
    source_data: Mapped[dict[str, Any] | None]
    upload_key: Mapped[UUID | None]
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    deleted_at: Mapped[datetime | None]
    deleted_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    photo_wanted_at: Mapped[datetime | None]
    """Since when a reviewer waits for a new photo; only while its newest run waits for a review."""
    photo_wanted_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    photo_wanted_note: Mapped[str | None]
    """What is to be seen on it, in the reviewer's words."""
    row_version: Mapped[int] = mapped_column(server_default=text("1"), default=1)
    search_text: Mapped[str] = mapped_column(
        Computed(
            "lower(coalesce(name, '') || ' ' || coalesce(brand, '') || ' ' || coalesce(model, '')"
            " || ' ' || coalesce(sku, ''))",
            persisted=True,
        )
    )

    __mapper_args__ = {"version_id_col": row_version}  # noqa: RUF012 - SQLAlchemy's own name and form


class Photo(Base):
    """One image of a product. `original_key`, `display_key`, `thumb_key` name bytes in storage.

    One that was taken again stays, out of use, and names the photo in its place: `replaced_by`. The ways of all photos
    of a place end at the one in use.
    """

    __tablename__ = "photos"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "product_id"], ["products.client_id", "products.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["client_id", "replaced_by"], ["photos.client_id", "photos.id"]),
        UniqueConstraint("client_id", "id"),
        CheckConstraint("replaced_by IS NULL OR NOT is_primary", name="in_use"),
        Index("ix_photos_client_replaced_by", "client_id", "replaced_by"),
        Index("ix_photos_client_product", "client_id", "product_id", "position"),
        Index("ix_photos_client_sha256", "client_id", "sha256"),
        Index("uq_photos_primary", "product_id", unique=True, postgresql_where=text("is_primary")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID]
    product_id: Mapped[UUID]
    position: Mapped[int]
    is_primary: Mapped[bool] = mapped_column(server_default=text("false"))
    file_name: Mapped[str]
    mime_type: Mapped[str]
    size_bytes: Mapped[int]
    sha256: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    original_key: Mapped[str]
    display_key: Mapped[str]
    thumb_key: Mapped[str]
    quality_score: Mapped[int | None]
    quality_says: Mapped[str] = mapped_column(server_default="")
    may_show_bars: Mapped[bool] = mapped_column(server_default=text("true"))
    """False only where it was looked for bars, and surely none are on it."""
    replaced_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ReferenceCatalog(Base):
    """Known products that belong to the installation: every client's analysis looks them up, nobody sells them.

    `product_count`: how many there were after the last import."""

    __tablename__ = "reference_catalogs"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    product_count: Mapped[int] = mapped_column(server_default=text("0"))
    imported_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ReferenceProduct(Base):
    """One product of a reference catalog. `key`: its number, else a fingerprint of what it is called."""

    __tablename__ = "reference_products"
    __table_args__ = (
        UniqueConstraint("catalog_id", "key"),
        CheckConstraint("gtin14 ~ '^[0-9]{14}$'", name="gtin14"),
        Index("ix_reference_products_gtin14", "gtin14"),
        Index(
            "ix_reference_products_search_text",
            "search_text",
            postgresql_using="gin",
            postgresql_ops={"search_text": "gin_trgm_ops"},
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    catalog_id: Mapped[UUID] = mapped_column(ForeignKey("reference_catalogs.id", ondelete="CASCADE"))
    key: Mapped[str]
    name: Mapped[str]
    brand: Mapped[str | None]
    model: Mapped[str | None]
    gtin14: Mapped[str | None]
    category: Mapped[str | None]
    search_text: Mapped[str] = mapped_column(
        Computed("lower(name || ' ' || coalesce(brand, '') || ' ' || coalesce(model, ''))", persisted=True)
    )
