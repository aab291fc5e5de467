"""What people tried again together: one press of a button on the failures page."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base


class Retry(Base):
    """One press of "try one" or "retry all". Its id comes from the form, so that a second press is the same one."""

    __tablename__ = "retries"
    __table_args__ = (
        UniqueConstraint("client_id", "id"),
        Index("ix_retries_client_created", "client_id", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    cause: Mapped[str]
    says: Mapped[str]
    """The failure in words, as the page showed it."""
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Retried(Base):
    """One piece of work that a retry set going again; what became of it is told by the work itself."""

    __tablename__ = "retried"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "retry_id"], ["retries.client_id", "retries.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["client_id", "work_id"], ["work.client_id", "work.id"], ondelete="CASCADE"),
        Index("ix_retried_client_retry", "client_id", "retry_id"),
        Index("ix_retried_client_work", "client_id", "work_id"),
    )

    retry_id: Mapped[UUID] = mapped_column(primary_key=True)
    work_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    client_id: Mapped[UUID]
