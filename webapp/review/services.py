"""The review desk: who looks at what, and decisions, on runs that wait and on those drawn for an audit."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from webapp.access.models import User
from webapp.audit import services as audit
from webapp.audit.services import Actor
from webapp.catalog.models import Product
from webapp.errors import Conflict, NotFound
from webapp.learning import services as learning
from webapp.phases.facts import Analysis, Field
from webapp.pipeline import audits, corrections, queues, settling
from webapp.pipeline import services as pipeline
from webapp.pipeline.models import AuditState, Run
from webapp.review.forms import Decision
from webapp.review.models import Review

LOOKING_SECONDS = 120
"""How long an opened review counts as being looked at; a page that stays open renews it."""
QUEUE_CAP = 500

_LOOK = text("""
    INSERT INTO reviews (client_id, run_id, claimed_by, claimed_until)
    VALUES (:client_id, :run_id, :user_id, clock_timestamp() + make_interval(secs => :seconds))
    ON CONFLICT (run_id) DO UPDATE SET claimed_by = :user_id,
        claimed_until = clock_timestamp() + make_interval(secs => :seconds)
    WHERE reviews.decided_at IS NULL
      AND (reviews.claimed_by IS NULL OR reviews.claimed_by = :user_id OR reviews.claimed_until < clock_timestamp())
""")


# Whether somebody has the run open or not; the run's own lock, taken before, decides who is first.
_DECIDE = text("""
    INSERT INTO reviews (client_id, run_id, decision, decided_by, decided_at, before, after, replaced)
    VALUES (:client_id, :run_id, :decision, :user_id, clock_timestamp(), :before, :after, :replaced)
    ON CONFLICT (run_id) DO UPDATE SET decision = excluded.decision, decided_by = excluded.decided_by,
        decided_at = excluded.decided_at, before = excluded.before, after = excluded.after,
        replaced = excluded.replaced
""").bindparams(*(bindparam(name, type_=JSONB(none_as_null=True)) for name in ("before", "after", "replaced")))


class Decided(NamedTuple):
    """Who decided a review, and when."""

    by_name: str
    at: datetime


class Place(NamedTuple):
    """Where a run stands in the queue; `position` counts from 1 and is None when it is not in it (any more)."""

    position: int | None
    total: int
    previous: UUID | None
    next: UUID | None


def look(session: Session, client_id: UUID, run_id: UUID, user_id: UUID) -> None:
    """Say that a reviewer has this run open. Somebody who has it open already keeps it."""
    _require(session, run_id)
    session.execute(_LOOK, {"client_id": client_id, "run_id": run_id, "user_id": user_id, "seconds": LOOKING_SECONDS})


def lookers(session: Session, run_ids: list[UUID], but: UUID) -> dict[UUID, str]:
    """Who else has these runs open now, by run."""
    rows = session.execute(
        select(Review.run_id, User.name)
        .join(User, User.id == Review.claimed_by)
        .where(
            Review.run_id.in_(run_ids),
            Review.claimed_by != but,
            Review.claimed_until > func.clock_timestamp(),
            Review.decided_at.is_(None),
        )
    )
    return {row.run_id: row.name for row in rows}


def decided(session: Session, run_id: UUID) -> Decided | None:
    """The decision on this run, if there is one."""
    row = session.execute(
        select(User.name, Review.decided_at)
        .outerjoin(User, User.id == Review.decided_by)
        .where(Review.run_id == run_id, Review.decided_at.is_not(None))
    ).one_or_none()
    return Decided(row.name or "somebody", row.decided_at) if row and row.decided_at else None


def place(session: Session, run_id: UUID, *, among_audits: bool = False) -> Place:
    """Where the run stands among those that wait, longest waiting first; or among open audits, oldest first."""
    waiting = (
        select(Run.id)
        .join(Product, Product.id == Run.product_id)
        .where(Run.audit == AuditState.OPEN, Product.deleted_at.is_(None))
        if among_audits
        else select(Run.id).where(*queues.WAITING)
    )
    ids = list(session.execute(waiting.order_by(Run.id).limit(QUEUE_CAP)).scalars())
    if run_id not in ids:
        return Place(None, len(ids), None, next((other for other in ids if other > run_id), ids[0] if ids else None))
    at = ids.index(run_id)
    return Place(at + 1, len(ids), ids[at - 1] if at else None, ids[at + 1] if at + 1 < len(ids) else None)


def decide(session: Session, run_id: UUID, decision: Decision, *, user_id: UUID, user_name: str, actor: Actor) -> bool:
    """Confirm or correct what analysis found: a run that waits goes on with phase 2; one that was audited starts again
    where it was corrected. Whether it was corrected.

    Raises:
        Conflict: somebody decided already, or the run waits for nobody any more.
    """
    run = _require(session, run_id)
    earlier = decided(session, run_id)
    if earlier is not None:
        raise Conflict(f"{earlier.by_name} has decided this already.")
    after = decision.values()
    if run.audit is None:
        what, replaced = "review", None
        found = pipeline.confirm(session, run_id, after, by_name=user_name)
    else:
        what = "audit"
        found, replaced = audits.settle(session, run_id, after, by=user_id, by_name=user_name)
    fields = {name: getattr(found, name) for name in after}
    before = {name: field.value for name, field in fields.items()}
    # What a model wrote is no claim of ours: it neither proves nor disproves the machine's confidence.
    claimed = {name: None if field.written_by == "model" else field.claimed for name, field in fields.items()}
    is_confirmed = {name: field.claimed for name, field in fields.items()} == after
    decision_word = "confirmed" if is_confirmed else "corrected"
    session.execute(
        _DECIDE,
        {
            "client_id": run.client_id,
            "run_id": run_id,
            "decision": decision_word,
            "user_id": user_id,
            "before": claimed,
            "after": after,
            "replaced": replaced,
        },
    )
    learning.note_corrections(
        session, client_id=run.client_id, run_id=run_id, product_id=run.product_id, found=found, after=after
    )
    audit.record(
        actor,
        f"{what}_{decision_word}",
        client_id=run.client_id,
        table="reviews",
        row_id=run_id,
        old=before,
        new=after,
    )
    return decision_word == "corrected"


def correct(
    session: Session, run_id: UUID, decision: Decision, *, seen: str, user_id: UUID, user_name: str, actor: Actor
) -> bool:
    """Correct a product that went on, by itself or after a decision; it starts again. Whether anything was changed.

    What people notice by themselves is no fair sample, so it counts for no calibration; an earlier decision on the
    product, though, is what it says now.

    Raises:
        Conflict: see pipeline.corrections.correct.
    """
    run = _require(session, run_id)
    after = decision.values()
    found = corrections.correct(session, run_id, after, seen=seen, by=user_id, by_name=user_name)
    if found is None:
        return False
    review = session.execute(
        select(Review)
        .join(Run, Run.id == Review.run_id)
        .where(Run.product_id == run.product_id, Review.decided_at.is_not(None))
        .order_by(Review.decided_at.desc())
        .limit(1)
        .with_for_update(of=Review)  # after the product, as everybody locks them
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    claims = _before_people(found, (review.before or {}) if review else {})
    revised = learning.revise_corrections(session, run.client_id, run.product_id, after)
    fresh = {name: after[name] for name in claims if name in after and name not in revised}
    learning.note_corrections(
        session,
        client_id=run.client_id,
        run_id=run_id,
        product_id=run.product_id,
        found=msgspec.structs.replace(found, **claims),
        after=fresh,
    )
    if review is not None:
        review.replaced = None  # an audit that is taken back opens again, and leaves the correction as it is
        review.after, review.decision = after, "confirmed" if review.before == after else "corrected"
    audit.record(
        actor,
        "product_corrected",
        client_id=run.client_id,
        table="products",
        row_id=run.product_id,
        old={name: getattr(found, name).value for name in after},
        new=after,
    )
    return True


def _before_people(found: Analysis, before: Mapping[str, str | None]) -> dict[str, Field]:
    """What the machine itself claimed, by field: what it found, or, where a person has settled it, what it had claimed
    when that person decided. Without such a claim a field is left out."""
    fields = {name: getattr(found, name) for name in settling.SETTLED_FIELDS}
    claims = {name: field for name, field in fields.items() if field.written_by != "reviewer"}
    earlier = {name: Field(value=value, confidence=100) for name, value in before.items() if name not in claims}
    return claims | earlier


def take_back_audit(session: Session, run_id: UUID, *, user_id: UUID, actor: Actor) -> None:
    """Undo the decision on an audit: the product is as it was, what was learned from the decision is forgotten.

    Raises:
        Conflict: there is no decision (any more), or somebody has changed the product since.
    """
    run = _require(session, run_id)
    corrections.locked(session, run_id)  # before the review, as everybody locks them
    review = session.execute(
        select(Review).where(Review.run_id == run_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if run.audit is None or review is None or review.decided_at is None or review.after is None:
        raise Conflict("There is no decision to take back (any more).")
    was_corrected = review.decision == "corrected"
    audits.take_back(session, run_id, review.after, review.replaced, was_corrected=was_corrected, by=user_id)
    learning.forget_corrections(session, run.client_id, run_id, review.decided_at)
    audit.record(
        actor,
        "audit_taken_back",
        client_id=run.client_id,
        table="reviews",
        row_id=run_id,
        old=review.after,
        new=(review.replaced or {}).get("values") or review.before,
    )
    review.decision = review.decided_by = review.decided_at = None
    review.before = review.after = review.replaced = None
    session.flush()


def _require(session: Session, run_id: UUID) -> Run:
    run = session.get(Run, run_id)
    if run is None:
        raise NotFound("There is no such review.")
    return run
