"""Durable work: streams of events, leased work, memos of external calls, and the processes that do it."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Computed,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    SmallInteger,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base, new_id, text_enum


class WorkState(StrEnum):
    """States of work. `held` waits for a person, `waiting` for a time."""

    BLOCKED = "blocked"
    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    HELD = "held"
    WAITING = "waiting"
    FAILED = "failed"
    STOPPED = "stopped"


ACTIVE = (WorkState.BLOCKED, WorkState.READY, WorkState.RUNNING, WorkState.HELD, WorkState.WAITING)
"""States of work that still has something before it."""


class Level(StrEnum):
    """How much an event matters to its reader."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Stream(Base):
    """The ordered events of one run or job. `seq` is the newest event's number, taken under this row's lock."""

    __tablename__ = "streams"
    __table_args__ = (
        UniqueConstraint("client_id", "id"),
        Index("ix_streams_client_changed", "client_id", "changed_at"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    kind: Mapped[str]
    seq: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Event(Base):
    """One fact that happened to a run or a job; numbers within a stream have no gaps."""

    __tablename__ = "events"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "stream_id"], ["streams.client_id", "streams.id"], ondelete="CASCADE"),
        Index("ix_events_client_stream", "client_id", "stream_id", "seq"),
    )

    stream_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    client_id: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    level: Mapped[Level] = mapped_column(text_enum(Level, "level"))
    kind: Mapped[str]
    message: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class Work(Base):
    """One piece of background work. Who holds the lease is told by `epoch` and `lease_token` together."""

    __tablename__ = "work"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "stream_id"], ["streams.client_id", "streams.id"], ondelete="CASCADE"),
        UniqueConstraint("client_id", "id"),
        CheckConstraint(
            "(state = 'running') = (lease_token IS NOT NULL) AND (lease_token IS NULL) = (lease_until IS NULL)",
            name="lease",
        ),
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
        Index(
            "uq_work_dedup_key",
            "client_id",
            "dedup_key",
            unique=True,
            postgresql_where=text("state IN ('blocked', 'ready', 'running', 'held', 'waiting')"),
        ),
        # The dispatcher's backlog: the next few of every client, activity and priority, by a loose scan.
        Index(
            "ix_work_backlog",
            "queue",
            "client_id",
            "activity",
            "priority",
            "run_at",
            "id",
            postgresql_where=text("state = 'ready' AND dispatched_at IS NULL"),
        ),
        # The bells that hang in Redis, which are few however long the backlog is.
        Index(
            "ix_work_rung",
            "queue",
            "client_id",
            "dispatched_at",
            postgresql_where=text("state = 'ready' AND dispatched_at IS NOT NULL"),
        ),
        # What runs (to be reaped), what waits for its time.
        Index(
            "ix_work_queue",
            "state",
            "queue",
            "run_at",
            postgresql_where=text("state IN ('ready', 'running', 'waiting')"),
        ),
        # What came of what was asked for last, for what is done once at a time.
        Index("ix_work_last_asked", "client_id", "dedup_key", "id", postgresql_where=text("dedup_key IS NOT NULL")),
        # What lost its worker and waits for another: nearly always nothing.
        Index("ix_work_interrupted", "id", postgresql_where=text("state = 'ready' AND crashes > 0")),
        Index("ix_work_client_stream", "client_id", "stream_id"),
        # What waits behind a circuit, or is on its way from there; nearly always nothing.
        Index("ix_work_waits_for", "waits_for", "client_id", postgresql_where=text("waits_for IS NOT NULL")),
        # What failed, by its cause.
        Index("ix_work_failed", "client_id", "cause", "finished_at", postgresql_where=text("state = 'failed'")),
        # What the last hour brought.
        Index("ix_work_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
        # Heartbeats change only lease_until, which no index holds: they stay on their page (HOT) if it has room.
        {"postgresql_with": {"fillfactor": 70}},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    client_id: Mapped[UUID]
    stream_id: Mapped[int]
    kind: Mapped[str]
    activity: Mapped[str] = mapped_column(Computed("coalesce(args #>> '{event,phase}', kind)", persisted=True))
    """What people know it as, and may pause: a phase's name, else its kind."""
    queue: Mapped[str]
    args: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    state: Mapped[WorkState] = mapped_column(text_enum(WorkState, "state"))
    epoch: Mapped[int] = mapped_column(server_default=text("0"))
    lease_token: Mapped[UUID | None]
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    deadline_at: Mapped[datetime | None]
    deadline_seconds: Mapped[float] = mapped_column(Double, server_default=text("600"))
    """How long one attempt may take."""
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    """How often it was started."""
    failures: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    """How often an attempt ended in an error since a person last started it; crashes are counted apart."""
    crashes: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    max_failures: Mapped[int] = mapped_column(SmallInteger, server_default=text("3"))
    run_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    dispatched_at: Mapped[datetime | None]
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("5"))
    """See `webapp.work.priority`; lower goes first."""
    progress: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    message: Mapped[str] = mapped_column(server_default="")
    result: Mapped[dict[str, Any] | None]
    last_error: Mapped[str | None]
    cause: Mapped[str | None]
    """Why the last attempt did not succeed, as a key: failures of one cause are one group."""
    waits_for: Mapped[str | None]
    """The circuit that it waits behind; `run_at` is then when it goes on at the latest."""
    waits_since: Mapped[datetime | None]
    dedup_key: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Step(Base):
    """Memo of one external call of a piece of work: the intent before it, the answer after it."""

    __tablename__ = "steps"
    __table_args__ = (
        ForeignKeyConstraint(["client_id", "work_id"], ["work.client_id", "work.id"], ondelete="CASCADE"),
        Index("ix_steps_client_work", "client_id", "work_id"),
    )

    work_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[UUID]
    intent: Mapped[dict[str, Any]]
    idempotency_key: Mapped[UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    """What the other side knows this call by; the same in every attempt."""
    asked_by: Mapped[str] = mapped_column(server_default="")
    """The process that makes, or made, the call; see `askers`."""
    output: Mapped[dict[str, Any] | None]
    intended_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    answered_at: Mapped[datetime | None]


class CircuitState(StrEnum):
    """Closed: calls go through. Open: none does. Half open: one does, to see whether the service is back."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Circuit(Base):
    """What all processes together know of a service that is not ours; not owned by a client. No row: closed."""

    __tablename__ = "circuits"

    name: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str]
    """What people call the service."""
    state: Mapped[CircuitState] = mapped_column(text_enum(CircuitState, "state"), server_default="closed")
    failures: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    """Calls in a row that failed while it was closed."""
    probes: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    """Probes in a row that failed since it opened."""
    reason: Mapped[str] = mapped_column(server_default="")
    opened_at: Mapped[datetime | None]
    next_probe_at: Mapped[datetime | None]
    probe_token: Mapped[UUID | None]
    """Who may probe now, and until when: a prober that dies leaves its place to the next."""
    probe_until: Mapped[datetime | None]


class Pause(Base):
    """Somebody wants something not to be started now: all of a client's work, or one activity of all clients (then
    it belongs to no client). What runs already runs on. The row goes when the pause ends; the audit remembers it."""

    __tablename__ = "pauses"
    __table_args__ = (
        CheckConstraint("num_nonnulls(client_id, activity) = 1", name="subject"),
        Index("uq_pauses_client_id", "client_id", unique=True, postgresql_where=text("client_id IS NOT NULL")),
        Index("uq_pauses_activity", "activity", unique=True, postgresql_where=text("activity IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    activity: Mapped[str | None]
    reason: Mapped[str] = mapped_column(server_default="")
    paused_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    paused_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    paused_by_name: Mapped[str]


class Worker(Base):
    """A process that does work, or hands it out; not owned by a client."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    """A slot keeps its id when it is started again in the same place."""
    kind: Mapped[str]
    """`slot` or `dispatcher`."""
    name: Mapped[str] = mapped_column(server_default="")
    """What the process is called on its machine: `slot-heavy-0`."""
    queue: Mapped[str | None]
    """The lanes that a slot serves, with blanks between."""
    host: Mapped[str]
    pid: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    last_seen: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    doing: Mapped[int | None]
    drain_at: Mapped[datetime | None]
    """Since when it is to take no new work; None: it may."""
    drain_by_name: Mapped[str | None]
