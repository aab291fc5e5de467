"""What pricing rules would make of the products that a catalog has."""

from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from webapp.catalog.models import Product
from webapp.phases.facts import Market
from webapp.phases.pricing import Proposal, propose
from webapp.phases.pricing_rules import PricingRules, Terms
from webapp.pipeline.models import MarketFinding, Phase, PhaseName, Run

SHOWN = 12
"""The newest products whose market is known."""


class Sample(NamedTuple):
    """One product with its price by the rules that hold, and by those that are tried."""

    product_id: UUID
    name: str | None
    now: Proposal
    then: Proposal


def samples(session: Session, catalog_id: UUID, kept: PricingRules, tried: PricingRules) -> list[Sample]:
    """The catalog's newest products priced both ways. One query."""
    rows = session.execute(
        select(
            Product.id,
            Product.name,
            Product.condition,
            Product.cost,
            Product.cost_currency,
            cast(MarketFinding.findings, Text).label("market"),
        )
        .join(Run, Run.product_id == Product.id)
        .join(Phase, (Phase.run_id == Run.id) & (Phase.number == PhaseName.MARKET.number))
        .join(MarketFinding, MarketFinding.phase_id == Phase.id)
        .where(Product.catalog_id == catalog_id, Product.deleted_at.is_(None), Run.is_latest)
        .order_by(Run.id.desc())
        .limit(SHOWN)
    )
    found = []
    for row in rows:
        market = msgspec.json.decode(row.market, type=Market)
        now, then = (
            propose(row.condition, market, Terms(rules=rules, cost=row.cost, cost_currency=row.cost_currency))
            for rules in (kept, tried)
        )
        found.append(Sample(row.id, row.name, now, then))
    return found
