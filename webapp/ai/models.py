"""Prompts with their versions, and every call to a model with what it cost."""

from datetime import datetime
from decimal import Decimal
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

from webapp.database import Base, new_id


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
        CheckConstraint("tokens_in >= 0 AND tokens_out >= 0 AND cost_usd >= 0", name="amounts"),
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
    tokens_in: Mapped[int] = mapped_column(server_default=text("0"))
    tokens_out: Mapped[int] = mapped_column(server_default=text("0"))
    cost_usd: Mapped[Decimal] = mapped_column(Numeric(12, 6), server_default=text("0"))
    duration_ms: Mapped[int] = mapped_column(server_default=text("0"))
    error: Mapped[str | None]
