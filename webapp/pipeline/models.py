"""Runs, their four phases, and what each phase found."""

from datetime import datetime
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
    SmallInteger,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from webapp.database import Base, new_id, text_enum
from webapp.phases.facts import Condition


class RunState(StrEnum):
    """Where a run stands as a whole."""

    RUNNING = "running"
    REVIEW = "review"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"


class PhaseName(StrEnum):
    """The four phases, in order; their numbers are 1 to 4."""

    ANALYSIS = "analysis"
    MARKET = "market"
    SEO = "seo"
    LISTING = "listing"

    @property
    def number(self) -> int:
        """1 to 4."""
        return list(PhaseName).index(self) + 1


LABELS = {
    PhaseName.ANALYSIS: "Analysis",
    PhaseName.MARKET: "Market research",
    PhaseName.SEO: "SEO",
    PhaseName.LISTING: "Listing",
}
"""What people call the phases in events and messages."""


class AuditState(StrEnum):
    """Whether a person has looked at a run that was drawn for an audit."""

    OPEN = "open"
    DECIDED = "decided"


class Run(Base):
    """One passage of a product through the pipeline. A product has at most one that is under way."""

    __tablename__ = "runs"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "product_id"], ["products.client_id", "products.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["client_id", "stream_id"], ["streams.client_id", "streams.id"], ondelete="CASCADE"),
        UniqueConstraint("client_id", "id"),
        UniqueConstraint("product_id", "number"),
        UniqueConstraint("stream_id"),
        CheckConstraint("confidence BETWEEN 0 AND 100", name="confidence"),
        CheckConstraint("(audit IS NULL) = (audit_percent IS NULL)", name="audit_drawn"),
        Index("ix_runs_audit_open", "client_id", "id", postgresql_where=text("audit = 'open'")),
        Index("uq_runs_active", "product_id", unique=True, postgresql_where=text("state IN ('running', 'review')")),
        Index("uq_runs_latest", "product_id", unique=True, postgresql_where=text("is_latest")),
        # The desk: the newest run of each product, newest product first, by state or not, mine or everybody's.
        Index("ix_runs_desk", "client_id", "id", postgresql_where=text("is_latest")),
        Index("ix_runs_desk_state", "client_id", "state", "id", postgresql_where=text("is_latest")),
        Index("ix_runs_desk_mine", "client_id", "created_by", "state", "id", postgresql_where=text("is_latest")),
        Index("ix_runs_client_product", "client_id", "product_id"),
        Index("ix_runs_client_stream", "client_id", "stream_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID]
    product_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(SmallInteger)
    is_latest: Mapped[bool] = mapped_column(server_default=text("true"))
    """Whether it stands for its product on the desk: the newest run of a product that is not removed."""
    stream_id: Mapped[int]
    state: Mapped[RunState] = mapped_column(text_enum(RunState, "state"))
    confidence: Mapped[int | None] = mapped_column(SmallInteger)
    to_add: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """How many facts its listing lacks that only a person can add; 0 before there is one."""
    reasons: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    """Why a person is asked, in plain words."""
    hints: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """What the uploader typed: name, model, condition."""
    audit: Mapped[AuditState | None] = mapped_column(text_enum(AuditState, "audit"))
    """Of a run that went on by itself and was drawn for a person to look at."""
    audit_percent: Mapped[int | None] = mapped_column(SmallInteger)
    """The rate at which it was drawn: it stands for 100 / rate runs."""
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    """The product's uploader, so that "mine" is answered by one index."""
    started_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Phase(Base):
    """One of the four steps of a run; its state is its work's state."""

    __tablename__ = "phases"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "run_id"], ["runs.client_id", "runs.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["client_id", "work_id"], ["work.client_id", "work.id"], ondelete="CASCADE"),
        UniqueConstraint("client_id", "id"),
        UniqueConstraint("run_id", "number"),
        UniqueConstraint("work_id"),
        CheckConstraint("number BETWEEN 1 AND 4", name="number"),
        Index("ix_phases_client_run", "client_id", "run_id"),
        Index("ix_phases_client_work", "client_id", "work_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    client_id: Mapped[UUID]
    run_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(SmallInteger)
    work_id: Mapped[int]
    input_fingerprint: Mapped[str | None]


class OfferVerdict(Base):
    """A person's word on whether an offer is for a product: of the thing itself, whatever it was called then.

    `is_of_former`: the product was taken for another one when this was said, so no name is learned from it."""

    __tablename__ = "offer_verdicts"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "product_id"], ["products.client_id", "products.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["client_id", "offer_id"], ["offers.client_id", "offers.id"], ondelete="CASCADE"),
        Index("ix_offer_verdicts_client_product", "client_id", "product_id"),
        Index("ix_offer_verdicts_client_offer", "client_id", "offer_id"),
    )

    product_id: Mapped[UUID] = mapped_column(primary_key=True)
    offer_id: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[UUID]
    is_same: Mapped[bool]
    said_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    said_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    is_of_former: Mapped[bool] = mapped_column(server_default=text("false"), default=False)


class Finding:
    """Columns that all four findings tables share. `findings` is the whole struct with its evidence; the columns
    beside it are what lists, filters and reports ask for. `epoch` is the lease that wrote it."""

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:
        return (
            ForeignKeyConstraint(["client_id", "phase_id"], ["phases.client_id", "phases.id"], ondelete="CASCADE"),
            Index(None, "client_id", "phase_id"),
        )

    phase_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    client_id: Mapped[UUID]
    epoch: Mapped[int]
    findings: Mapped[dict[str, Any]]
    written_by: Mapped[str] = mapped_column(server_default="machine")
    """`machine`, `model` or `reviewer`."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class AnalysisFinding(Finding, Base):
    """What phase 1 found."""

    __tablename__ = "analysis_findings"

    path: Mapped[str | None]
    """The way that the evidence took; empty where a person had settled the product before."""
    raw: Mapped[int | None] = mapped_column(SmallInteger)
    """The machine's own confidence by the defaults, `shown` after calibration, whatever a person said afterwards."""
    shown: Mapped[int | None] = mapped_column(SmallInteger)

    product_name: Mapped[str | None]
    model: Mapped[str | None]
    brand: Mapped[str | None]
    gtin14: Mapped[str | None]
    confidence: Mapped[int] = mapped_column(SmallInteger)
    item_condition: Mapped[Condition | None] = mapped_column(text_enum(Condition, "item_condition"))
    condition_details: Mapped[str | None]
    detected_categories: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    detected_brands: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    image_quality_score: Mapped[int] = mapped_column(SmallInteger)


Index(
    "ix_analysis_findings_client_at",
    AnalysisFinding.client_id,
    AnalysisFinding.created_at,
    postgresql_include=["path", "shown"],  # counted by the ten thousand, without a look at the findings beside them
)


class MarketFinding(Finding, Base):
    """What phase 2 found."""

    __tablename__ = "market_findings"

    competitive_price: Mapped[Decimal | None]
    list_price: Mapped[Decimal | None]
    """The maker's suggested retail price (MSRP)."""
    marketplace: Mapped[str | None]
    marketplace_price: Mapped[Decimal | None]
    marketplace_link: Mapped[str | None]
    currency: Mapped[str | None]
    low_price: Mapped[Decimal | None]
    high_price: Mapped[Decimal | None]
    offers_found: Mapped[int]
    offers_used: Mapped[int]
    newest_days: Mapped[int | None]
    oldest_days: Mapped[int | None]
    brand: Mapped[str | None]
    category: Mapped[str | None]


class SeoFinding(Finding, Base):
    """What phase 3 found."""

    __tablename__ = "seo_findings"

    title: Mapped[str]
    description: Mapped[str]
    slug: Mapped[str]
    score: Mapped[int] = mapped_column(SmallInteger)
    keywords: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    structured_data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class ListingFinding(Finding, Base):
    """What phase 4 made."""

    __tablename__ = "listing_findings"

    title: Mapped[str]
    bullets: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    description: Mapped[str]
    price: Mapped[Decimal | None]
    currency: Mapped[str | None]
    category: Mapped[str | None]
    item_condition: Mapped[Condition | None] = mapped_column(text_enum(Condition, "item_condition"))
    specifics: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
