"""Findings between the pure phases' structs and the tables that keep them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb
from sqlalchemy import Row, bindparam, func, select
from sqlalchemy.dialects.postgresql import JSONB
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
from webapp.statements import Statement
from webapp.together import Asked

Found = Analysis | Market | Seo | Listing


def condition_of(field: Field) -> Condition | None:
    """The condition that a field names, where it may be relied on."""
    return Condition(field.trusted) if field.trusted in set(Condition) else None


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
    name = list(PhaseName)[number - 1]
    model, _, columns = TABLES[name]
    values = {
        "phase_id": phase_id,
        "client_id": client_id,
        "epoch": epoch,
        "findings": found,
        **columns(found),
    }
    for column in _AS_JSON[name] & values.keys():
        values[column] = Jsonb(values[column], dumps=msgspec.json.encode)
    statement = _upsert(model.__tablename__, tuple(values), printed=fingerprint is not None)  # type: ignore[attr-defined]
    statement.execute(session, {**values, "fingerprint": fingerprint})


_AS_JSON = {
    name: frozenset(column.name for column in model.__table__.columns if isinstance(column.type, JSONB))  # type: ignore[attr-defined]
    for name, (model, _, _) in TABLES.items()
}
"""The columns that hold JSON."""


@cache
def _upsert(table: str, names: tuple[str, ...], *, printed: bool) -> Statement:
    """`names`: the columns that are written, by parameters of their names; `printed`: with the fingerprint."""
    values = ", ".join(f":{name}" for name in names)
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in ("phase_id", "client_id"))
    prints = "WITH printed AS (UPDATE phases SET input_fingerprint = :fingerprint WHERE id = :phase_id)"
    return Statement(f"""
        {prints if printed else ""}
        INSERT INTO {table} ({", ".join(names)}) VALUES ({values})
        ON CONFLICT (phase_id) DO UPDATE SET {changes}, updated_at = clock_timestamp()
    """)  # noqa: S608 - columns of the model


AS_COLUMNS = ",\n".join(
    f"(SELECT findings::text FROM {model.__tablename__} WHERE phase_id ="  # type: ignore[attr-defined]  # noqa: S608
    f" (SELECT id FROM phases WHERE run_id = runs.id AND number = {name.number})) AS {name.value}_found"
    for name, (model, _, _) in TABLES.items()
)
"""SQL: what the phases of a row of `runs` found, for `from_columns`."""


def from_columns(row: Any) -> dict[PhaseName, Any]:
    """What each phase found, by a row that has AS_COLUMNS; None where it found nothing yet."""
    kept = {name: getattr(row, f"{name.value}_found") for name in PhaseName}
    return {
        name: msgspec.json.decode(raw, type=TABLES[name][1]) if raw is not None else None for name, raw in kept.items()
    }


_ALL = Statement(f"""
    SELECT (SELECT json_agg(json_build_array(id, work_id) ORDER BY number)::text FROM phases WHERE run_id = runs.id)
             AS places, {AS_COLUMNS}
    FROM runs WHERE runs.id = :run_id
""")  # noqa: S608 - constants only


def read_all(session: Session, run_id: UUID) -> tuple[dict[PhaseName, Written], dict[PhaseName, Any]]:
    """The phases of a run, and what each found (None where it found nothing yet), in one query."""
    rows = _ALL.read(session, {"run_id": run_id})
    if not rows:
        return {}, dict.fromkeys(PhaseName)
    [row] = rows
    places = msgspec.json.decode(row.places, type=list[Written])
    return dict(zip(PhaseName, places, strict=True)), from_columns(row)


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


def ask_versions(run_id: UUID) -> Asked:
    """For `versions`: the phases of a run."""
    return _VERSIONS, {"run_id": run_id}


def versions(rows: Sequence[Row[*tuple[Any, ...]]]) -> dict[str, datetime | None]:
    """When the findings of each phase, by its name, were last written; None where there are none. Costs a fraction of
    reading them: enough to tell whether they are the same as before."""
    names = [name.value for name in PhaseName]
    return {names[row.number - 1]: row.version for row in rows}
