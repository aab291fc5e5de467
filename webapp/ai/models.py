"""Prompts with their versions, and every call to a model with what it cost."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Numeric,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base, new_id, text_enum
from webapp.phases.facts import ModelUse


class Prompt(Base):
    """A named template that a stage or a phase uses; its texts are versions."""

    __tablename__ = "prompts"
    __table_args__ = (UniqueConstraint("client_id", "id"), UniqueConstraint("client_id", "name"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    current_version: Mapped[int] = mapped_column(server_default=text("1"))
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    deleted_at: Mapped[datetime | None]


class PromptVersion(Base):
    """One text of a prompt, never changed once written."""

    __tablename__ = "prompt_versions"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "prompt_id"], ["prompts.client_id", "prompts.id"], ondelete="CASCADE"),
        UniqueConstraint("client_id", "id"),
        UniqueConstraint("prompt_id", "version"),
        CheckConstraint("version >= 1", name="version"),
        Index("ix_prompt_versions_client_prompt", "client_id", "prompt_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    client_id: Mapped[UUID]
    prompt_id: Mapped[UUID]
    version: Mapped[int]
    template: Mapped[str]
    parameters: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class CallState(StrEnum):
    """Where the money of a call stands."""

    RESERVED = "reserved"
    """Under way."""
    SETTLED = "settled"
    """Answered; booked by what was used."""
    RELEASED = "released"
    """Surely not billed: it was not reached, or refused by an error."""
    UNKNOWN = "unknown"
    """Nobody knows whether it was billed; booked by its upper estimate."""


class AiCall(Base):
    """One call to a model: who asked, what it used, what it cost (in US dollars), how long it took."""

    __tablename__ = "ai_calls"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "work_id"], ["work.client_id", "work.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(
            ["client_id", "prompt_version_id"],
            ["prompt_versions.client_id", "prompt_versions.id"],
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(["client_id", "product_id"], ["products.client_id", "products.id"], ondelete="CASCADE"),
        CheckConstraint("tokens_in >= 0 AND tokens_out >= 0 AND cost_usd >= 0", name="amounts"),
        CheckConstraint("reserved_usd >= 0", name="reserved"),
        Index("ix_ai_calls_client_id", "client_id", "id"),
        Index("ix_ai_calls_client_product", "client_id", "product_id"),
        Index("ix_ai_calls_reserved", "client_id", postgresql_where=text("state = 'reserved'")),
        Index("ix_ai_calls_client_at", "client_id", "at"),
        Index("ix_ai_calls_client_work", "client_id", "work_id"),
        Index("ix_ai_calls_client_prompt_version", "client_id", "prompt_version_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    provider: Mapped[str]
    model: Mapped[str]
    prompt_version_id: Mapped[int | None]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    work_id: Mapped[int | None]
    epoch: Mapped[int | None]
    """Of the work, when it made the call: a later one means that this worker is gone."""
    product_id: Mapped[UUID | None]
    use: Mapped[ModelUse | None] = mapped_column(text_enum(ModelUse, "use"))
    state: Mapped[CallState] = mapped_column(text_enum(CallState, "call_state"), server_default="settled")
    month: Mapped[date | None]
    """Whose budget it counts against."""
    reserved_usd: Mapped[Decimal] = mapped_column(Numeric(12, 6), server_default=text("0"))
    tokens_in: Mapped[int] = mapped_column(server_default=text("0"))
    tokens_out: Mapped[int] = mapped_column(server_default=text("0"))
    cost_usd: Mapped[Decimal] = mapped_column(Numeric(12, 6), server_default=text("0"))
    """What counts against budget and cap now: the estimate while it is reserved or unknown, then what it cost."""
    duration_ms: Mapped[int] = mapped_column(server_default=text("0"))
    error: Mapped[str | None]


class AiSpending(Base):
    """What a client's models cost in a month (in UTC), in US dollars: spent, and reserved for calls under way."""

    __tablename__ = "ai_spending"
    __table_args__ = (CheckConstraint("reserved >= 0", name="reserved"), CheckConstraint("spent >= 0", name="spent"))

    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"), primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    spent: Mapped[Decimal] = mapped_column(Numeric(14, 6), server_default=text("0"))
    reserved: Mapped[Decimal] = mapped_column(Numeric(14, 6), server_default=text("0"))


class AiAnswer(Base):
    """What a model answered to a question; within its time the same question is not asked again. `answer` is None
    where it refused."""

    __tablename__ = "ai_answers"
    __table_args__ = (Index("ix_ai_answers_client_at", "client_id", "asked_at"),)

    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"), primary_key=True)
    question: Mapped[str] = mapped_column(primary_key=True)
    """Fingerprint of the model and of everything that it was asked, photos included."""
    answer: Mapped[dict[str, Any] | None]
    problem: Mapped[str] = mapped_column(server_default="")
    asked_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
