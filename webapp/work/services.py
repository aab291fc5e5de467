"""What happens to work: made, claimed, reported on, finished, held, failed, stopped, set ready again.

Callers hold a `transaction()`; nothing here commits. Every change of state goes through `moves.move` and leaves an
event. A piece of work's event carries `args["event"]`, so that its owner (a run, a job) can tell its pieces apart.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from webapp.statements import Statement
from webapp.work import kinds, signals
from webapp.work.causes import cause_of
from webapp.work.events import NewEvent, record, record_each
from webapp.work.models import Level, Work, WorkState
from webapp.work.moves import (
    AFRESH,
    BELOW_CAP,
    CAP,
    NOT_PAUSED,
    TRY_LATER,
    WAIT_BEHIND,
    Fence,
    IllegalMove,
    LeaseLost,
    Moved,
    level_of,
    move,
    move_all,
)
from webapp.work.priority import Priority

BACKOFF_BASE_SECONDS = 5.0
BACKOFF_CAP_SECONDS = 300.0
MAX_CRASHES = 3
RINGS_PER_CLIENT = 4
"""How many bells a client rings by itself per queue; what is beyond waits for the dispatcher's fair hand."""


@dataclass(frozen=True)
class Claim:
    """A lease on one piece of work."""

    client_id: UUID
    work_id: int
    stream_id: int
    kind: str
    args: dict[str, Any]
    fence: Fence
    attempts: int
    failures: int
    crashes: int
    max_failures: int
    waited_seconds: float = 0.0
    """From when it could start to its start."""

    @property
    def activity(self) -> str:
        """What it is counted as: a phase's name, else its kind."""
        return str(self.args.get("event", {}).get("phase") or self.kind)

    @property
    def label(self) -> str:
        """What people call this work."""
        return str(self.args.get("label", self.kind))


def create(
    session: Session,
    *,
    client_id: UUID,
    stream_id: int,
    kind: str,
    lane: str,
    args: dict[str, Any],
    ready: bool,
    priority: Priority = Priority.JOB,
    dedup_key: str | None = None,
) -> Work:
    """A new piece of work in queue `lane`, `ready` (its bell rings after commit) or blocked behind another."""
    work = Work(
        client_id=client_id,
        stream_id=stream_id,
        kind=kind,
        queue=lane,
        args=args,
        state=WorkState.BLOCKED,
        deadline_seconds=kinds.get(kind).deadline_seconds,
        priority=priority,
        dedup_key=dedup_key,
    )
    session.add(work)
    session.flush()
    if ready:
        unblock(session, work.id)
    return work


_IN_TURN = f"run_at <= clock_timestamp() AND {NOT_PAUSED} AND {BELOW_CAP}"
# Slots sign on before they claim, so with fewer slots than the cap no two claims at the same moment can exceed it.
_FREELY = f"{_IN_TURN} AND (SELECT count(*) FROM workers WHERE kind = 'slot') < {CAP}"  # noqa: S608 - constants only
_LOCK_CLIENT = text(f"""
    SELECT pg_advisory_xact_lock(hashtextextended(client_id::text, 7302003)) FROM work
    WHERE id = :id AND state = 'ready' AND {NOT_PAUSED}
""")  # noqa: S608 - constants only
_TAKE_BELL_DOWN = text("UPDATE work SET dispatched_at = NULL WHERE id = :id AND state = 'ready'")


def claim(session: Session, work_id: int, owner: str, lease_seconds: float) -> Claim | None:
    """Take the lease on a piece of work, or None: a doubled bell, stopped meanwhile, or not to run now.

    What may not run now, because it is paused or its client has as many phases running as it may have, stays ready; the
    dispatcher rings for it again when it may.
    """
    moved = _take(session, work_id, owner, lease_seconds, _FREELY)
    if moved is None and session.execute(_LOCK_CLIENT, {"id": work_id}).first():
        moved = _take(session, work_id, owner, lease_seconds, _IN_TURN)
    if moved is None:
        session.execute(_TAKE_BELL_DOWN, {"id": work_id})
        return None
    if moved.token is None:
        raise RuntimeError("a running work has no lease")
    claimed = Claim(
        client_id=moved.client_id,
        work_id=moved.id,
        stream_id=moved.stream_id,
        kind=moved.kind,
        args=moved.args,
        fence=Fence(moved.epoch, moved.token),
        attempts=moved.attempts,
        failures=moved.failures,
        crashes=moved.crashes,
        max_failures=moved.max_failures,
        waited_seconds=moved.waited_seconds,
    )
    again = f" (attempt {moved.attempts})" if moved.attempts > 1 else ""
    _note(moved, f"{claimed.label} started{again}", {"worker": owner})
    return claimed


def _take(session: Session, work_id: int, owner: str, lease_seconds: float, condition: str) -> Moved | None:
    try:
        return move(session, work_id, WorkState.RUNNING, condition=condition, owner=owner, lease=lease_seconds)
    except IllegalMove:
        return None


_REPORT = Statement("""
    UPDATE work SET progress = :progress, message = :message,
           lease_until = clock_timestamp() + make_interval(secs => :lease)
    WHERE id = :id AND state = 'running' AND epoch = :epoch AND lease_token = :token
    RETURNING id
""")


def report(session: Session, claimed: Claim, percent: float, step: str, lease_seconds: float, *, loud: bool) -> None:
    """Say how far the work is; lengthens the lease. `loud`: worth a line in the log that people read.

    Raises:
        LeaseLost: the work belongs to somebody else, or was stopped.
    """
    progress = max(0, min(100, round(percent)))
    changed = _REPORT.execute(
        session,
        {
            "id": claimed.work_id,
            "progress": progress,
            "message": step,
            "lease": lease_seconds,
            "epoch": claimed.fence.epoch,
            "token": claimed.fence.token,
        },
    )
    if not changed:
        raise LeaseLost(f"work {claimed.work_id} belongs to somebody else")
    data = {**_event_data(claimed.args), "work": claimed.work_id, "percent": progress}
    level = Level.INFO if loud else Level.DEBUG
    record(claimed.client_id, claimed.stream_id, NewEvent("work.progress", step, level, data))


def finish(session: Session, claimed: Claim, message: str, details: dict[str, Any] | None = None) -> Moved:
    """The work is done. Raises LeaseLost where it belongs to somebody else: then nothing of it may be written."""
    moved = move(session, claimed.work_id, WorkState.DONE, fence=claimed.fence)
    _note(moved, message, details)
    return moved


def hold(session: Session, claimed: Claim, message: str, details: dict[str, Any] | None = None) -> Moved:
    """The work's result waits for a person. Raises LeaseLost."""
    moved = move(session, claimed.work_id, WorkState.HELD, fence=claimed.fence, note=message)
    _note(moved, message, details)
    return moved


def release(session: Session, work_id: int, message: str, details: dict[str, Any] | None = None) -> Moved:
    """A person decided: held work is done. Raises IllegalMove when it is not held any more."""
    moved = move(session, work_id, WorkState.DONE, only_from=WorkState.HELD)
    _note(moved, message, details)
    return moved


def unblock(session: Session, work_id: int) -> Moved:
    """What stood before this work is done: it is ready, and its bell rings after commit."""
    moved = move(session, work_id, WorkState.READY, only_from=WorkState.BLOCKED, most_rung=RINGS_PER_CLIENT)
    _ring_after_commit(moved)
    return moved


def fail(
    session: Session,
    claimed: Claim,
    reason: str,
    *,
    cause: str = "",
    after_seconds: float | None = None,
    final: bool,
) -> Moved:
    """An attempt ended in an error: try again later, or, when `final` or out of attempts, fail. Raises LeaseLost.

    `cause`: the key by which such failures are grouped; made from the reason where there is none.
    """
    cause = cause or cause_of(reason)
    out_of_attempts = claimed.failures + 1 >= claimed.max_failures
    if final or out_of_attempts:
        moved = move(session, claimed.work_id, WorkState.FAILED, fence=claimed.fence, note=reason, cause=cause)
        _note(moved, f"{claimed.label} failed: {reason}", {"cause": cause})
        return moved
    delay = after_seconds if after_seconds is not None else backoff_seconds(claimed.failures)
    moved = move(
        session,
        claimed.work_id,
        WorkState.WAITING,
        fence=claimed.fence,
        also=TRY_LATER,
        note=reason,
        cause=cause,
        delay=delay,
    )
    says = f"{claimed.label} will be tried again in {max(1, round(delay))} s: {reason}"
    _note(moved, says, {"delay_seconds": delay, "cause": cause})
    return moved


PATIENCE_SECONDS = 86_400.0
"""How long work waits behind a circuit that does not say; then it looks for itself."""


def wait_behind(
    session: Session, claimed: Claim, circuit: str, reason: str, *, at_most_seconds: float | None = None
) -> Moved:
    """A service that the work needs is away: wait until its circuit lets work through. Nobody's failure.

    `at_most_seconds`: counted from when the work first waited. Raises LeaseLost.
    """
    moved = move(
        session,
        claimed.work_id,
        WorkState.WAITING,
        fence=claimed.fence,
        also=WAIT_BEHIND,
        circuit=circuit,
        note=reason,
        at_most=PATIENCE_SECONDS if at_most_seconds is None else at_most_seconds,
    )
    _note(moved, f"{claimed.label} waits: {reason}", {"circuit": circuit})
    return moved


def waited_seconds(session: Session, claimed: Claim) -> float:
    """How long this work has been waiting behind circuits; 0 when it has not."""
    waited = session.execute(_WAITED, {"id": claimed.work_id}).scalar_one_or_none()
    return float(waited or 0)


_WAITED = text("SELECT extract(epoch FROM clock_timestamp() - waits_since) FROM work WHERE id = :id")


def hand_back(session: Session, claimed: Claim) -> Moved:
    """The worker shuts down: the work is ready for another, and this attempt counts as nobody's fault."""
    moved = move(session, claimed.work_id, WorkState.READY, fence=claimed.fence)
    _note(moved, f"{claimed.label} handed back: its worker is shutting down")
    return moved


def stop(session: Session, work_id: int, message: str) -> Moved:
    """Stop the work, whatever it does: final at commit. Raises IllegalMove when it has ended already."""
    moved = move(session, work_id, WorkState.STOPPED)
    _note(moved, message)
    return moved


def restart(
    session: Session, work_id: int, only_from: WorkState, message: str, *, priority: Priority | None = None
) -> Moved:
    """A person sets failed, stopped or waiting work ready again, with its automatic attempts counted anew. `priority`:
    a later one than it has, for one of many."""
    moved = move(
        session,
        work_id,
        WorkState.READY,
        only_from=only_from,
        also=AFRESH + _later(priority),
        most_rung=RINGS_PER_CLIENT,
    )
    _note(moved, message)
    _ring_after_commit(moved)
    return moved


def restart_all(
    session: Session, client_id: UUID, work_ids: Sequence[int], says: str, *, priority: Priority | None = None
) -> int:
    """A person sets many failed pieces of work ready again, each in a stream of its own: a few statements for all.
    `priority`: a later one than they have.

    Nothing rings: the dispatcher deals them out fairly, by their priorities. The caller holds their locks, and has
    changed whatever else it has to, since streams are locked last. Returns how many there were.
    """
    moved = move_all(session, work_ids, WorkState.READY, only_from=WorkState.FAILED, also=AFRESH + _later(priority))
    events = [(item.stream_id, _event(item, f"{item.args.get('label', item.kind)} {says}")) for item in moved]
    record_each(session, client_id, events)
    return len(moved)


def _later(priority: Priority | None) -> str:
    return "" if priority is None else f", priority = greatest(priority, {priority.value:d})"


def backoff_seconds(failures: int) -> float:
    """Capped exponential back-off with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter").

    `failures`: how many came before this one. Never below one second, so that a person can see it wait.
    """
    ceiling = min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2**failures)
    return random.uniform(1.0, ceiling)  # noqa: S311 - spreads load, guards nothing


def _event_data(args: dict[str, Any]) -> dict[str, Any]:
    data = args.get("event", {})
    return dict(data) if isinstance(data, dict) else {}


def _note(moved: Moved, message: str, details: dict[str, Any] | None = None) -> None:
    record(moved.client_id, moved.stream_id, _event(moved, message, details))


def _event(moved: Moved, message: str, details: dict[str, Any] | None = None) -> NewEvent:
    data = {
        **_event_data(moved.args),
        "work": moved.id,
        "from": moved.came_from.value,
        "to": moved.state.value,
        "epoch": moved.epoch,
        **(details or {}),
    }
    return NewEvent(f"work.{moved.state.value}", message, level_of(moved.state), data)


def _ring_after_commit(moved: Moved) -> None:
    if moved.rung:
        signals.ring(moved.queue, moved.client_id, moved.id)
