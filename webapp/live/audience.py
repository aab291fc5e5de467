"""All viewers of a hub: let in, counted, ticked, and let go where nothing is in the middle of something."""

import os
import select
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from webapp.live import websocket
from webapp.live.frames import Watcher
from webapp.live.viewers import Topic, Viewer, adopt

PING = websocket.frame(b"", websocket.PING)

TICK_SECONDS = 10.0
"""Each viewer gets a mark and a ping this often: the mark for the page, which cannot see pings, the ping for us."""
MAX_SILENT_TICKS = 3
STATE_SECONDS = 5.0
"""How long a socket waits for its state."""
GOODBYE_SECONDS = 2.0
"""How long a browser has to answer a close frame."""


@dataclass(frozen=True)
class Limits:
    """How many sockets, and topics for each."""

    sockets: int = 10_000
    sockets_per_user: int = 20
    topics: int = 8


class Audience:
    """The viewers and what they watch. `on_topic(topic, is_watched)` hears of the first and the last of each topic."""

    def __init__(self, epoll: select.epoll, limits: Limits, on_topic: Callable[[Topic, bool], None]) -> None:
        self.viewers: dict[int, Viewer] = {}
        self.topics: dict[str, Topic] = {}
        self._epoll = epoll
        self._limits = limits
        self._on_topic = on_topic
        self._per_user: Counter[UUID] = Counter()
        self.attention: list[Viewer] = []
        """Who wants `attend`."""
        self._round: deque[Viewer] = deque()
        self._ticks_owed = 0.0
        self._waiting: deque[tuple[float, Viewer]] = deque()
        self._leaving: deque[tuple[float, Viewer]] = deque()

    def refuses(self, watcher: Watcher, names: Sequence[str]) -> tuple[int, str] | None:
        """Close code and reason if there is no room for this one."""
        if not 0 < len(set(names)) <= self._limits.topics:
            return websocket.POLICY_VIOLATION, "too many topics, or none"
        if len(self.viewers) >= self._limits.sockets:
            return websocket.TRY_AGAIN_LATER, "too many sockets"
        if self._per_user[watcher.user_id] >= self._limits.sockets_per_user:
            return websocket.TRY_AGAIN_LATER, "too many sockets of this user"
        return None

    def admit(self, fd: int, watcher: Watcher, names: Iterable[str]) -> Viewer:
        """Own the socket from now on; it watches the topics and waits for its state."""
        adopt(fd)
        topics = tuple(self._topic(name, watcher.client_id) for name in sorted(set(names)))
        viewer = Viewer(fd, watcher, topics, self.attention)
        for topic in topics:
            topic.viewers.add(viewer)
        self.viewers[fd] = viewer
        self._per_user[watcher.user_id] += 1
        self._epoll.register(fd, select.EPOLLIN)
        self._waiting.append((time.monotonic() + STATE_SECONDS, viewer))
        self._round.append(viewer)
        return viewer

    def close(self, code: int, why: str, which: Callable[[Viewer], bool] = lambda _: True) -> None:
        """Say good-bye to all viewers that are meant."""
        for viewer in self.viewers.values():
            if which(viewer):
                viewer.close(code, why)
        self.attend()

    def tell(self, mark: bytes) -> None:
        """Send a mark to all that have their state."""
        for viewer in self.viewers.values():
            if viewer.held is None:
                viewer.send(mark)
        self.attend()

    def catch_up(self, as_of: float) -> None:
        """All that was committed before `as_of` was sent, so also what states given by then showed: forget, viewer by
        viewer, what is the same for all viewers of a topic."""
        for topic in self.topics.values():
            if topic.begun_at is not None and topic.begun_at < as_of:
                topic.catch_up()

    def attend(self) -> None:
        """Do for viewers what they could not do in the middle of something. Call it after each thing done."""
        while self.attention:
            attention, self.attention[:] = list(self.attention), ()
            for viewer in attention:
                if self.viewers.get(viewer.fd) is viewer:
                    self._attend_to(viewer)

    def step(self, now: float, elapsed_seconds: float, mark: bytes) -> None:
        """A share of the ticks, and whatever is due."""
        self._ticks_owed += len(self._round) * elapsed_seconds / TICK_SECONDS
        count = min(int(self._ticks_owed), len(self._round))
        self._ticks_owed = self._ticks_owed - count if self._round else 0.0
        self._tick(count, mark + PING)
        for viewer in _due(self._waiting, now):
            if viewer.held is not None:
                viewer.close(websocket.SERVICE_RESTART, "no state")
        for viewer in _due(self._leaving, now):
            viewer.fail("left")
        self.attend()

    def _topic(self, name: str, client_id: UUID) -> Topic:
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = Topic(name, client_id)
            self._on_topic(topic, True)
        return topic

    def _attend_to(self, viewer: Viewer) -> None:
        if viewer.broken:
            self._leave(viewer)
            self._epoll.unregister(viewer.fd)
            del self.viewers[viewer.fd]
            os.close(viewer.fd)
            return
        self._epoll.modify(viewer.fd, select.EPOLLIN | (select.EPOLLOUT if viewer.outbox else 0))
        if viewer.goodbye and viewer.topics:
            self._leave(viewer)
            self._leaving.append((time.monotonic() + GOODBYE_SECONDS, viewer))

    def _leave(self, viewer: Viewer) -> None:
        """It watches nothing from now on, and counts no more; its socket may live a moment longer."""
        topics, viewer.topics, viewer.held, viewer.goodbye = viewer.topics, (), None, True
        if not topics:
            return
        user_id = viewer.watcher.user_id
        self._per_user[user_id] -= 1
        if not self._per_user[user_id]:
            del self._per_user[user_id]
        for topic in topics:
            topic.viewers.discard(viewer)
            if not topic.viewers:
                del self.topics[topic.name]
                self._on_topic(topic, False)

    def _tick(self, count: int, beat: bytes) -> None:
        for viewer in list(islice(self._round, count)):
            self._round.popleft()
            if self.viewers.get(viewer.fd) is not viewer:
                continue
            self._round.append(viewer)
            viewer.heard = 0
            viewer.silent += 1
            if viewer.silent > MAX_SILENT_TICKS:
                viewer.fail("silent")
            elif viewer.held is None:
                viewer.send(beat)


def _due(queue: deque[tuple[float, Viewer]], now: float) -> Iterator[Viewer]:
    """Take those off the front whose time has come; deadlines were appended in order."""
    while queue and queue[0][0] <= now:
        yield queue.popleft()[1]
