"""Decisions of people beside what the machine had said: what the page shows and what calibrators are fitted to."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import Date, Row, Select, cast, func, select
from sqlalchemy.orm import Session

from webapp.catalog.models import Product
from webapp.phases.calibration import SURE, Decision, group_of, rightness
from webapp.phases.calibration.estimates import Judged
from webapp.phases.facts import Assessment
from webapp.pipeline.models import AnalysisFinding, Phase, PhaseName, Run
from webapp.review.models import Review

MOST = 5000
"""The newest decisions count; older ones tell of cameras, labels and catalogs that are gone."""
WINDOW_DAYS = 90

_DECIDED = (
    select(
        Review.decided_at,
        Review.before,
        Review.after,
        Run.product_id,
        Run.audit_percent,
        Product.catalog_id,
        AnalysisFinding.path,
        AnalysisFinding.raw,
        AnalysisFinding.shown,
    )
    .join(Run, Run.id == Review.run_id)
    .join(Product, Product.id == Run.product_id)
    .join(Phase, (Phase.run_id == Run.id) & (Phase.number == PhaseName.ANALYSIS.number))
    .join(AnalysisFinding, AnalysisFinding.phase_id == Phase.id)
    .where(Review.decided_at.is_not(None), AnalysisFinding.shown.is_not(None))
    .order_by(Review.decided_at.desc())
    .limit(MOST)
)


class Verdict(NamedTuple):
    """One decision as the page needs it; `judged` is None where the machine had made no guess."""

    catalog_id: UUID
    path: str
    is_audit: bool
    was_sure: bool
    """Whether the defaults were sure."""
    judged: Judged | None


class Seen(NamedTuple):
    """Products analysed in a week, on a path, with a score."""

    week: date
    path: str
    shown: int
    products: int
    first: datetime
    """When the first of them was analysed."""


def verdicts(session: Session, since: datetime, catalog_id: UUID | None = None) -> list[Verdict]:
    """The decisions since then, newest first, at most MOST."""
    rows = session.execute(_of(_DECIDED.where(Review.decided_at >= since), catalog_id))
    return [_verdict(row) for row in rows]


def seen(session: Session, since: datetime, catalog_id: UUID | None = None) -> list[Seen]:
    """How many products were analysed since then, by week, path and score, whoever has judged them."""
    week = cast(func.date_trunc("week", AnalysisFinding.created_at, "UTC"), Date).label("week")
    counted = (
        select(week, AnalysisFinding.path, AnalysisFinding.shown, func.count(), func.min(AnalysisFinding.created_at))
        .where(AnalysisFinding.created_at >= since, AnalysisFinding.shown.is_not(None))
        .group_by(week, AnalysisFinding.path, AnalysisFinding.shown)
    )
    if catalog_id is not None:
        counted = (
            counted.join(Phase, Phase.id == AnalysisFinding.phase_id)
            .join(Run, Run.id == Phase.run_id)
            .join(Product, Product.id == Run.product_id)
            .where(Product.catalog_id == catalog_id)
        )
    rows = session.execute(counted)
    return [Seen(week, path or "", shown or 0, products, first) for week, path, shown, products, first in rows]


def decisions(session: Session, catalog_id: UUID) -> list[Decision]:
    """What a calibrator of the catalog is fitted to: the newest decisions on products that the machine had named."""
    rows = session.execute(
        _of(_DECIDED.add_columns(AnalysisFinding.findings["assessment"].label("assessment")), catalog_id)
    )
    found = []
    for row in rows:
        rights, right = rightness(row.before, row.after)
        if right is not None and row.assessment is not None:
            found.append(
                Decision(
                    assessment=msgspec.convert(row.assessment, Assessment),
                    rights=rights,
                    right=right,
                    weight=_weight(row),
                    group=group_of(row.after, str(row.product_id)),
                    at=row.decided_at,
                )
            )
    return found


def window_start() -> datetime:
    """Since when decisions and products are looked at."""
    return datetime.now(UTC) - timedelta(days=WINDOW_DAYS)


def _of(statement: Select[*tuple[Any, ...]], catalog_id: UUID | None) -> Select[*tuple[Any, ...]]:
    return statement if catalog_id is None else statement.where(Product.catalog_id == catalog_id)


def _verdict(row: Row[*tuple[Any, ...]]) -> Verdict:
    _, right = rightness(row.before, row.after)
    day = row.decided_at.astimezone(UTC).date()
    judged = Judged(row.shown, right, _weight(row), day - timedelta(days=day.weekday())) if right is not None else None
    return Verdict(row.catalog_id, row.path, row.audit_percent is not None, row.raw >= SURE, judged)


def _weight(row: Row[*tuple[Any, ...]]) -> float:
    """Every product below the threshold is reviewed; of those above it, one in so many."""
    return 100 / row.audit_percent if row.audit_percent else 1.0
