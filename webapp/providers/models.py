"""Offers: what others ask for products, from CSV files and outside sources; and what money is worth in other money."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Numeric,
    UniqueConstraint,
    func,
)
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
        CheckConstraint("shipping >= 0", name="shipping"),
        CheckConstraint("kind IN ('offer', 'list', 'sale')", name="kind"),
        CheckConstraint("gtin14 ~ '^[0-9]{14}$'", name="gtin14"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index("ix_offers_client_gtin14", "client_id", "gtin14"),
        Index("ix_offers_client_source_seen", "client_id", "source", "seen_at"),
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
    shipping: Mapped[Decimal | None]
    currency: Mapped[str]
    seen_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    search_text: Mapped[str] = mapped_column(
        Computed("lower(title || ' ' || coalesce(brand, '') || ' ' || coalesce(model, ''))", persisted=True)
    )


class OfferPrice(Base):
    """What an offer asked on an earlier day, shipping included. What it asks now is in the offer itself."""

    __tablename__ = "offer_prices"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "offer_id"], ["offers.client_id", "offers.id"], ondelete="CASCADE"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index("ix_offer_prices_client_offer", "client_id", "offer_id"),
    )

    offer_id: Mapped[UUID] = mapped_column(primary_key=True)
    seen_on: Mapped[date] = mapped_column(primary_key=True)
    client_id: Mapped[UUID]
    price: Mapped[Decimal]
    currency: Mapped[str]


class ExchangeRate(Base):
    """So many units of `quote` are worth one unit of `base` on a day. For the whole installation.

    Each base is also there in itself, at 1, so that every conversion is one join of two rates of one day and base."""

    __tablename__ = "exchange_rates"
    __table_args__ = (
        CheckConstraint("rate > 0", name="rate"),
        CheckConstraint("base ~ '^[A-Z]{3}$'", name="base"),
        CheckConstraint("quote ~ '^[A-Z]{3}$'", name="quote"),
    )

    quote: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    base: Mapped[str] = mapped_column(primary_key=True)
    rate: Mapped[Decimal] = mapped_column(Numeric(20, 10))


class Lookup(Base):
    """One question that a source was asked for a client, and when: within its time-to-live it is not asked again."""

    __tablename__ = "lookups"
    __table_args__ = (Index("ix_lookups_client_asked", "client_id", "asked_at"),)

    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"), primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    question: Mapped[str] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    found: Mapped[int]
