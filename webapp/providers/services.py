"""Offers as the phases look them up. Row-level security limits every look-up to the client in context.

Callers hold the session; nothing here commits.
"""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import UUID as SqlUUID
from sqlalchemy import Float, Row, Select, column, func, select
from sqlalchemy.orm import Session

from webapp.lib import text
from webapp.phases import facts
from webapp.phases.market.sightings import web_link
from webapp.providers.models import Offer, OfferPrice

SAME_GTIN_LIMIT = 200
PAST_LIMIT = 1000
BRANDS_LIMIT = 2000
QUERY_LENGTH = 300
"""Characters of a search text that count; a label's whole text would find everything a little."""

_RECORD = (
    Offer.id,
    Offer.title.label("name"),
    Offer.brand,
    Offer.model,
    Offer.gtin14,
    Offer.category,
    Offer.price,
    Offer.currency,
    func.coalesce(Offer.marketplace, Offer.source).label("origin"),
    Offer.link,
    Offer.seen_at,
)
_OFFER = (
    Offer.id,
    Offer.source,
    Offer.title,
    Offer.price,
    Offer.shipping,
    Offer.currency,
    Offer.kind,
    Offer.marketplace,
    Offer.link,
    Offer.brand,
    Offer.model,
    Offer.gtin14,
    Offer.category,
    Offer.condition,
    Offer.seen_at,
)
_OFFERS = select(*_OFFER).where(Offer.kind != "sale")
_SALES = select(*_OFFER).where(Offer.kind == "sale")
Found = Row[*tuple[Any, ...]]


def find_by_gtin(session: Session, gtin14: str, *, limit: int = 20) -> list[facts.Record]:
    """Records of offers with exactly this GTIN, newest first."""
    return [_record(row) for row in session.execute(_with_gtin(select(*_RECORD), gtin14, limit))]


def search(session: Session, words: str, *, limit: int = 20) -> list[facts.Record]:
    """Records of offers whose title, brand or model resembles the words, best first. Typos are tolerated."""
    return [_record(row) for row in _search(session, select(*_RECORD), words, limit)]


def brands(session: Session) -> Sequence[str]:
    """Brand names that stand in the client's offers as they are written, the commonest first."""
    return session.scalars(
        select(Offer.brand)
        .where(Offer.brand.is_not(None), Offer.brand != "")
        .group_by(Offer.brand)
        .order_by(func.count().desc(), Offer.brand)
        .limit(BRANDS_LIMIT)
    ).all()  # type: ignore[return-value]  # none is NULL


def offers_by_gtin(session: Session, gtin14: str, *, limit: int = SAME_GTIN_LIMIT) -> list[facts.Offer]:
    """Offers with exactly this GTIN, newest first; not the client's own sales."""
    return [_offer(row) for row in session.execute(_with_gtin(_OFFERS, gtin14, limit))]


def search_offers(session: Session, words: str, *, limit: int = 50) -> list[facts.Offer]:
    """Offers whose title, brand or model resembles the words, best first; not the client's own sales. Typos are
    tolerated."""
    return [_offer(row) for row in _search(session, _OFFERS, words, limit)]


def offers_by_id(session: Session, ids: Collection[UUID]) -> list[facts.Offer]:
    """These offers and own sales, as far as they are there."""
    return [_offer(row) for row in session.execute(select(*_OFFER).where(Offer.id.in_(ids)))] if ids else []


def sales_by_gtin(session: Session, gtin14: str, *, limit: int = SAME_GTIN_LIMIT) -> list[facts.Offer]:
    """The client's own sales of products with exactly this GTIN, newest first."""
    return [_offer(row) for row in session.execute(_with_gtin(_SALES, gtin14, limit))]


def search_sales(session: Session, words: str, *, limit: int = 50) -> list[facts.Offer]:
    """The client's own sales of products whose title, brand or model resembles the words, best first."""
    return [_offer(row) for row in _search(session, _SALES, words, limit)]


def history(session: Session, offer_ids: Collection[str]) -> list[facts.PastPrice]:
    """What these offers asked on earlier days, newest first."""
    past = (
        select(OfferPrice.offer_id, OfferPrice.seen_on, OfferPrice.price, OfferPrice.currency)
        .where(OfferPrice.offer_id.in_([UUID(one) for one in offer_ids]))
        .order_by(OfferPrice.seen_on.desc(), OfferPrice.offer_id)
        .limit(PAST_LIMIT)
    )
    return [
        facts.PastPrice(offer_id=str(row.offer_id), day=row.seen_on, price=row.price, currency=row.currency)
        for row in session.execute(past)
    ]


def _with_gtin(wanted: Select[*tuple[Any, ...]], gtin14: str, limit: int) -> Select[*tuple[Any, ...]]:
    return wanted.where(Offer.gtin14 == gtin14).order_by(Offer.seen_at.desc(), Offer.id).limit(limit)


def _search(session: Session, wanted: Select[*tuple[Any, ...]], words: str, limit: int) -> Sequence[Found]:
    words = text.cut(words, QUERY_LENGTH)
    if not words or limit < 1:
        return []
    # A function, because trigram operators never use their index under row-level security; it gives ids only.
    # Twice as many, since some may be of the other kind: offers and sales are one table.
    found = func.search_offers(words, 2 * limit).table_valued(column("id", SqlUUID), column("score", Float))
    return session.execute(
        wanted.join(found, Offer.id == found.c.id)
        .order_by(found.c.score.desc(), Offer.seen_at.desc(), Offer.id)
        .limit(limit)
    ).all()


def _record(row: Found) -> facts.Record:
    return facts.Record(source="offer", **{**row._mapping, "id": str(row.id), "link": web_link(row.link)})


def _offer(row: Found) -> facts.Offer:
    return facts.Offer(**{**row._mapping, "id": str(row.id)})
