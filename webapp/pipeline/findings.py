"""Findings between the pure phases' structs and the tables that keep them."""

from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
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


def write(session: Session, phase: Phase, epoch: int, found: Found) -> None:
    """Keep what a phase found; an earlier finding of the same phase gives way."""
    model, _, columns = TABLES[list(PhaseName)[phase.number - 1]]
    values = {
        "phase_id": phase.id,
        "client_id": phase.client_id,
        "epoch": epoch,
        "findings": msgspec.to_builtins(found),
        **columns(found),
    }
    statement = insert(model).values(**values)
    changes = {name: statement.excluded[name] for name in values if name not in ("phase_id", "client_id")}
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["phase_id"], set_={**changes, "updated_at": func.clock_timestamp()}
        )
    )


def read(session: Session, phase_ids: dict[int, int]) -> dict[PhaseName, Found | None]:
    """What the phases of one run found; `phase_ids` maps phase numbers to phase ids."""
    found: dict[PhaseName, Found | None] = {}
    for name, (model, struct, _) in TABLES.items():
        row = session.execute(
            select(model.findings).where(model.phase_id == phase_ids[name.number])
        ).scalar_one_or_none()
        found[name] = msgspec.convert(row, struct) if row is not None else None
    return found


def read_one(session: Session, run_id: object, name: PhaseName) -> Any:
    """What one phase of a run found, or None."""
    model, struct, _ = TABLES[name]
    row = session.execute(
        select(model.findings)
        .join(Phase, Phase.id == model.phase_id)
        .where(Phase.run_id == run_id, Phase.number == name.number)
    ).scalar_one_or_none()
    return msgspec.convert(row, struct) if row is not None else None
