"""What is learned from people's decisions: corrections, the rules they propose, and calibrations of confidence."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Identity, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base, text_enum
from webapp.phases.rules import KeyKind


class RuleState(StrEnum):
    """What an admin said of a rule."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Correction(Base):
    """One field that a reviewer changed, under one thing that was known of the product then (its key)."""

    __tablename__ = "corrections"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "run_id"], ["runs.client_id", "runs.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["client_id", "product_id"], ["products.client_id", "products.id"], ondelete="CASCADE"),
        UniqueConstraint("client_id", "id"),
        Index("ix_corrections_client_key", "client_id", "key_kind", "key_value", "field"),
        Index("ix_corrections_client_run", "client_id", "run_id"),
        Index("ix_corrections_client_product", "client_id", "product_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    client_id: Mapped[UUID]
    run_id: Mapped[UUID]
    product_id: Mapped[UUID]
    field: Mapped[str]
    old: Mapped[str | None]
    new: Mapped[str | None]
    key_kind: Mapped[KeyKind] = mapped_column(text_enum(KeyKind, "key_kind"))
    key_value: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Rule(Base):
    """A correction that was made often enough to be proposed for all products with the same key."""

    __tablename__ = "rules"
    __table_args__ = (
        UniqueConstraint("client_id", "id"),
        UniqueConstraint(
            "client_id", "key_kind", "key_value", "field", "old", "new", postgresql_nulls_not_distinct=True
        ),
        # Analysis' look-up, and that no two accepted rules say different things of the same.
        Index(
            "uq_rules_accepted",
            "client_id",
            "key_kind",
            "key_value",
            "field",
            "old",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("state = 'accepted'"),
        ),
        Index("ix_rules_client_state", "client_id", "state", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    field: Mapped[str]
    old: Mapped[str | None]
    new: Mapped[str | None]
    key_kind: Mapped[KeyKind] = mapped_column(text_enum(KeyKind, "key_kind"))
    key_value: Mapped[str]
    state: Mapped[RuleState] = mapped_column(text_enum(RuleState, "state"), server_default="proposed")
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    decided_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RuleUse(Base):
    """An accepted rule changed what a run found."""

    __tablename__ = "rule_uses"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "rule_id"], ["rules.client_id", "rules.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["client_id", "run_id"], ["runs.client_id", "runs.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["client_id", "product_id"], ["products.client_id", "products.id"], ondelete="CASCADE"),
        Index("ix_rule_uses_client_rule", "client_id", "rule_id", "created_at"),
        Index("ix_rule_uses_client_run", "client_id", "run_id"),
        Index("ix_rule_uses_client_product", "client_id", "product_id"),
    )

    rule_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[UUID]
    product_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Calibration(Base):
    """A calibrator that was fitted to the decisions at one catalog; at most one per catalog is in use."""

    __tablename__ = "calibrations"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "catalog_id"], ["catalogs.client_id", "catalogs.id"], ondelete="CASCADE"),
        UniqueConstraint("client_id", "id"),
        UniqueConstraint("catalog_id", "version"),
        CheckConstraint("version > 0", name="version"),
        Index("uq_calibrations_used", "catalog_id", unique=True, postgresql_where=text("is_used")),
        Index("ix_calibrations_client_catalog", "client_id", "catalog_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    client_id: Mapped[UUID]
    catalog_id: Mapped[UUID]
    version: Mapped[int]
    is_used: Mapped[bool] = mapped_column(server_default=text("false"))
    calibrator: Mapped[dict[str, Any]]
    """`phases.calibration.Calibrator` as JSON."""
    decisions: Mapped[int]
    fingerprint: Mapped[str]
    """Of the decisions that it was fitted to."""
    fitted_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
