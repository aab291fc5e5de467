"""Who tells whether two names are the same product: what the page shows, and learning it from a client's reviews."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.audit.services import Actor
from webapp.calibration.services import ask_once
from webapp.database import reading, transaction
from webapp.phases.matching.header import LEAST_OF_EACH, LEAST_RECORDS
from webapp.pipeline import matcher_files
from webapp.pipeline.matcher_files import Standing
from webapp.pipeline.matcher_material import Material, material
from webapp.work import services as work
from webapp.work.lease import Lease
from webapp.work.models import ACTIVE, Event, Stream, Work, WorkState

KIND = "matching"
LABEL = "Learning from reviews"


class Asked(NamedTuple):
    """What became of the last wish to learn: `says` in words, as of `at`."""

    state: WorkState
    says: str
    at: datetime

    @property
    def is_under_way(self) -> bool:
        """Whether more is to come."""
        return self.state in ACTIVE


class Figures(NamedTuple):
    """All that the page shows of it. `asked` is None where nobody asked yet. `there`: what there is to learn from, None
    while it is being learned."""

    standing: Standing
    asked: Asked | None
    there: Material | None
    least: int = LEAST_OF_EACH
    least_products: int = LEAST_RECORDS


def figures(session: Session, client_id: UUID) -> Figures:
    """Who judges the client's names, and what became of the last wish to learn from its reviews."""
    last = session.execute(_LAST_ASKED).first()
    asked = Asked(*last) if last else None
    there = None if asked and asked.is_under_way else material(session)
    return Figures(matcher_files.standing(client_id), asked, there)


# The newest event of the work's stream, which is its own alone, says how far it is or how it ended. There is none until
# a worker takes it.
_LAST_ASKED = (
    select(
        Work.state,
        func.coalesce(Event.message, "It waits for a worker"),
        func.coalesce(Event.at, Work.created_at),
    )
    .join(Stream, Stream.id == Work.stream_id)
    .outerjoin(Event, (Event.stream_id == Stream.id) & (Event.seq == Stream.seq))
    .where(Work.dedup_key == KIND)
    .order_by(Work.id.desc())
    .limit(1)
)


def ask_to_learn(session: Session, client_id: UUID, *, user_id: UUID) -> None:
    """Let a worker learn from what the client's reviewers settled.

    Raises:
        Conflict: that is under way already.
    """
    args = {"label": LABEL, "user_id": str(user_id)}
    ask_once(session, client_id, kind=KIND, dedup_key=KIND, args=args, already="This is being learned")


def learn(lease: Lease, actor: Actor) -> None:
    """Learn for the lease's client, use it from now on, and end the work with what came of it. No transaction stays
    open while it learns. Done twice it changes nothing: the same reviews give the same matcher.

    Raises:
        LeaseLost: the work was stopped, or belongs to somebody else: then nothing was changed.
    """
    from webapp.phases.matching.learning import TooFewPairs  # numpy: for those who learn only
    from webapp.pipeline import matchers

    client_id = lease.claim.client_id
    lease.report(10, "Gathering what your reviewers settled")
    with reading() as session:
        settled = matchers.settled_pairs(session)
    lease.report(30, f"Learning from {len(settled.pairs):,} pairs of names")
    try:
        learned = matchers.learn_from_reviews(settled)
    except TooFewPairs as few:
        with transaction() as session:
            work.finish(session, lease.claim, _not_enough(few.same, few.different, few.records))
        return
    if learned.accept is None:
        with transaction() as session:
            work.finish(session, lease.claim, _NO_HELP)
        return
    with transaction() as session:
        is_new = not matchers.is_in_use(session, client_id, learned)
        # First the end: whoever has lost the lease is stopped there, and a file does not roll back.
        work.finish(session, lease.claim, _says(learned.figures, is_new=is_new))
        matchers.keep_own(session, client_id, learned, actor)


_NO_HELP = (
    "Nothing was changed: by what these reviews teach, no offer could be accepted by its name alone. To show that"
    " enough of them are right takes 60 or more offers of settled products"
)


def _not_enough(same: int, different: int, products: int) -> str:
    if min(same, different) >= LEAST_OF_EACH and products >= LEAST_RECORDS:
        return "Not enough yet: nearly all offers that are the same product, or that are not, are for one product"
    return (
        f"Not enough yet: {min(same, LEAST_OF_EACH)} of {LEAST_OF_EACH} offers of settled products,"
        f" {min(different, LEAST_OF_EACH)} of {LEAST_OF_EACH} that resemble them,"
        f" {min(products, LEAST_RECORDS)} of {LEAST_RECORDS} products"
    )


def _says(reached: Mapping[str, float], *, is_new: bool) -> str:
    if not is_new:
        return "Nothing new to learn: these are the reviews that the matcher in use was learned from"
    return f"Learned from {reached['pairs']:,.0f} pairs of names, {reached['same']:,.0f} of them the same product"
