"""The states of work and every move between them: one table, one function.

Each move is one conditional UPDATE whose row count is checked, and leaves its event in the stream. Lock order within
a transaction is work rows first and streams last (events are written just before commit), so moves cannot deadlock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from webapp.errors import Conflict
from webapp.statements import Statement
from webapp.work.models import Level, WorkState

S = WorkState

MOVES: dict[WorkState, frozenset[WorkState]] = {
    S.BLOCKED: frozenset({S.READY, S.STOPPED}),
    S.READY: frozenset({S.RUNNING, S.STOPPED}),
    # Back to ready: the lease ran out, or a worker that shuts down hands it back.
    S.RUNNING: frozenset({S.DONE, S.HELD, S.WAITING, S.FAILED, S.STOPPED, S.READY}),
    S.HELD: frozenset({S.DONE, S.READY, S.STOPPED}),
    S.WAITING: frozenset({S.READY, S.STOPPED}),
    S.FAILED: frozenset({S.READY}),
    S.STOPPED: frozenset({S.READY}),
    S.DONE: frozenset(),
}

_NO_LEASE = "lease_token = NULL, lease_owner = NULL, lease_until = NULL, deadline_at = NULL"
_NO_WAIT = "waits_for = NULL, waits_since = NULL"
_NO_TROUBLE = f"{_NO_LEASE}, {_NO_WAIT}, last_error = NULL, cause = NULL"
_EFFECTS: dict[WorkState, str] = {
    # What a worker lost or handed back keeps its place in the queue: it has waited for a lease already.
    S.READY: (
        f"{_NO_LEASE}, dispatched_at = NULL, finished_at = NULL,"
        " run_at = CASE state WHEN 'running' THEN run_at ELSE clock_timestamp() END"
    ),
    S.RUNNING: (
        "epoch = epoch + 1, lease_token = gen_random_uuid(), lease_owner = :owner,"
        " lease_until = clock_timestamp() + make_interval(secs => :lease),"
        " deadline_at = clock_timestamp() + make_interval(secs => deadline_seconds),"
        " attempts = attempts + 1, started_at = clock_timestamp(), finished_at = NULL,"
        " progress = 0, message = '', dispatched_at = NULL"
    ),
    # What a person confirms was finished when it was held: the time until then is the person's, not the work's.
    S.DONE: f"{_NO_TROUBLE}, progress = 100, message = '',"
    " finished_at = CASE state WHEN 'held' THEN finished_at ELSE clock_timestamp() END",
    S.HELD: f"{_NO_TROUBLE}, progress = 100, message = :note, finished_at = clock_timestamp()",
    S.WAITING: _NO_LEASE,  # until when, and why, is one of the two below
    S.FAILED: (
        f"{_NO_LEASE}, {_NO_WAIT}, failures = failures + 1, last_error = :note, cause = :cause,"
        " finished_at = clock_timestamp()"
    ),
    # The epoch moves on, so that whoever held the lease can write nothing any more.
    S.STOPPED: f"{_NO_LEASE}, {_NO_WAIT}, epoch = epoch + 1, dispatched_at = NULL, finished_at = clock_timestamp()",
}
TRY_LATER = (
    f"{_NO_WAIT}, failures = failures + 1, last_error = :note, cause = :cause,"
    " run_at = clock_timestamp() + make_interval(secs => :delay)"
)
"""To `waiting` after a failure: until `run_at`."""
WAIT_BEHIND = (
    "waits_for = :circuit, waits_since = coalesce(waits_since, clock_timestamp()),"
    " failures = 0, last_error = NULL, cause = NULL, message = :note,"
    " run_at = greatest(coalesce(waits_since, clock_timestamp()) + make_interval(secs => :at_most),"
    " clock_timestamp() + interval '1 second')"
)
"""To `waiting` behind an open circuit, which is nobody's failure: until that closes, at the latest until `run_at`."""
AFRESH = f"failures = 0, crashes = 0, {_NO_WAIT}"
"""To `ready` by a person: automatic attempts are counted anew."""
NOT_PAUSED = """NOT EXISTS (SELECT FROM pauses
        WHERE pauses.client_id = work.client_id OR pauses.activity = work.activity)"""
"""Nobody has paused the work's client or what it does."""
_RUNNING = "(SELECT count(*) FROM work runs WHERE runs.client_id = work.client_id AND runs.state = 'running')"
CAP = "(SELECT running_cap FROM clients WHERE clients.id = work.client_id)"
BELOW_CAP = f"{_RUNNING} < {CAP}"
"""The client has fewer phases running than it may have."""
RING = f"""dispatched_at = CASE WHEN {NOT_PAUSED} AND {BELOW_CAP} AND NOT EXISTS (
        SELECT FROM work waits WHERE waits.client_id = work.client_id AND waits.queue = work.queue
           AND waits.state = 'ready' AND waits.dispatched_at IS NULL
    ) AND (
        SELECT count(*) FROM (
            SELECT 1 FROM work rung WHERE rung.client_id = work.client_id AND rung.queue = work.queue
               AND rung.state = 'ready' AND rung.dispatched_at IS NOT NULL LIMIT :most_rung
        ) AS hanging
    ) < :most_rung THEN clock_timestamp() END"""  # noqa: S608 - constants only
"""Mark work that becomes ready as rung for, unless it may not run now (it is paused, its client is at its cap),
`most_rung` bells of its client hang in that queue already, or work of its client waits there for the dispatcher: that
one is not to be overtaken for ever. With a true result,
`Moved.rung`, the caller rings. (Seen by the app's login, the client's own work is all there is.)"""
_EFFECTS_RINGING = {S.READY: _EFFECTS[S.READY].replace("dispatched_at = NULL", RING)}
_LEVELS = {S.FAILED: Level.ERROR, S.WAITING: Level.WARNING, S.STOPPED: Level.WARNING, S.HELD: Level.WARNING}
RETURNING = (
    "id, client_id, stream_id, kind, queue, args, state, epoch, lease_token, attempts, failures, crashes, max_failures,"
    " dispatched_at, CAST(greatest(extract(epoch FROM clock_timestamp() - run_at), 0) AS float8) AS waited"
)


@dataclass(frozen=True)
class Fence:
    """Proof of a lease. A worker that lost it changes nothing: both numbers must match."""

    epoch: int
    token: UUID


@dataclass(frozen=True)
class Moved:
    """A piece of work as a move left it; `token` only while it runs."""

    id: int
    client_id: UUID
    stream_id: int
    kind: str
    queue: str
    args: dict[str, Any]
    state: WorkState
    epoch: int
    token: UUID | None
    attempts: int
    failures: int
    crashes: int
    max_failures: int
    rung: bool
    came_from: WorkState
    waited_seconds: float
    """Since it could start, where that is past."""


class IllegalMove(Conflict):
    """The work is in a state from which this move does not lead, or is gone."""


class LeaseLost(Exception):
    """Somebody else owns the work now, or it was stopped: whatever this worker did must not be written."""


def sources(to: WorkState) -> list[WorkState]:
    """The states from which a move leads to `to`."""
    return [state for state, targets in MOVES.items() if to in targets]


def move(
    session: Session | Connection,
    work_id: int,
    to: WorkState,
    *,
    only_from: WorkState | None = None,
    fence: Fence | None = None,
    also: str = "",
    condition: str = "",
    most_rung: int = 0,
    **values: object,
) -> Moved:
    """Move one piece of work to state `to`, or raise; the caller records the event (see `webapp.work.events`).

    `values` fill the parameters that the target's effect names: owner, lease (running), note (held, failed), cause
    (failed), and those of `also`; times in seconds. `most_rung`: see RING; 0 leaves the bell to the dispatcher. `also`
    and `condition` are constant SQL of this package.

    Raises:
        LeaseLost: a fence was given and does not hold.
        IllegalMove: the work's state does not lead there, or there is no such work for this client.
    """
    legal = sources(to)
    if only_from is not None:
        if only_from not in legal:
            raise IllegalMove(f"work cannot go from {only_from} to {to}")
        legal = [only_from]
    if fence is not None:
        legal = [S.RUNNING] if S.RUNNING in legal else []
    came_from = legal[0] if len(legal) == 1 else _lock(session, work_id, legal, to)
    where = "id = :id AND state = :came_from" + (f" AND {condition}" if condition else "")
    parameters: dict[str, object] = {"id": work_id, "came_from": came_from.value, "to": to.value, **values}
    if fence is not None:
        where += " AND epoch = :epoch AND lease_token = :token"
        parameters |= {"epoch": fence.epoch, "token": fence.token}
    if most_rung:
        parameters["most_rung"] = most_rung
    row = _update(to, also, where, ringing=bool(most_rung)).one_or_none(session, parameters)
    if row is None:
        if fence is not None:
            raise LeaseLost(f"work {work_id} belongs to somebody else")
        raise IllegalMove(f"this cannot be done now: it is no longer {came_from}")
    return _moved(row, came_from)


def move_all(
    session: Session, work_ids: Sequence[int], to: WorkState, *, only_from: WorkState, also: str = ""
) -> list[Moved]:
    """Move many pieces of work by one statement; those that are not in `only_from` any more are left out.

    The caller holds their locks, taken in the order of their ids.
    """
    if only_from not in sources(to):
        raise IllegalMove(f"work cannot go from {only_from} to {to}")
    statement = _update(to, also, "id = ANY(:ids) AND state = :came_from", ringing=False)
    moved = statement.execute(session, {"ids": list(work_ids), "came_from": only_from.value, "to": to.value})
    return [_moved(row, only_from) for row in moved]


def _moved(row: Any, came_from: WorkState) -> Moved:
    return Moved(
        id=row.id,
        client_id=row.client_id,
        stream_id=row.stream_id,
        kind=row.kind,
        queue=row.queue,
        args=row.args,
        state=WorkState(row.state),
        epoch=row.epoch,
        token=row.lease_token,
        attempts=row.attempts,
        failures=row.failures,
        crashes=row.crashes,
        max_failures=row.max_failures,
        rung=row.dispatched_at is not None,
        came_from=came_from,
        waited_seconds=row.waited,
    )


def level_of(to: WorkState) -> Level:
    """How loud the event of a move is."""
    return _LEVELS.get(to, Level.INFO)


@cache
def _update(to: WorkState, also: str, where: str, *, ringing: bool) -> Statement:
    effect = (_EFFECTS_RINGING if ringing else _EFFECTS)[to]
    effects = ", ".join(part for part in ("state = :to", effect, also) if part)
    return Statement(f"UPDATE work SET {effects} WHERE {where} RETURNING {RETURNING}")  # noqa: S608 - constants only


_LOCK = Statement("SELECT state FROM work WHERE id = :id FOR UPDATE")


def _lock(session: Session | Connection, work_id: int, legal: list[WorkState], to: WorkState) -> WorkState:
    found = _LOCK.one_or_none(session, {"id": work_id})
    if found is None:
        raise IllegalMove("there is no such work")
    state = WorkState(found.state)
    if state not in legal:
        raise IllegalMove(f"this cannot be done now: it is {state}, and from there it cannot become {to}")
    return state
