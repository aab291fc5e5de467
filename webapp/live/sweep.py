"""Looking up in Postgres what the bus may not have told, across clients, as the system login."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Engine, text

OVERLAP_SECONDS = 5.0
"""How far behind its last look the sweep looks again: a change shows at commit, later than its `changed_at`."""

MAX_KINDS = 50_000

_CHANGED = text("""
    SELECT id, client_id, kind, seq FROM streams
    WHERE client_id = ANY(:clients) AND changed_at > :since ORDER BY changed_at
""")
_NOW = text("SELECT clock_timestamp() - make_interval(secs => :overlap)")
_KIND = text("SELECT kind FROM streams WHERE id = :id")


class Changed(NamedTuple):
    """A stream and the number of its newest event."""

    stream_id: int
    client_id: UUID
    kind: str
    seq: int


class Sweep:
    """Remembers, by the database's clock, up to when it has looked, and the kinds of streams it met."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._since: datetime | None = None
        self._kinds: dict[int, str] = {}

    def look(self, clients: Collection[UUID]) -> list[Changed]:
        """Streams of these clients that changed since the last look that succeeded, and shortly before it.

        Raises:
            SQLAlchemyError: the database does not answer; the next look goes back as far as this one would have.
        """
        with self._engine.connect() as connection:
            now: datetime = connection.execute(_NOW, {"overlap": OVERLAP_SECONDS}).scalar_one()
            rows = connection.execute(_CHANGED, {"clients": list(clients), "since": self._since or now}).all()
        self._since = now
        changed = [Changed(*row) for row in rows]
        self._remember({row.stream_id: row.kind for row in changed})
        return changed

    def kind_of(self, stream_id: int) -> str:
        """The kind of a stream, which never changes, or "" if there is no such stream.

        Raises:
            SQLAlchemyError: it was not known yet, and the database does not answer.
        """
        if stream_id not in self._kinds:
            with self._engine.connect() as connection:
                kind = connection.execute(_KIND, {"id": stream_id}).scalar_one_or_none()
            self._remember({stream_id: str(kind or "")})
        return self._kinds[stream_id]

    def _remember(self, kinds: dict[int, str]) -> None:
        if len(self._kinds) > MAX_KINDS:
            self._kinds.clear()
        self._kinds |= kinds
