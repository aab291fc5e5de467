"""Offers: what others ask for products, from CSV files and outside sources."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base, new_id, text_enum
from webapp.phases.facts import Condition


class Offer(Base):
    """One offer seen in a market for some product, filled from CSV or by providers."""

    __tablename__ = "offers"
    __table_args__ = (
        UniqueConstraint("client_id", "id"),
        UniqueConstraint("client_id", "source", "source_ref"),
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint("kind IN ('offer', 'list')", name="kind"),
        CheckConstraint("gtin14 ~ '^[0-9]{14}$'", name="gtin14"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index("ix_offers_client_gtin14", "client_id", "gtin14"),
        Index(
            "ix_offers_search_text",
            "search_text",
            postgresql_using="gin",
            postgresql_ops={"search_text": "gin_trgm_ops"},
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    source: Mapped[str]
    source_ref: Mapped[str]
    """The source's own name for the offer; importing the same again updates it."""
    kind: Mapped[str] = mapped_column(server_default="offer")
    title: Mapped[str]
    marketplace: Mapped[str | None]
    link: Mapped[str | None]
    brand: Mapped[str | None]
    model: Mapped[str | None]
    gtin14: Mapped[str | None]
    category: Mapped[str | None]
    condition: Mapped[Condition | None] = mapped_column(text_enum(Condition, "condition"))
    price: Mapped[Decimal]
    currency: Mapped[str]
    seen_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    search_text: Mapped[str] = mapped_column(
        Computed("lower(title || ' ' || coalesce(brand, '') || ' ' || coalesce(model, ''))", persisted=True)
    )


class Lookup(Base):
    """One question that a source was asked for a client, and when: within its time-to-live it is not asked again."""

    __tablename__ = "lookups"

    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"), primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    question: Mapped[str] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    found: Mapped[int]
