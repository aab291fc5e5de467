"""What there is of a client's reviews to learn a matcher from: the products that count, and how much there is. Nothing
here brings numpy: the web process tells of it before anybody learns."""

from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from webapp.catalog.models import Product
from webapp.pipeline.models import OfferVerdict
from webapp.providers.models import Offer

SETTLED_LIMIT = 5_000
"""So many products, the newest, are learned from."""
PAIRS_LIMIT = 10_000
"""And about so many pairs, as public sets have. They take a slot about a minute, in which it does nothing else."""


class Material(NamedTuple):
    """Products whose name and barcode a person settled; offers that bear the barcode of one of them; and offers that a
    person called the same product, or another one. None is counted beyond its limit."""

    products: int
    offers: int
    said_same: int
    said_another: int


def is_settled() -> tuple[ColumnElement[bool], ...]:
    """Which products are learned from: those whose name and barcode a person settled."""
    return (
        Product.fixed_fields.contains(["name", "gtin14"]),
        Product.gtin14.is_not(None),
        Product.name.is_not(None),
        Product.deleted_at.is_(None),
    )


def is_said_of_it() -> tuple[ColumnElement[bool], ...]:
    """Which words of people on offers are learned from: those on what the product is taken for now, where it has a
    name."""
    return (Product.name.is_not(None), Product.deleted_at.is_(None), ~OfferVerdict.is_of_former)


def material(session: Session) -> Material:
    """How much there is for the client in whose name the session reads."""
    products = (
        select(Product.gtin14).where(*is_settled()).order_by(Product.id.desc()).limit(SETTLED_LIMIT).cte("settled")
    )
    offers = (
        select(Offer.id).join(products, products.c.gtin14 == Offer.gtin14).limit(PAIRS_LIMIT).subquery("their_offers")
    )
    said = (
        select(OfferVerdict.is_same)
        .join(Product, Product.id == OfferVerdict.product_id)
        .where(*is_said_of_it())
        .limit(PAIRS_LIMIT)
        .cte("said")
    )
    row = session.execute(
        select(
            select(func.count()).select_from(products).scalar_subquery(),
            select(func.count()).select_from(offers).scalar_subquery(),
            select(func.count()).select_from(said).where(said.c.is_same).scalar_subquery(),
            select(func.count()).select_from(said).where(~said.c.is_same).scalar_subquery(),
        )
    ).one()
    return Material(*row)
