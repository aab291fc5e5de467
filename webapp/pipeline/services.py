"""Runs: started, advanced phase by phase, stopped, resumed, retried, confirmed by a person.

Callers hold a `transaction()`. A run's state follows from what happens to its four phases' work and is written in the
same transaction.
"""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.catalog.models import Product
from webapp.errors import Conflict, NotFound
from webapp.phases.facts import Analysis
from webapp.pipeline import findings, outcomes, photo_wanted, settling
from webapp.pipeline.models import LABELS, Phase, PhaseName, Run, RunState
from webapp.work import services as work
from webapp.work.events import NewEvent, create_stream, record, record_each
from webapp.work.models import Work, WorkState
from webapp.work.priority import Priority

KIND = "phase"
LANES = {
    PhaseName.ANALYSIS: "heavy",  # OCR models take about 1 GB
    PhaseName.MARKET: "light",
    PhaseName.SEO: "light",
    PhaseName.LISTING: "light",
}

# --- starting -------------------------------------------------------------------------------------


def start_run(
    session: Session,
    *,
    client_id: UUID,
    product_id: UUID,
    created_by: UUID | None,
    started_by: UUID | None,
    hints: dict[str, Any],
    message: str = "Run started",
    priority: Priority = Priority.JOB,
) -> Run:
    """A new run of a product: its stream, its four phases, the first of them ready. All of them have `priority`.

    Raises:
        Conflict: a run of this product is under way already.
    """
    last = session.execute(select(func.max(Run.number)).where(Run.product_id == product_id)).scalar_one() or 0
    session.execute(update(Run).where(Run.product_id == product_id, Run.is_latest).values(is_latest=False))
    _tell_earlier(session, product_id)
    stream = create_stream(session, client_id, "run")
    run = Run(
        client_id=client_id,
        product_id=product_id,
        number=last + 1,
        is_latest=True,
        stream_id=stream.id,
        state=RunState.RUNNING,
        hints=hints,
        reasons=[],
        created_by=created_by,
        started_by=started_by,
    )
    session.add(run)
    try:
        session.flush()
    except IntegrityError:
        raise Conflict("This product is being worked on already. Stop that run first, or wait for its end.") from None
    for name in PhaseName:
        item = work.create(
            session,
            client_id=client_id,
            stream_id=stream.id,
            kind=KIND,
            lane=LANES[name],
            args={"label": LABELS[name], "event": {"phase": name.value}, "run_id": str(run.id), "number": name.number},
            ready=name is PhaseName.ANALYSIS,
            priority=priority,
        )
        session.add(Phase(client_id=client_id, run_id=run.id, number=name.number, work_id=item.id))
    session.flush()
    record(client_id, stream.id, NewEvent("run.started", message, data={"run": run.number}))
    return run


def _tell_earlier(session: Session, product_id: UUID) -> None:
    """Who looks at the run that stood for the product until now is told that it does not any more."""
    earlier = select(Run.client_id, Run.stream_id).where(Run.product_id == product_id).order_by(Run.number.desc())
    row = session.execute(earlier.limit(1)).one_or_none()
    if row is not None:
        record(row.client_id, row.stream_id, NewEvent("run.superseded", "A newer run was started"))


def run_again(session: Session, product_id: UUID, user_id: UUID | None) -> Run:
    """Start a new run of a product, with what its uploader typed the first time.

    Raises:
        Conflict: a run is under way, also one that somebody started a moment ago, or the product is removed.
    """
    # The product is locked before its run, as everywhere; so of two who start again the second sees the first's run.
    product = session.get(Product, product_id, with_for_update=True, populate_existing=True)
    if product is None:
        raise NotFound("There is no such product.")
    if product.deleted_at is not None:
        raise Conflict("This product has been removed. Put it back first.")
    last = session.execute(
        select(Run)
        .where(Run.product_id == product_id, Run.is_latest)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if last is None:
        raise NotFound("There is no such product.")
    if last.state in (RunState.RUNNING, RunState.REVIEW):
        raise Conflict("This product is being worked on already. Stop that run first, or wait for its end.")
    return start_run(
        session,
        client_id=last.client_id,
        product_id=product_id,
        created_by=last.created_by,
        started_by=user_id,
        hints=last.hints,
        message="Run started again by a person",
        priority=Priority.AGAIN,
    )


# --- what people do -------------------------------------------------------------------------------


def stop_phase(session: Session, run_id: UUID, number: int) -> Run:
    """Stop the phase that a run is at. Final at commit: no worker can write after it."""
    run, item = _locked(session, run_id, number, with_product=True)  # a photo may be wanted, which is the product's
    state = WorkState(item.state)
    if state is WorkState.BLOCKED:
        raise Conflict("This phase has not begun. Stop the one before it.")
    if state in (WorkState.DONE, WorkState.FAILED, WorkState.STOPPED):
        raise Conflict(f"This phase has ended already: it is {state}.")
    work.stop(session, item.id, f"{item.label} stopped by a person")
    photo_wanted.end(session, run, "the phase was stopped")
    _change(session, run.id, state=RunState.STOPPED)
    return run


def resume_phase(session: Session, run_id: UUID, number: int) -> Run:
    """Set a stopped phase going again."""
    return _restart(session, run_id, number, WorkState.STOPPED, "resumed by a person")


def retry_phase(session: Session, run_id: UUID, number: int) -> Run:
    """Try a failed phase again, or one that waits for its next try at once; the count of attempts stays."""
    _, item = _locked(session, run_id, number)
    waiting = WorkState(item.state) is WorkState.WAITING
    return _restart(
        session, run_id, number, WorkState.WAITING if waiting else WorkState.FAILED, "tried again by a person"
    )


def _restart(session: Session, run_id: UUID, number: int, only_from: WorkState, says: str) -> Run:
    run, item = _locked(session, run_id, number)
    if not run.is_latest:
        raise Conflict("There is a newer run of this product; go on with that one.")
    if WorkState(item.state) is not only_from:
        raise Conflict(f"This cannot be done now: the phase is {item.state}.")
    work.restart(session, item.id, only_from, f"{item.label} {says}")
    _change(session, run.id, state=RunState.RUNNING)
    return run


def remove_product(session: Session, product_id: UUID, user_id: UUID | None) -> Run:
    """Take a product off the desk; whatever is done for it stops. Nothing is erased: `put_back` undoes it."""
    product, run = locked_product(session, product_id)
    if product.deleted_at is not None:
        raise Conflict("This product has been removed already.")
    was_active = stop_active(session, run, "the product was removed")
    product.deleted_at = session.execute(select(func.clock_timestamp())).scalar_one()
    product.deleted_by = user_id
    session.flush()
    _change(session, run.id, state=RunState.STOPPED if was_active else run.state, is_latest=False)
    tell_all(session, run, NewEvent("run.removed", "Product removed"))
    return run


def stop_active(session: Session, run: Run, why: str) -> bool:
    """Stop whatever is done for a run, which the caller has locked with its product; whether there was anything."""
    active = session.execute(
        select(Work.id, Work.args)
        .join(Phase, Phase.work_id == Work.id)
        .where(
            Phase.run_id == run.id,
            Work.state.in_([WorkState.READY, WorkState.RUNNING, WorkState.HELD, WorkState.WAITING]),
        )
    ).all()
    for item in active:
        work.stop(session, item.id, f"{item.args.get('label', KIND)} stopped: {why}")
    if active:
        photo_wanted.end(session, run, why)
        _change(session, run.id, state=RunState.STOPPED)
    return bool(active)


def put_back(session: Session, product_id: UUID) -> Run:
    """Undo a removal. A phase that was stopped by it can be resumed."""
    product, run = locked_product(session, product_id)
    if product.deleted_at is None:
        raise Conflict("This product is not removed.")
    product.deleted_at = product.deleted_by = None
    session.flush()
    _change(session, run.id, is_latest=True)
    tell_all(session, run, NewEvent("run.put_back", "Product put back"))
    return run


def tell_all(session: Session, newest: Run, event: NewEvent) -> None:
    """What happened to the whole product is news on the pages of its earlier runs as well. Their streams are older than
    the newest run's, and locked before it, as everywhere."""
    earlier = select(Run.stream_id).where(Run.product_id == newest.product_id, Run.id != newest.id)
    record_each(session, newest.client_id, [(stream_id, event) for stream_id in session.scalars(earlier)])
    record(newest.client_id, newest.stream_id, event)


def locked_product(session: Session, product_id: UUID) -> tuple[Product, Run]:
    """A product, removed or not, and its newest run, both locked and as they are now, with all of the run's work."""
    newest = select(Run).where(Run.product_id == product_id).order_by(Run.number.desc()).limit(1)
    run = session.execute(newest).scalar_one_or_none()
    if run is None:
        raise NotFound("There is no such product.")
    product, run = _locked_whole(session, run)
    if session.execute(newest).scalar_one().id != run.id:
        raise Conflict("Somebody started this product again at this moment.")
    return product, run


def _locked_whole(session: Session, run: Run) -> tuple[Product, Run]:
    """A run's product and the run, as they are now, locked together with all of the run's work, in the order that
    everybody keeps: work, product, run."""
    session.execute(
        select(Work.id)
        .join(Phase, Phase.work_id == Work.id)
        .where(Phase.run_id == run.id)
        .order_by(Work.id)
        .with_for_update(of=Work)
    )
    product = session.get_one(Product, run.product_id, with_for_update=True, populate_existing=True)
    # What was read before the locks may be old: a worker may just have ended the run.
    return product, session.get_one(Run, run.id, with_for_update=True, populate_existing=True)


def confirm(session: Session, run_id: UUID, settled: dict[str, str | None], *, by_name: str) -> Analysis:
    """A reviewer's word on a run in review: `settled` has a value or None for each of settling.SETTLED_FIELDS.

    The findings become the reviewer's, the confidence 100, and phase 2 begins. Returns the analysis as it was before.

    Raises:
        Conflict: the run is not in review any more.
    """
    found_run = session.get(Run, run_id)
    if found_run is None:
        raise NotFound("There is no such run.")
    _, run = _locked_whole(session, found_run)
    if run.state is not RunState.REVIEW:
        raise Conflict("This product is not waiting for a review any more.")
    places, found = findings.read_all(session, run_id)
    before: Analysis | None = found[PhaseName.ANALYSIS]
    if before is None:
        raise Conflict("This run has no findings to confirm.")
    moved = work.release(session, places[PhaseName.ANALYSIS].work_id, f"Confirmed by {by_name}", {"by": by_name})
    photo_wanted.end(session, run, f"{by_name} decided without it")
    after = settling.settle(before, settled, f"{by_name} confirmed it")
    place = outcomes.Place(
        run_id=run_id,
        stream_id=run.stream_id,
        product_id=run.product_id,
        phase_id=places[PhaseName.ANALYSIS].phase_id,
        number=PhaseName.ANALYSIS.number,
        next_work_id=places[PhaseName.MARKET].work_id,
    )
    findings.write(session, run.client_id, place.phase_id, place.number, moved.epoch, after)
    settling.apply_analysis(session, run.product_id, after, fixed=settling.SETTLED_FIELDS)
    _change(session, run_id, state=outcomes.advance(session, run.client_id, place), confidence=100, reasons=[])
    return before


# --- looking up -----------------------------------------------------------------------------------


class _Item(msgspec.Struct, frozen=True):
    id: int
    state: str
    label: str


def _locked(session: Session, run_id: UUID, number: int, *, with_product: bool = False) -> tuple[Run, _Item]:
    """A run and the work of one of its phases, locked in the order that everybody keeps: work, (product,) run."""
    row = session.execute(
        select(Work.id, Work.state, Work.args)
        .join(Phase, Phase.work_id == Work.id)
        .where(Phase.run_id == run_id, Phase.number == number)
        .with_for_update(of=Work)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such phase.")
    if with_product:
        its_product = select(Product.id).join(Run, Run.product_id == Product.id).where(Run.id == run_id)
        session.execute(its_product.with_for_update(of=Product))
    run = session.get_one(Run, run_id, with_for_update=True, populate_existing=True)
    return run, _Item(id=row.id, state=row.state.value, label=str(row.args.get("label", KIND)))


def _change(session: Session, run_id: UUID, **values: Any) -> None:
    session.execute(update(Run).where(Run.id == run_id).values(changed_at=func.clock_timestamp(), **values))
