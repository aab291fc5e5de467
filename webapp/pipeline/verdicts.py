"""What people say of the offers for a product: the same product, or another one. It wins over whatever judges offers,
in every market research that begins afterwards, and is learned from. Callers hold a `transaction()`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from webapp.access.models import User
from webapp.audit import services as audit
from webapp.audit.services import Actor
from webapp.catalog.models import Product
from webapp.database import reading
from webapp.errors import Conflict, NotFound
from webapp.lib.text import cut
from webapp.phases import facts
from webapp.pipeline import corrections, services
from webapp.pipeline.cards import AnyRow
from webapp.pipeline.matcher_material import is_said_of_it
from webapp.pipeline.models import OfferVerdict, Phase, PhaseName, Run, RunState
from webapp.providers import services as providers
from webapp.providers.models import Offer
from webapp.together import Asked
from webapp.work.events import NewEvent
from webapp.work.models import Work, WorkState

MOST = 50
"""Of one product: half of the offers that its findings list."""


class Said(NamedTuple):
    """What was said of an offer, when, and by whom. `is_of_former`: the product was taken for another one then."""

    offer_id: UUID
    is_same: bool
    by: str
    at: datetime
    is_of_former: bool


# --- saying ---------------------------------------------------------------------------------------


def say(
    session: Session,
    run_id: UUID,
    offer_id: UUID,
    is_same: bool | None,
    *,
    seen: bool | None,
    by: UUID,
    by_name: str,
    actor: Actor,
) -> None:
    """Say that the offer is for the product of this run, that it is not, or (None) take back what was said. It counts
    from the next market research on. `seen`: what the person saw had been said before.

    Raises:
        NotFound: there is no such run or offer.
        Conflict: the product was removed, somebody else said something since, or too much was said already.
    """
    run = session.get(Run, run_id)
    if run is None:
        raise NotFound("There is no such run.")
    product = session.get_one(Product, run.product_id, with_for_update=True, populate_existing=True)
    if product.deleted_at is not None:
        raise Conflict("This product has been removed. Put it back first.")
    # A source's old offers are forgotten meanwhile: this one stays until what is said of it stands beside it.
    offer = session.get(Offer, offer_id, with_for_update={"read": True, "key_share": True})
    if offer is None:
        raise NotFound("There is no such offer (any more).")
    verdict = session.get(OfferVerdict, (product.id, offer_id), populate_existing=True)
    present = verdict.is_same if verdict else None
    if present is is_same and not (verdict and verdict.is_of_former):
        return
    if present is not seen:
        raise Conflict("Somebody else has spoken of this offer since you looked. Load the page again to see what.")
    if verdict is None:
        _require_room(session, product.id)
    else:
        session.delete(verdict)
        session.flush()
    if is_same is not None:
        key = {"product_id": product.id, "offer_id": offer_id}
        session.add(OfferVerdict(**key, client_id=product.client_id, is_same=is_same, said_by=by))
    audit.record(
        actor,
        "offer_judged",
        client_id=product.client_id,
        table="offer_verdicts",
        row_id=f"{product.id} {offer_id}",
        old={"is_same": present},
        new={"is_same": is_same},
        details={"product": product.name, "offer": offer.title},
    )
    newest = session.scalars(select(Run).where(Run.product_id == product.id).order_by(Run.number.desc()).limit(1)).one()
    what = {True: "said that it is the same product", False: "said that it is another product", None: "took it back"}
    says = f"{by_name} {what[is_same]}: {cut(offer.title, 120)}"
    services.tell_all(session, newest, NewEvent("offer.judged", says, data={"phase": PhaseName.MARKET.value}))


def _require_room(session: Session, product_id: UUID) -> None:
    said = select(func.count()).select_from(OfferVerdict).where(OfferVerdict.product_id == product_id)
    if session.execute(said).scalar_one() >= MOST:
        raise Conflict(f"You have spoken of {MOST} offers of this product. Take some of it back first.")


_NOT_BEGUN = (WorkState.BLOCKED, WorkState.READY, WorkState.WAITING)


def research_again(session: Session, product_id: UUID, *, by: UUID, by_name: str, actor: Actor) -> bool:
    """Have the market of a product researched with what people said by now. Whether that took a new run: a run whose
    market research is still to begin goes by it anyway.

    Raises:
        NotFound: there is no such product.
        Conflict: it was removed, or waits for a person.
    """
    product, newest = _locked(session, product_id)
    if product.deleted_at is not None:
        raise Conflict("This product has been removed. Put it back first.")
    if newest.state is RunState.REVIEW:
        raise Conflict("This product waits for a person. What you said counts as soon as it goes on.")
    market = select(Work.state).join(Phase, Phase.work_id == Work.id)
    market = market.where(Phase.run_id == newest.id, Phase.number == PhaseName.MARKET.number)
    if newest.state is RunState.RUNNING and session.execute(market).scalar_one() in _NOT_BEGUN:
        return False
    says = f"Started again with what {by_name} said of the offers"
    corrections.start_again(session, newest, by, says, why="the market is researched again")
    audit.record(actor, "market_researched_again", client_id=product.client_id, table="products", row_id=product_id)
    return True


def _locked(session: Session, product_id: UUID) -> tuple[Product, Run]:
    """As `services.locked_product`, but where somebody starts the product again at this very moment, with that run: of
    two who ask for the same thing neither is refused."""
    try:
        with session.begin_nested():  # whose locks go with it, so that those of the newer run are taken in their order
            return services.locked_product(session, product_id)
    except Conflict:
        return services.locked_product(session, product_id)


# --- looking up -----------------------------------------------------------------------------------

_SAID = (
    select(
        OfferVerdict.offer_id,
        OfferVerdict.is_same,
        func.coalesce(User.name, "").label("by"),
        OfferVerdict.said_at.label("at"),
        OfferVerdict.is_of_former,
    )
    .outerjoin(User, User.id == OfferVerdict.said_by)
    .where(OfferVerdict.product_id == bindparam("product_id"))
    .order_by(OfferVerdict.offer_id)
)


def ask(product_id: UUID) -> Asked:
    """For `by_offer`: what was said of a product's offers."""
    return _SAID, {"product_id": product_id}


def by_offer(rows: Iterable[AnyRow]) -> Mapping[str, Said]:
    """What was said, by the offer's id as findings have it."""
    return {str(row.offer_id): Said(*row) for row in rows}


AS_COLUMN = """
    (SELECT json_agg(
                json_build_array(offer_id, is_same, coalesce(users.name, ''), said_at, is_of_former) ORDER BY offer_id
            )::text
       FROM offer_verdicts LEFT JOIN users ON users.id = said_by
      WHERE offer_verdicts.product_id = runs.product_id) AS verdicts"""
"""SQL: what was said of the offers of a row of `runs`, for `from_column`."""


def from_column(raw: str | None) -> Sequence[Said]:
    """What was said, by a row's AS_COLUMN."""
    return msgspec.json.decode(raw or "[]", type=list[Said])


def with_offers(said: Sequence[Said]) -> list[facts.Verdict]:
    """What was said as market research takes it, with the offers as they are now."""
    if not said:
        return []
    with reading() as session:
        offers = {offer.id: offer for offer in providers.offers_by_id(session, [one.offer_id for one in said])}
    return [
        facts.Verdict(offer=offers[str(one.offer_id)], is_same=one.is_same, by=one.by or "a person", day=one.at.date())
        for one in said
        if str(one.offer_id) in offers
    ]


class Labelled(NamedTuple):
    """A product, an offer, and whether a person said that they are the same."""

    product: Product
    offer: facts.Offer
    is_same: bool


def labelled(session: Session, limit: int) -> list[Labelled]:
    """What people said of offers for products that have a name, and are taken for what they were then; the newest
    first."""
    rows = session.execute(
        select(Product, OfferVerdict.offer_id, OfferVerdict.is_same)
        .join(OfferVerdict, OfferVerdict.product_id == Product.id)
        .where(*is_said_of_it())
        .order_by(OfferVerdict.said_at.desc(), OfferVerdict.offer_id)
        .limit(limit)
    ).all()
    offers = {offer.id: offer for offer in providers.offers_by_id(session, {row.offer_id for row in rows})}
    known = [(row, offers.get(str(row.offer_id))) for row in rows]  # one may have been forgotten since
    return [Labelled(row.Product, offer, row.is_same) for row, offer in known if offer is not None]
