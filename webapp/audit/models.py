"""Who did what, when, from where: appended, never changed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Index, func
from sqlalchemy.dialects.postgresql import ARRAY, INET, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base


class AuditEntry(Base):
    """One thing that a person, a key or the system did. Without a client: it concerned the installation."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_client_at", "client_id", "at"),
        Index("ix_audit_row", "client_id", "table_name", "row_id", "at"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    api_key_id: Mapped[UUID | None]
    session_id: Mapped[UUID | None]
    action: Mapped[str]
    table_name: Mapped[str | None]
    row_id: Mapped[str | None]
    old: Mapped[dict[str, Any] | None]
    new: Mapped[dict[str, Any] | None]
    changed_fields: Mapped[list[str] | None] = mapped_column(ARRAY(TEXT))
    details: Mapped[dict[str, Any] | None]
    address: Mapped[str | None] = mapped_column(INET)
    user_agent: Mapped[str | None]
