"""Events: recorded while a transaction runs, written just before it commits, told to the screens after it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from webapp.database import before_commit, db
from webapp.statements import Statement
from webapp.work import signals
from webapp.work.models import Level, Stream

_PENDING = "pending_events"
# Numbers are taken under the stream's row lock and written in the same statement, so they have no gaps and no two
# transactions can hold the same one. The lock is taken last and held only until commit.
_APPEND = Statement("""
    WITH stream AS (
        UPDATE streams SET seq = seq + :count, changed_at = clock_timestamp() WHERE id = :stream_id
        RETURNING id, client_id, seq
    )
    INSERT INTO events (stream_id, seq, client_id, level, kind, message, data)
    SELECT stream.id, stream.seq - :count + news.number, stream.client_id,
           news.event->>'level', news.event->>'kind', news.event->>'message', news.event->'data'
    FROM stream, jsonb_array_elements(CAST(:events AS jsonb)) WITH ORDINALITY AS news(event, number)
    RETURNING seq
""")


@dataclass(frozen=True)
class NewEvent:
    """An event that has no number yet."""

    kind: str
    message: str
    level: Level = Level.INFO
    data: dict[str, Any] = field(default_factory=dict)


def create_stream(session: Session, client_id: UUID, kind: str) -> Stream:
    """A new, empty stream of a run or a job."""
    stream = Stream(client_id=client_id, kind=kind, seq=0)
    session.add(stream)
    session.flush()
    return stream


def record(client_id: UUID, stream_id: int, event: NewEvent) -> None:
    """Put an event into the stream with the current transaction; nothing is written if that rolls back."""
    info = db.session().info
    before_commit("events", _write_pending)
    info.setdefault(_PENDING, {}).setdefault((client_id, stream_id), []).append(event)


def _write_pending(session: Session) -> None:
    pending: dict[tuple[UUID, int], list[NewEvent]] = session.info.pop(_PENDING, {})
    for (client_id, stream_id), events in sorted(pending.items(), key=lambda item: item[0][1]):
        signals.tell(client_id, stream_id, append(session, stream_id, events))


_LOCK_ALL = text("SELECT id FROM streams WHERE id = ANY(:ids) ORDER BY id FOR UPDATE")
_APPEND_ONE_EACH = text("""
    WITH news AS (
        SELECT * FROM jsonb_to_recordset(CAST(:events AS jsonb))
            AS news(stream_id bigint, level text, kind text, message text, data jsonb)
    ), stream AS (
        UPDATE streams SET seq = seq + 1, changed_at = clock_timestamp() FROM news WHERE id = stream_id
        RETURNING id, client_id, seq, level, news.kind, message, data
    )
    INSERT INTO events (stream_id, seq, client_id, level, kind, message, data)
    SELECT id, seq, client_id, level, kind, message, data FROM stream
    RETURNING stream_id, seq
""")


def record_each(session: Session, client_id: UUID, events: Sequence[tuple[int, NewEvent]]) -> None:
    """One event into each of many streams by one statement, at once: the last thing that a transaction does."""
    if not events:
        return
    encoded = json.dumps([{"stream_id": stream_id, **_plain(event)} for stream_id, event in events])
    session.execute(_LOCK_ALL, {"ids": [stream_id for stream_id, _ in events]})
    written = session.execute(_APPEND_ONE_EACH, {"events": encoded}).all()
    for row in written:
        signals.tell(client_id, row.stream_id, row.seq)


def _plain(event: NewEvent) -> dict[str, Any]:
    return {"kind": event.kind, "message": event.message, "level": event.level.value, "data": event.data}


def append(connection: Session | Connection, stream_id: int, events: Sequence[NewEvent]) -> int:
    """Write events at the end of a stream and return the last one's number."""
    encoded = json.dumps([_plain(event) for event in events])
    written = _APPEND.execute(connection, {"stream_id": stream_id, "count": len(events), "events": encoded})
    return max(int(row.seq) for row in written)
