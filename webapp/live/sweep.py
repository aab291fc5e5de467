"""Looking up in Postgres which streams have news: the bus may not have told, or may have told what is not so."""

import time
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from webapp.statements import Statement

SPARE_SECONDS = 5.0
"""How long a commit may take that is under way."""

_CHANGED = text("""
    SELECT id, client_id, kind, seq FROM streams
    WHERE client_id = ANY(:clients) AND changed_at > :since ORDER BY changed_at
""")
_NOW = text("SELECT clock_timestamp() - make_interval(secs => :overlap)")
_HEADS = Statement("""
    SELECT id, client_id, kind, seq, CAST(extract(epoch FROM clock_timestamp() - changed_at) AS float8) AS age
    FROM streams WHERE id = ANY(:ids)
""")


class Head(NamedTuple):
    """A stream and the number of its newest event."""

    stream_id: int
    client_id: UUID
    kind: str
    seq: int
    changed_at: float = 0.0
    """When that event was written, by this process' monotonic clock; only of heads that were asked for."""


class Sweep:
    """Remembers, by the database's clock, up to when it has looked.

    A change shows at commit, later than its `changed_at`: after `idle_seconds` at most, if its writer is frozen in
    between. So far behind its last look it looks again.
    """

    def __init__(self, engine: Engine, idle_seconds: float) -> None:
        self._engine = engine
        self._overlap_seconds = idle_seconds + SPARE_SECONDS
        self._since: datetime | None = None

    def look(self, clients: Collection[UUID]) -> list[Head]:
        """Streams of these clients that changed since the last look that succeeded, and shortly before it.

        Raises:
            SQLAlchemyError: the database does not answer; the next look goes back as far as this one would have.
        """
        with self._engine.connect() as connection:
            now: datetime = connection.execute(_NOW, {"overlap": self._overlap_seconds}).scalar_one()
            rows = connection.execute(_CHANGED, {"clients": list(clients), "since": self._since or now}).all()
        self._since = now
        return [Head(*row) for row in rows]


def heads(session: Session, stream_ids: Collection[int]) -> dict[int, Head]:
    """The streams as they are now, without those that are gone or are not the tenant's."""
    rows = _HEADS.read(session, {"ids": list(stream_ids)})
    now = time.monotonic()
    return {row.id: Head(row.id, row.client_id, row.kind, row.seq, now - row.age) for row in rows}
