"""What workers bring: a phase's findings are written, and its run moves on. Callers hold a `transaction()`."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import update
from sqlalchemy.orm import Session

from webapp.catalog.models import Photo
from webapp.phases.facts import Analysis, Listing
from webapp.pipeline import findings, sampling, settling
from webapp.pipeline.models import LABELS, PhaseName, RunState
from webapp.statements import update_of
from webapp.work import services as work
from webapp.work.events import NewEvent, record
from webapp.work.moves import Moved
from webapp.work.services import Claim


@dataclass(frozen=True)
class Place:
    """Where a phase stands; none of this ever changes. `next_work_id` is None for the last phase."""

    run_id: UUID
    stream_id: int
    product_id: UUID
    phase_id: int
    number: int
    next_work_id: int | None


def complete_phase(
    session: Session,
    claim: Claim,
    place: Place,
    found: findings.Found,
    *,
    fingerprint: str,
    threshold: int,
    draw: sampling.Sampling | None = None,
) -> None:
    """Write what a phase found and move the run on: one fenced transaction. `draw`: how runs that go on by
    themselves are drawn for audits.

    Raises:
        LeaseLost: the work belongs to somebody else or was stopped; nothing is written.
    """
    unsure = isinstance(found, Analysis) and found.confidence < threshold
    if unsure and isinstance(found, Analysis):
        why = found.reasons[0] if found.reasons else "the confidence is low"
        work.hold(session, claim, f"Needs review: {why}", {"confidence": found.confidence})
    else:
        work.finish(session, claim, _says(place.number, found))
    findings.write(session, claim.client_id, place.phase_id, place.number, claim.fence.epoch, found, fingerprint)
    changes: dict[str, Any] = {}
    if isinstance(found, Analysis):
        changes |= {"confidence": found.confidence, "reasons": list(found.reasons)}
        _note_photo_quality(session, found)
        if not unsure:
            settling.apply_analysis(session, place.product_id, found)
            changes |= sampling.marks(session, place.product_id, found, draw)
    if isinstance(found, Listing):
        settling.apply_listing(session, place.product_id, found)
        changes["to_add"] = len(found.missing)
    state = RunState.REVIEW if unsure else advance(session, claim.client_id, place)
    if changes or place.next_work_id is None:
        _move_on(session, place.run_id, state, **changes)


def phase_failed(session: Session, moved: Moved) -> None:
    """A phase failed for good: its run has failed."""
    _move_on(session, UUID(moved.args["run_id"]), RunState.FAILED)


def advance(session: Session, client_id: UUID, place: Place) -> RunState:
    if place.next_work_id is not None:
        work.unblock(session, place.next_work_id)
        return RunState.RUNNING
    record(client_id, place.stream_id, NewEvent("run.completed", "The listing is ready"))
    return RunState.COMPLETED


def _move_on(session: Session, run_id: UUID, state: RunState, **changes: Any) -> None:
    """A worker's word on its run, of which the session holds no model."""
    if "reasons" in changes:
        changes["reasons"] = Jsonb(changes["reasons"])
    statement = update_of("runs", ("state", *changes), "changed_at = clock_timestamp()")
    statement.execute(session, {"row_id": run_id, "state": state, **changes})


def _says(number: int, found: findings.Found) -> str:
    if isinstance(found, Analysis):
        what = found.name.value or "no name"
        return f"Analysis done: {what}, confidence {found.confidence} %"
    return f"{LABELS[list(PhaseName)[number - 1]]} done"


def _note_photo_quality(session: Session, found: Analysis) -> None:
    """What the analysis knows better than the upload did."""
    coded = {code.photo_id for code in found.barcodes}
    for quality in found.photos:
        values: dict[str, Any] = {"quality_score": quality.score, "quality_says": quality.says}
        if quality.photo_id in coded or "bars_unread" in quality.problems:
            values["may_show_bars"] = True
        session.execute(update(Photo).where(Photo.id == UUID(quality.photo_id)).values(values))
