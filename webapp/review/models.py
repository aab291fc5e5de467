"""A person's decision on a run that stopped for low confidence, or that was drawn for an audit."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Identity, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base


class Review(Base):
    """The review of one run: who looks at it now, and what was decided. A run is reviewed at most once."""

    __tablename__ = "reviews"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "run_id"], ["runs.client_id", "runs.id"], ondelete="CASCADE"),
        UniqueConstraint("client_id", "id"),
        UniqueConstraint("run_id"),
        CheckConstraint("decision IN ('confirmed', 'corrected')", name="decision"),
        CheckConstraint("(decision IS NULL) = (decided_at IS NULL)", name="decided"),
        Index("ix_reviews_client_run", "client_id", "run_id"),
        Index("ix_reviews_client_decided", "client_id", "decided_at"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    client_id: Mapped[UUID]
    run_id: Mapped[UUID]
    claimed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    claimed_until: Mapped[datetime | None]
    decision: Mapped[str | None]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    decided_at: Mapped[datetime | None]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    replaced: Mapped[dict[str, Any] | None]
    """Of an audit: what the product was before the decision, to take it back."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
