"""Clients, the people who work for them, and how they prove who they are."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, SmallInteger, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, INET
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base, new_id, text_enum


class Role(StrEnum):
    """What a member may do at a client; each role may all that the ones before it may."""

    STAFF = "staff"
    REVIEWER = "reviewer"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        """Whether this role may do what `needed` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class Client(Base):
    """A tenant: owns everything that carries its `client_id`."""

    __tablename__ = "clients"
    __table_args__ = (
        CheckConstraint("length(name) >= 2", name="name"),
        CheckConstraint("slug ~ '^[a-z0-9-]+$'", name="slug"),
        CheckConstraint("review_threshold BETWEEN 0 AND 100", name="review_threshold"),
        CheckConstraint("audit_percent BETWEEN 0 AND 100", name="audit_percent"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("running_cap BETWEEN 1 AND 1000", name="running_cap"),
        CheckConstraint("model_budget_usd >= 0 AND model_cap_usd >= 0", name="model_money"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    slug: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str | None]
    logo_url: Mapped[str | None]
    contact_email: Mapped[str | None]
    contact_phone: Mapped[str | None]
    address: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    review_threshold: Mapped[int] = mapped_column(server_default=text("80"))
    audit_percent: Mapped[int] = mapped_column(SmallInteger, server_default=text("2"))
    """How many in a hundred of what goes on by itself a person looks at all the same."""
    expects_barcodes: Mapped[bool] = mapped_column(server_default=text("true"))
    """Whether its items have barcodes as a rule, so that a missing one is worth a word."""
    currency: Mapped[str] = mapped_column(server_default="USD")
    running_cap: Mapped[int] = mapped_column(SmallInteger, server_default=text("8"))
    """How many of its phases may run at once."""
    model_budget_usd: Mapped[Decimal] = mapped_column(Numeric(10, 2), server_default=text("0"))
    """What language models may cost in a month (UTC), in US dollars; at 0 only models that cost nothing are asked."""
    model_cap_usd: Mapped[Decimal] = mapped_column(Numeric(10, 4), server_default=text("0.05"))
    """What they may cost for one product, over all its runs."""
    model_uses: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default=text("'{analysis,matching,listing}'::text[]")
    )
    """What they may be asked for: names of `phases.facts.ModelUse`."""
    products_named: Mapped[int] = mapped_column(server_default=text("0"))
    """How many products got a code so far: the counter behind `01_ai_power_hour`."""
    settings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class User(Base):
    """A person who signs in. Not owned by a client: memberships say where the person works."""

    __tablename__ = "users"
    __table_args__ = (Index("uq_users_email", func.lower(text("email")), unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str]
    name: Mapped[str]
    password_hash: Mapped[str | None]
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    is_operator: Mapped[bool] = mapped_column(server_default=text("false"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    last_sign_in_at: Mapped[datetime | None]


class Membership(Base):
    """A user's role at a client."""

    __tablename__ = "memberships"

    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[Role] = mapped_column(text_enum(Role, "role"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class UserSession(Base):
    """A signed-in browser. Only the hash of its token is kept; ending it is one UPDATE."""

    __tablename__ = "sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    token_hash: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]
    address: Mapped[str | None] = mapped_column(INET)
    user_agent: Mapped[str | None]


class SignInLink(Base):
    """A link that signs its holder in once. Only the hash of its token is kept."""

    __tablename__ = "sign_in_links"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    token_hash: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
