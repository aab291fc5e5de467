"""A product whose photos changed is looked at anew, wherever its run stands.

Callers hold a `transaction()` and the locks of `services.locked_product`.
"""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from webapp.errors import Conflict
from webapp.pipeline import photo_wanted, services
from webapp.pipeline.models import Phase, PhaseName, Run, RunState
from webapp.work import services as work
from webapp.work.events import NewEvent
from webapp.work.models import Work, WorkState
from webapp.work.priority import Priority

_IN_HAND = (WorkState.RUNNING, WorkState.WAITING, WorkState.HELD)


def look_anew(session: Session, run: Run, user_id: UUID | None, why: str) -> Run:
    """Let phase 1 see the product's photos as they are now; `why` is a sentence for the log. Returns the run that does.

    Has it not begun, it will see them anyway. Is it under way or waiting for a person, the same run does it again;
    later than that, a new run does, since what the old one found belongs to the old photos.

    Raises:
        Conflict: the run does not stand for its product any more.
    """
    if not run.is_latest:
        raise Conflict("There is a newer run of this product; go on with that one.")
    services.tell_all(session, run, NewEvent("run.photos_changed", why[:1].upper() + why[1:]))
    photo_wanted.end(session, run, why)
    work_id, state = session.execute(
        select(Work.id, Work.state)
        .join(Phase, Phase.work_id == Work.id)
        .where(Phase.run_id == run.id, Phase.number == PhaseName.ANALYSIS.number)
    ).one()
    if state in _IN_HAND:
        work.stop(session, work_id, f"Analysis stopped: {why}")
        work.restart(session, work_id, WorkState.STOPPED, "Analysis begins again with the photos as they are now")
        session.execute(
            update(Run)
            .where(Run.id == run.id)
            .values(state=RunState.RUNNING, confidence=None, reasons=[], changed_at=func.clock_timestamp())
        )
    elif state is not WorkState.READY:
        services.stop_active(session, run, why)
        return services.start_run(
            session,
            client_id=run.client_id,
            product_id=run.product_id,
            created_by=run.created_by,
            started_by=user_id,
            hints=run.hints,
            message=f"Run started: {why}",
            priority=Priority.AGAIN,
        )
    return run
