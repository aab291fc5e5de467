"""The list of processes that do work or hand it out, for the watching page and for `/ready`."""

import os
import socket

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.orm import Session

from webapp.errors import Conflict

_SIGN_ON = text("""
    INSERT INTO workers (id, kind, name, queue, host, pid) VALUES (:id, :kind, :name, :queue, :host, :pid)
    ON CONFLICT (id) DO UPDATE SET
        last_seen = clock_timestamp(), doing = :doing, pid = excluded.pid,
        started_at = CASE WHEN workers.pid = excluded.pid THEN workers.started_at ELSE excluded.started_at END
    RETURNING drain_at IS NOT NULL
""")
_FORGET = text("DELETE FROM workers WHERE last_seen < clock_timestamp() - interval '1 day'")


def sign_on(
    connection: Connection | Session,
    worker_id: str,
    *,
    kind: str,
    lane: str | None,
    name: str = "",
    doing: int | None = None,
) -> bool:
    """Say that this process is alive (and what it does); the long silent ones are forgotten. Gives whether it was asked
    to drain. `lane`: the lanes that a slot serves, with blanks between."""
    row = {"id": worker_id, "kind": kind, "name": name, "queue": lane, "doing": doing}
    drains = connection.execute(_SIGN_ON, {**row, "host": socket.gethostname(), "pid": os.getpid()}).scalar_one()
    connection.execute(_FORGET)
    return bool(drains)


_DRAIN = text("""
    UPDATE workers SET drain_at = clock_timestamp(), drain_by_name = :by WHERE id = :id AND kind = 'slot'
      AND drain_at IS NULL RETURNING name
""")
_LET_WORK = text("""
    UPDATE workers SET drain_at = NULL, drain_by_name = NULL WHERE id = :id AND drain_at IS NOT NULL RETURNING name
""")


def drain(session: Session, worker_id: str, by_name: str) -> str:
    """Ask a slot to take no new work. It ends what it does, starts afresh and stands by. Gives its name.

    Raises:
        Conflict: there is no such slot, or it drains already.
    """
    return _changed(session, _DRAIN, {"id": worker_id, "by": by_name}, "This slot is gone, or drains already.")


def let_work(session: Session, worker_id: str) -> str:
    """Let a drained slot take work again. Gives its name.

    Raises:
        Conflict: there is no such slot, or it works already.
    """
    return _changed(session, _LET_WORK, {"id": worker_id}, "This slot is gone, or takes work already.")


def _changed(session: Session, change: TextClause, values: dict[str, str], or_else: str) -> str:
    name = session.execute(change, values).scalar_one_or_none()
    if name is None:
        raise Conflict(or_else)
    return str(name)


def sign_off(connection: Connection | Session, name: str) -> None:
    """Say that this process ends."""
    connection.execute(text("DELETE FROM workers WHERE id = :id"), {"id": name})
