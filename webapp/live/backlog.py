"""Which streams have events that watchers have not been sent, and how far each was rendered."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from itertools import chain, islice
from math import ceil
from uuid import UUID

MAX_TRIES = 3
FIRST_PAUSE_SECONDS = 0.2
MAX_STREAMS_KNOWN = 50_000


@dataclass
class Due:
    """A stream whose events up to `seq` are to be rendered. All of them were committed after `since`."""

    client_id: UUID
    seq: int
    since: float
    not_before: float = 0.0
    tries: int = 0


class Backlog:
    """Streams in the order in which they fell due. Many events of one stream are one entry. What was taken is at hand
    until it is finished, dropped or postponed; events that come meanwhile fall due anew.

    `pause_seconds`: a stream that was just rendered rests for so long; and streams fall due together, twice in that
    time, since many at once cost little more than one.
    """

    def __init__(self, pause_seconds: float = 0.0) -> None:
        self._pause_seconds = pause_seconds
        self._rests_until: dict[int, float] = {}
        self._due: OrderedDict[int, Due] = OrderedDict()
        self._at_hand: dict[int, Due] = {}
        self._done: OrderedDict[int, int] = OrderedDict()

    def note(self, stream_id: int, client_id: UUID, seq: int, since: float) -> None:
        """The stream has events up to `seq`; those that are news came after `since`. Old news changes nothing."""
        at_hand, due = self._at_hand.get(stream_id), self._due.get(stream_id)
        if seq <= (at_hand.seq if at_hand else self._done.get(stream_id, -1)):
            return
        if due is None:
            self._due[stream_id] = Due(client_id, seq, since, not_before=self._when(stream_id))
        else:
            due.seq = max(due.seq, seq)

    def _when(self, stream_id: int) -> float:
        if not self._pause_seconds:
            return 0.0
        step = self._pause_seconds / 2
        return ceil(max(time.monotonic(), self._rests_until.get(stream_id, 0.0)) / step) * step

    def take(self, now: float, most: int) -> tuple[UUID, list[int]] | None:
        """What has waited longest, and with it what else of the same client may be rendered now: all of it is at hand
        from now on."""
        ready = ((stream_id, due) for stream_id, due in self._due.items() if due.not_before <= now)
        first = next(ready, None)
        if first is None:
            return None
        client_id = first[1].client_id
        others = (stream_id for stream_id, due in ready if due.client_id == client_id)
        taken = [first[0], *islice(others, most - 1)]
        self._at_hand |= {stream_id: self._due.pop(stream_id) for stream_id in taken}
        return client_id, taken

    def is_at_hand(self, stream_id: int) -> bool:
        """Whether it was taken, and somebody still waits for it."""
        return stream_id in self._at_hand

    def span(self, stream_id: int, seq: int) -> tuple[int, int]:
        """What is to be rendered of a stream at hand that stands at `seq`: its events after the first
        number up to the second.

        The first is 0 if nothing is known of the stream. Never more than was noted, even if it has grown since: who
        came to watch meanwhile counts on what follows.
        """
        return self._done.get(stream_id, 0), min(seq, self._at_hand[stream_id].seq)

    def finish(self, stream_id: int, seq: int) -> None:
        """The stream at hand was rendered up to `seq`; if more was noted when it was taken, it was not so."""
        del self._at_hand[stream_id]
        self._done[stream_id] = seq
        self._done.move_to_end(stream_id)
        if self._pause_seconds:
            if len(self._rests_until) > MAX_STREAMS_KNOWN:
                self._rests_until.clear()
            self._rests_until[stream_id] = time.monotonic() + self._pause_seconds
            if stream_id in self._due:
                self._due[stream_id].not_before = self._when(stream_id)
        if len(self._done) > MAX_STREAMS_KNOWN:
            self._done.popitem(last=False)

    def drop(self, stream_id: int) -> None:
        """There is no such stream."""
        del self._at_hand[stream_id]

    def postpone(self, stream_id: int, seq: int) -> UUID | None:
        """The stream at hand cannot be rendered up to `seq` now; others go first. Gives its client if it was tried
        often enough: then it is taken for done."""
        due = self._at_hand[stream_id]
        due.tries += 1
        if due.tries >= MAX_TRIES:
            self.finish(stream_id, seq)
            return due.client_id
        due.not_before = time.monotonic() + FIRST_PAUSE_SECONDS * 2 ** (due.tries - 1)
        self._put_back(stream_id)
        self._due.move_to_end(stream_id)
        return None

    def _put_back(self, stream_id: int) -> None:
        due, newer = self._at_hand.pop(stream_id), self._due.get(stream_id)
        if newer is not None:
            due.seq = newer.seq
        self._due[stream_id] = due

    def sit_out(self, pause_seconds: float) -> None:
        """Nothing can be rendered for a moment; nothing is at hand then, and nothing is forgotten."""
        for stream_id in [*self._at_hand]:
            self._put_back(stream_id)
        for due in self._due.values():
            due.not_before = time.monotonic() + pause_seconds

    def forget(self, client_id: UUID | None = None) -> None:
        """Nobody of this client (of any, without one) watches any more."""
        if client_id is None:
            self._due.clear()
            self._at_hand.clear()
            self._done.clear()
        for waiting in (self._due, self._at_hand):
            for stream_id in [stream_id for stream_id, due in waiting.items() if due.client_id == client_id]:
                del waiting[stream_id]

    def next_at(self) -> float | None:
        """When something may be taken, or None if nothing is due."""
        return min((due.not_before for due in self._due.values()), default=None)

    def waits_since(self) -> float | None:
        """A time before all that waits, or is at hand, was committed, or None."""
        return min((due.since for due in chain(self._at_hand.values(), self._due.values())), default=None)
