"""Learned matchers at work: chosen for a client, learned from what its reviewers settled or from tables. A client's own
judges nobody else's offers. Brings numpy; what is only told of them is in `matcher_files`."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.audit import services as audit
from webapp.audit.services import Actor
from webapp.catalog.models import Product
from webapp.phases.facts import Judge, JudgeKind, Offer
from webapp.phases.market.entries import of_offer
from webapp.phases.matching.entry import Entry, as_ours
from webapp.phases.matching.header import UnusableMatcher
from webapp.phases.matching.keeping import from_bytes, to_bytes
from webapp.phases.matching.learning import Learned, learn
from webapp.phases.matching.matchers import Matcher, Rules
from webapp.phases.matching.tables import Pair, read_set, scene_of
from webapp.phases.matching.trained import Trained
from webapp.pipeline import matcher_files, verdicts
from webapp.pipeline.matcher_files import path_of
from webapp.pipeline.matcher_material import PAIRS_LIMIT, SETTLED_LIMIT, is_settled
from webapp.providers import services as providers

logger = logging.getLogger(__name__)
_RIVALS = 20


def matcher_for(client_id: UUID) -> tuple[Matcher, Judge]:
    """The client's own matcher, else the one for everybody, else the rules; and which of them it is."""
    for kind, path in ((JudgeKind.OWN, path_of(client_id)), (JudgeKind.EVERYBODY, path_of(None))):
        try:
            trained = matcher_files.loaded(path, _trained)
        except UnusableMatcher as error:
            logger.warning("matcher unusable", extra={"path": str(path), "reason": str(error)})
            continue
        if trained is not None:
            return trained, Judge(kind=kind, learned_at=trained.learned_at)
    return Rules(), Judge(kind=JudgeKind.RULES)


@lru_cache(maxsize=8)
def _trained(path: Path, _changed: int) -> Trained:
    return Trained(from_bytes(path.read_bytes()))


def keep_for_everybody(learned: Learned) -> Path:
    """Let the matcher judge for all clients that have none of their own."""
    return matcher_files.put(to_bytes(learned), None)


def keep_own(session: Session, client_id: UUID, learned: Learned, actor: Actor) -> None:
    """Let the matcher judge the client's names from now on, and write it down; one that is in use stays."""
    if is_in_use(session, client_id, learned):
        return
    audit.record(
        actor,
        "matcher_trained",
        client_id=client_id,
        table="products",
        old={"source": matcher_files.own_source(client_id)},
        new={"source": learned.source},
        details=learned.figures,
    )
    matcher_files.put(to_bytes(learned), client_id)


def is_in_use(session: Session, client_id: UUID, learned: Learned) -> bool:
    """Whether the client's own was learned from the very same pairs: it is the same then. Nobody changes that until the
    transaction ends."""
    matcher_files.lock(session, client_id)
    return matcher_files.own_source(client_id) == learned.source


def learn_from_tables(folder: Path) -> Learned:
    """A matcher learned from a folder of labelled pairs.

    Raises:
        BadTable, TooFewPairs: there is not enough to learn from.
    """
    found = read_set(folder)
    ours = [as_ours(entry) for entry in found.lefts]
    return learn(scene_of(ours, found.rights, found.labelled, one_sided=True), datetime.now(UTC)).learned


class Settled(NamedTuple):
    """Products that were settled, offers that may be for them, and which of them are."""

    lefts: list[Entry]
    rights: list[Entry]
    pairs: list[Pair]


def learn_from_reviews(settled: Settled) -> Learned:
    """A matcher learned from what the client's reviewers settled.

    Raises:
        TooFewPairs: fewer than 20 offers of settled products, or of others that resemble them.
    """
    return learn(scene_of(*settled, one_sided=True), datetime.now(UTC)).learned


def settled_pairs(session: Session) -> Settled:
    """What people said of offers; and products whose name and barcode a person settled, beside the offers that may be
    for them. Where nobody spoke, an offer's barcode says whether it is the same product; the matcher itself never sees
    barcodes, so it learns to do without."""
    lefts: dict[str, Entry] = {}
    rights: dict[str, Entry] = {}
    pairs: dict[tuple[str, str], bool] = {}

    def learn_from(product: Product, offer: Offer, is_same: bool) -> None:
        left = str(product.id)
        lefts.setdefault(left, _our_entry(product))
        rights.setdefault(offer.id, of_offer(offer))
        pairs.setdefault((left, offer.id), is_same)  # what a person said came first, and stays

    for product, offer, is_same in verdicts.labelled(session, PAIRS_LIMIT):
        learn_from(product, offer, is_same)
    products = session.scalars(
        select(Product).where(*is_settled()).order_by(Product.id.desc()).limit(SETTLED_LIMIT)
    ).all()
    for product in products:
        if len(pairs) >= PAIRS_LIMIT:
            break
        lefts.setdefault(str(product.id), _our_entry(product))
        for offer in _candidates(session, product):
            learn_from(product, offer, offer.gtin14 == product.gtin14)
    labels = [Pair(left, right, is_same) for (left, right), is_same in pairs.items()]
    return Settled(list(lefts.values()), list(rights.values()), labels)


def _our_entry(product: Product) -> Entry:
    return Entry(
        id=str(product.id),
        title=product.name or "",
        brand=product.brand or "",
        model=product.model or "",
        category=product.category or "",
    )


def _candidates(session: Session, product: Product) -> Iterator[Offer]:
    """Offers with a barcode: the product's own, and those whose titles resemble its name."""
    found = providers.offers_by_gtin(session, product.gtin14 or "", limit=_RIVALS)
    found += providers.search_offers(session, product.name or "", limit=2 * _RIVALS)
    yield from {offer.id: offer for offer in found if offer.gtin14}.values()
