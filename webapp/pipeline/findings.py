"""Findings between the pure phases' structs and the tables that keep them."""

from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import Text, bindparam, cast, func, select, text
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import Session

from webapp.phases.facts import Analysis, Condition, Field, Listing, Market, Seo
from webapp.pipeline.models import (
    AnalysisFinding,
    Finding,
    ListingFinding,
    MarketFinding,
    Phase,
    PhaseName,
    SeoFinding,
)

Found = Analysis | Market | Seo | Listing


def condition_of(field: Field) -> Condition | None:
    """The condition that a field's value names."""
    return Condition(field.value) if field.value in set(Condition) else None


def _money(field: Field) -> Decimal | None:
    return Decimal(field.value) if field.value else None


def _analysis(found: Analysis) -> dict[str, Any]:
    return {
        "product_name": found.name.value,
        "model": found.model.value,
        "brand": found.brand.value,
        "gtin14": found.gtin.value,
        "confidence": found.confidence,
        "item_condition": condition_of(found.condition),
        "condition_details": found.condition_details,
        "detected_categories": msgspec.to_builtins(found.categories),
        "detected_brands": msgspec.to_builtins(found.brands),
        "image_quality_score": found.image_quality_score,
        "written_by": found.name.written_by,
        "path": found.assessment.path if found.assessment else None,
        "raw": found.assessment.raw if found.assessment else None,
        "shown": found.assessment.shown if found.assessment else None,
    }


def _market(found: Market) -> dict[str, Any]:
    return {
        "competitive_price": _money(found.competitive_price),
        "list_price": _money(found.list_price),
        "marketplace": found.marketplace,
        "marketplace_price": _money(found.marketplace_price),
        "marketplace_link": found.marketplace_link,
        "currency": found.currency,
        "low_price": found.low,
        "high_price": found.high,
        "offers_found": found.offers_found,
        "offers_used": found.offers_used,
        "newest_days": found.newest_days,
        "oldest_days": found.oldest_days,
        "brand": found.brand.value,
        "category": found.category.value,
    }


def _seo(found: Seo) -> dict[str, Any]:
    return {
        "title": found.titles[0].text if found.titles else "",
        "description": found.descriptions[0].text if found.descriptions else "",
        "slug": found.slug,
        "score": found.score,
        "keywords": msgspec.to_builtins(found.keywords),
        "structured_data": found.structured_data,
    }


def _listing(found: Listing) -> dict[str, Any]:
    return {
        "title": found.title,
        "bullets": list(found.bullets),
        "description": found.description,
        "price": Decimal(found.price) if found.price else None,
        "currency": found.currency,
        "category": found.category,
        "item_condition": found.condition,
        "specifics": {specific.name: specific.value for specific in found.specifics},
        "written_by": found.written_by,
    }


TABLES: dict[PhaseName, tuple[type[Finding], type[Any], Any]] = {
    PhaseName.ANALYSIS: (AnalysisFinding, Analysis, _analysis),
    PhaseName.MARKET: (MarketFinding, Market, _market),
    PhaseName.SEO: (SeoFinding, Seo, _seo),
    PhaseName.LISTING: (ListingFinding, Listing, _listing),
}


class Written(NamedTuple):
    """A phase's place in the tables."""

    phase_id: int
    work_id: int


def write(
    session: Session,
    client_id: UUID,
    phase_id: int,
    number: int,
    epoch: int,
    found: Found,
    fingerprint: str | None = None,
) -> None:
    """Keep what a phase found, and the fingerprint of what it was made from; an earlier finding gives way."""
    _, _, columns = TABLES[list(PhaseName)[number - 1]]
    values = {
        "phase_id": phase_id,
        "client_id": client_id,
        "epoch": epoch,
        "findings": msgspec.to_builtins(found),
        **columns(found),
    }
    session.execute(_upsert(number, frozenset(values)), values)
    if fingerprint is not None:
        session.execute(_FINGERPRINT, {"phase_id": phase_id, "fingerprint": fingerprint})


_FINGERPRINT = text("UPDATE phases SET input_fingerprint = :fingerprint WHERE id = :phase_id")


@cache
def _upsert(number: int, names: frozenset[str]) -> Insert:
    # On the table, not on the model: the same statement at half the cost.
    statement = insert(TABLES[list(PhaseName)[number - 1]][0].__table__)  # type: ignore[attr-defined]
    changes = {name: statement.excluded[name] for name in names if name not in ("phase_id", "client_id")}
    return statement.on_conflict_do_update(
        index_elements=["phase_id"], set_={**changes, "updated_at": func.clock_timestamp()}
    )


_ALL = (
    select(
        Phase.number,
        Phase.id,
        Phase.work_id,
        *(cast(model.findings, Text).label(name) for name, (model, _, _) in TABLES.items()),
    )
    .outerjoin(AnalysisFinding, AnalysisFinding.phase_id == Phase.id)
    .outerjoin(MarketFinding, MarketFinding.phase_id == Phase.id)
    .outerjoin(SeoFinding, SeoFinding.phase_id == Phase.id)
    .outerjoin(ListingFinding, ListingFinding.phase_id == Phase.id)
    .where(Phase.run_id == bindparam("run_id"))
)


def read_all(session: Session, run_id: UUID) -> tuple[dict[PhaseName, Written], dict[PhaseName, Any]]:
    """The phases of a run, and what each found (None where it found nothing yet), in one query."""
    places: dict[PhaseName, Written] = {}
    found: dict[PhaseName, Any] = {}
    for row in session.execute(_ALL, {"run_id": run_id}):
        number, phase_id, work_id, *kept = row
        name = list(PhaseName)[number - 1]
        places[name] = Written(phase_id, work_id)
        raw = kept[number - 1]
        found[name] = msgspec.json.decode(raw, type=TABLES[name][1]) if raw is not None else None
    return places, found


_VERSIONS = (
    select(
        Phase.number,
        func.coalesce(*(model.updated_at for model, _, _ in TABLES.values())).label("version"),
    )
    .outerjoin(AnalysisFinding, AnalysisFinding.phase_id == Phase.id)
    .outerjoin(MarketFinding, MarketFinding.phase_id == Phase.id)
    .outerjoin(SeoFinding, SeoFinding.phase_id == Phase.id)
    .outerjoin(ListingFinding, ListingFinding.phase_id == Phase.id)
    .where(Phase.run_id == bindparam("run_id"))
)


def versions(session: Session, run_id: UUID) -> dict[str, datetime | None]:
    """When the findings of each phase, by its name, were last written; None where there are none. Costs a fraction of
    reading them: enough to tell whether they are the same as before."""
    names = [name.value for name in PhaseName]
    return {names[row.number - 1]: row.version for row in session.execute(_VERSIONS, {"run_id": run_id})}
