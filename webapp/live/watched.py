"""Topics that somebody watches, whose they are, and what they have not been sent."""

import time
from collections import Counter, deque
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from webapp.live.backlog import Backlog
from webapp.live.frames import Span
from webapp.live.sweep import Head


class Ready(NamedTuple):
    """A stream to be rendered: where it stood, its events, and what happened, as read with others."""

    head: Head
    span: Span
    happened: Mapping[int, Any]


class Watched:
    """Topics that get their news in the same turn. `pause_seconds`: how long a stream rests after each time."""

    def __init__(self, pause_seconds: float = 0.0) -> None:
        self.topics: set[str] = set()
        self.backlog = Backlog(pause_seconds)
        self.read: deque[Ready] = deque()
        """What of the backlog is at hand, in the order in which it is rendered."""
        self._topics_of: Counter[UUID] = Counter()
        self._since: dict[UUID, float] = {}

    @property
    def clients(self) -> Collection[UUID]:
        """Whose topics they are."""
        return self._topics_of.keys()

    def since(self, client_id: UUID) -> float:
        """From when on somebody has watched something of this client's; infinity where nobody does."""
        return self._since.get(client_id, float("inf"))

    def add(self, topic: str, client_id: UUID) -> None:
        """Somebody watches the topic."""
        self.topics.add(topic)
        self._topics_of[client_id] += 1
        self._since.setdefault(client_id, time.monotonic())

    def remove(self, topic: str, client_id: UUID) -> None:
        """Nobody watches the topic any more."""
        self.topics.discard(topic)
        self._topics_of[client_id] -= 1
        if not self._topics_of[client_id]:
            del self._topics_of[client_id], self._since[client_id]
            self.backlog.forget(client_id)

    def clear(self) -> None:
        """Nobody watches anything."""
        self.topics.clear()
        self._topics_of.clear()
        self._since.clear()
        self.backlog.forget()

    def note(self, stream_id: int, client_id: UUID, seq: int, since: float) -> None:
        """A stream has events up to `seq`, which matters if anything of its client's is watched; news since `since`."""
        if client_id in self._topics_of:
            self.backlog.note(stream_id, client_id, seq, since)
