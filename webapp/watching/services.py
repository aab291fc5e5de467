"""Pausing and resuming a client or an activity, draining a slot. Callers hold a `transaction()`.

A pause keeps work from being started; what runs goes on. Who may pause what is the caller's to check; row-level
security checks it again.
"""

from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.audit.services import Actor, record
from webapp.database import current_tenant, new_id
from webapp.errors import Conflict, NotFound
from webapp.work import registry
from webapp.work.models import Pause


def pause(
    session: Session,
    actor: Actor,
    *,
    by_name: str,
    reason: str,
    client_id: UUID | None = None,
    activity: str | None = None,
) -> Pause:
    """Pause a client, or an activity for all clients.

    Raises:
        Conflict: it is paused already.
    """
    made = Pause(
        id=new_id(),
        client_id=client_id,
        activity=activity,
        reason=reason,
        paused_by=actor.user_id,
        paused_by_name=by_name,
    )
    try:
        with session.begin_nested():
            session.add(made)
    except IntegrityError as error:
        raise Conflict("This is paused already.") from error
    _record(actor, "paused", made)
    return made


def find(session: Session, pause_id: UUID) -> Pause:
    """The pause.

    Raises:
        NotFound: it is over, or the tenant may not know of it.
    """
    found = session.get(Pause, pause_id)
    if found is None:
        raise NotFound("This pause is over already.")
    return found


def resume(session: Session, actor: Actor, held: Pause) -> None:
    """End a pause: the dispatcher deals out what waited.

    Raises:
        NotFound: somebody else ended it just now.
    """
    gone = session.execute(delete(Pause).where(Pause.id == held.id).returning(Pause.id)).first()
    if gone is None:
        raise NotFound("This pause is over already.")
    _record(actor, "resumed", held)


def drain(session: Session, actor: Actor, worker_id: str, by_name: str) -> str:
    """Ask a slot to take no new work. Gives its name. Raises Conflict."""
    name = registry.drain(session, worker_id, by_name)
    record(actor, "slot_drained", table="workers", row_id=worker_id, details={"slot": name})
    return name


def let_work(session: Session, actor: Actor, worker_id: str) -> str:
    """Let a drained slot take work again. Gives its name. Raises Conflict."""
    name = registry.let_work(session, worker_id)
    record(actor, "slot_let_work", table="workers", row_id=worker_id, details={"slot": name})
    return name


def _record(actor: Actor, action: str, subject: Pause) -> None:
    """In the client's record if the client's own admin acts, else in the installation's."""
    tenant = current_tenant()
    own = subject.client_id if tenant and tenant.client_id == subject.client_id else None
    facts = {"client": subject.client_id, "activity": subject.activity, "reason": subject.reason}
    facts["paused_by"] = subject.paused_by_name
    record(actor, action, client_id=own, table="pauses", row_id=subject.id, details=facts)
