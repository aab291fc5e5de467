"""A catalog's pricing rules, and what its products cost. Callers hold a `transaction()`."""

from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.audit import services as audit
from webapp.audit.services import Actor
from webapp.catalog.models import Catalog, Product
from webapp.errors import NotFound
from webapp.phases.pricing_rules import PricingRules, read_rules


class Ruled(NamedTuple):
    """A catalog with its rules."""

    id: UUID
    name: str
    rules: PricingRules


def catalogs(session: Session) -> list[Ruled]:
    """The client's catalogs, the default one first."""
    rows = session.execute(
        select(Catalog.id, Catalog.name, Catalog.pricing_rules).order_by(
            Catalog.is_default.desc(), func.lower(Catalog.name), Catalog.id
        )
    )
    return [Ruled(row.id, row.name, read_rules(row.pricing_rules)) for row in rows]


def set_rules(session: Session, catalog_id: UUID, rules: PricingRules, actor: Actor) -> None:
    """Have the catalog's prices follow these rules from now on.

    Raises:
        NotFound: there is no such catalog.
    """
    catalog = session.get(Catalog, catalog_id, with_for_update=True)
    if catalog is None:
        raise NotFound("There is no such catalog.")
    old, new = catalog.pricing_rules, msgspec.to_builtins(rules)
    if old == new:
        return
    catalog.pricing_rules = new
    session.flush()
    audit.record(
        actor,
        "pricing_rules_changed",
        client_id=catalog.client_id,
        table="catalogs",
        row_id=catalog_id,
        old=old,
        new=new,
    )


def set_cost(session: Session, product_id: UUID, cost: Decimal | None, currency: str, actor: Actor) -> None:
    """Say what a product cost; None: nobody knows.

    Raises:
        NotFound: there is no such product.
    """
    product = session.get(Product, product_id, with_for_update=True)
    if product is None or product.deleted_at is not None:
        raise NotFound("There is no such product.")
    old = {"cost": product.cost, "cost_currency": product.cost_currency}
    new = {"cost": cost, "cost_currency": currency if cost is not None else None}
    if old == new:
        return
    product.cost, product.cost_currency = cost, new["cost_currency"]  # type: ignore[assignment]
    session.flush()
    audit.record(
        actor, "cost_changed", client_id=product.client_id, table="products", row_id=product_id, old=old, new=new
    )
