"""Prices below what cost and rules ask for: those hold for listings written from then on, so older ones stay."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.catalog.models import Catalog, Product
from webapp.phases.pricing_rules import Terms, lowest, read_rules


class TooLow(NamedTuple):
    """Why a price is too low, in words, and whether a person wrote it: then no run changes it."""

    says: str
    is_written: bool


def too_low(session: Session, product_id: UUID) -> TooLow | None:
    """What the product's price must not be below by its cost and its catalog's rules, where it is below. One query."""
    row = session.execute(
        select(
            Product.price,
            Product.currency,
            Product.cost,
            Product.cost_currency,
            Product.listing_texts.has_key("price").label("is_written"),
            Catalog.pricing_rules,
        )
        .join(Catalog, Catalog.id == Product.catalog_id)
        .where(Product.id == product_id)
    ).one_or_none()
    if row is None or row.price is None or row.currency is None:
        return None
    terms = Terms(rules=read_rules(row.pricing_rules), cost=row.cost, cost_currency=row.cost_currency)
    least = lowest(terms, row.currency)
    return TooLow(least.says, row.is_written) if least is not None and row.price < least.price else None
