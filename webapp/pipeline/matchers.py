"""Learned matchers: kept as files below `var/matchers`, one for everybody and one for each client that has its own,
which nobody else's offers are judged by. What reviewers settled is what a client's own is learned from."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.catalog.models import Product
from webapp.database import new_id
from webapp.phases.facts import Offer
from webapp.phases.market.entries import of_offer
from webapp.phases.matching.entry import Entry, as_ours
from webapp.phases.matching.keeping import UnusableMatcher, from_bytes, to_bytes
from webapp.phases.matching.learning import Learned, learn
from webapp.phases.matching.matchers import Matcher, Rules
from webapp.phases.matching.tables import Pair, read_labelled, read_tables, scene_of
from webapp.phases.matching.trained import Trained
from webapp.providers import services as providers

logger = logging.getLogger(__name__)
SETTLED_LIMIT = 5_000
"""So many products, the newest, are learned from."""
_RIVALS = 20


def matcher_for(client_id: UUID) -> Matcher:
    """The client's own matcher, else the one for everybody, else the rules."""
    for path in (path_of(client_id), path_of(None)):
        try:
            return _loaded(path, path.stat().st_mtime_ns)
        except FileNotFoundError:
            continue
        except UnusableMatcher as error:
            logger.warning("matcher unusable", extra={"path": str(path), "reason": str(error)})
    return Rules()


def path_of(client_id: UUID | None) -> Path:
    """Where a client's matcher is kept; None: everybody's."""
    var: Path = current_app.extensions["lotline_config"].var
    return var / "matchers" / f"{client_id or 'everybody'}.json"


@lru_cache(maxsize=8)
def _loaded(path: Path, _changed: int) -> Trained:
    return Trained(from_bytes(path.read_bytes()))


def keep(learned: Learned, client_id: UUID | None) -> Path:
    """Put the matcher in the place of the one before it, in one step; running slots take it for their next phase."""
    path = path_of(client_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{new_id()}")
    fresh.write_bytes(to_bytes(learned))
    fresh.replace(path)
    return path


def learn_from_tables(folder: Path) -> Learned:
    """A matcher learned from a folder of two tables and labelled pairs.

    Raises:
        BadTable, TooFewPairs: there is not enough to learn from.
    """
    lefts, rights = read_tables(folder)
    ours = [as_ours(entry) for entry in lefts]
    return learn(scene_of(ours, rights, read_labelled(folder), one_sided=True), datetime.now(UTC)).learned


def learn_from_reviews(session: Session) -> Learned:
    """A matcher learned from what the client's reviewers settled.

    Raises:
        TooFewPairs: fewer than 20 offers of settled products, or of others that resemble them.
    """
    lefts, rights, pairs = settled_pairs(session)
    return learn(scene_of(lefts, rights, pairs, one_sided=True), datetime.now(UTC)).learned


def settled_pairs(session: Session) -> tuple[list[Entry], list[Entry], list[Pair]]:
    """Products whose name and barcode a person settled, beside the offers that may be for them. An offer's barcode
    says which are the same product; the matcher itself never sees barcodes, so it learns to do without."""
    products = session.scalars(
        select(Product)
        .where(Product.fixed_fields.contains(["name", "gtin14"]), Product.gtin14.is_not(None))
        .where(Product.name.is_not(None), Product.deleted_at.is_(None))
        .order_by(Product.id.desc())
        .limit(SETTLED_LIMIT)
    ).all()
    lefts, rights, pairs = [], {}, []
    for product in products:
        lefts.append(
            Entry(
                id=str(product.id),
                title=product.name or "",
                brand=product.brand or "",
                model=product.model or "",
                category=product.category or "",
            )
        )
        for offer in _candidates(session, product):
            rights[offer.id] = of_offer(offer)
            pairs.append(Pair(str(product.id), offer.id, offer.gtin14 == product.gtin14))
    return lefts, list(rights.values()), pairs


def _candidates(session: Session, product: Product) -> Iterator[Offer]:
    """Offers with a barcode: the product's own, and those whose titles resemble its name."""
    found = providers.offers_by_gtin(session, product.gtin14 or "", limit=_RIVALS)
    found += providers.search_offers(session, product.name or "", limit=2 * _RIVALS)
    yield from {offer.id: offer for offer in found if offer.gtin14}.values()
