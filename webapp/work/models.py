"""Durable work: streams of events, leased work, memos of external calls, and the processes that do it."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
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

from webapp.database import Base, text_enum


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
        # The dispatcher's backlog: the next few of every client, by a loose scan over clients.
        Index(
            "ix_work_backlog",
            "queue",
            "client_id",
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
        Index("ix_work_client_stream", "client_id", "stream_id"),
        # Heartbeats change only lease_until, which no index holds: they stay on their page (HOT) if it has room.
        {"postgresql_with": {"fillfactor": 70}},
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    client_id: Mapped[UUID]
    stream_id: Mapped[int]
    kind: Mapped[str]
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
    """Lower goes first."""
    progress: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    message: Mapped[str] = mapped_column(server_default="")
    result: Mapped[dict[str, Any] | None]
    last_error: Mapped[str | None]
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
    output: Mapped[dict[str, Any] | None]
    intended_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    answered_at: Mapped[datetime | None]


class Worker(Base):
    """A process that does work, or hands it out; not owned by a client."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """`slot` or `dispatcher`."""
    queue: Mapped[str | None]
    host: Mapped[str]
    pid: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    last_seen: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    doing: Mapped[int | None]
