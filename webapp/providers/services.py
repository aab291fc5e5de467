"""Offers as the phases look them up. Row-level security limits every look-up to the client in context.

Callers hold the session; nothing here commits.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import UUID as SqlUUID
from sqlalchemy import Float, Row, Select, column, func, select
from sqlalchemy.orm import Session

from webapp.lib import text
from webapp.phases import facts
from webapp.providers.models import Offer

SAME_GTIN_LIMIT = 200
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
)
_OFFER = (
    Offer.id,
    Offer.source,
    Offer.title,
    Offer.price,
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
    """Offers with exactly this GTIN, newest first."""
    return [_offer(row) for row in session.execute(_with_gtin(select(*_OFFER), gtin14, limit))]


def search_offers(session: Session, words: str, *, limit: int = 50) -> list[facts.Offer]:
    """Offers whose title, brand or model resembles the words, best first. Typos are tolerated."""
    return [_offer(row) for row in _search(session, select(*_OFFER), words, limit)]


def _with_gtin(wanted: Select[*tuple[Any, ...]], gtin14: str, limit: int) -> Select[*tuple[Any, ...]]:
    return wanted.where(Offer.gtin14 == gtin14).order_by(Offer.seen_at.desc(), Offer.id).limit(limit)


def _search(session: Session, wanted: Select[*tuple[Any, ...]], words: str, limit: int) -> Sequence[Found]:
    words = text.cut(words, QUERY_LENGTH)
    if not words or limit < 1:
        return []
    # A function, because trigram operators never use their index under row-level security; it gives ids only.
    found = func.search_offers(words, limit).table_valued(column("id", SqlUUID), column("score", Float))
    return session.execute(
        wanted.join(found, Offer.id == found.c.id).order_by(found.c.score.desc(), Offer.seen_at.desc(), Offer.id)
    ).all()


def _record(row: Found) -> facts.Record:
    return facts.Record(source="offer", **{**row._mapping, "id": str(row.id)})


def _offer(row: Found) -> facts.Offer:
    return facts.Offer(**{**row._mapping, "id": str(row.id)})
