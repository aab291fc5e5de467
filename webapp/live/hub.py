"""The hub: one process, one loop, every live socket of the machine (`python -m webapp.live.hub`).

The web process signs people in and hands their sockets over; the renderer hands fragments over; the hub joins the two
and does nothing else. It has no database and no Flask, so that nothing can hold a push up.

What a browser is told beside fragments are marks: HTML comments, which htmx swaps into nothing. One follows the state,
one goes out at every tick, and one at once when the truth changes.
"""

import argparse
import contextlib
import logging
import os
import resource
import select
import signal
import socket
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import FrameType
from uuid import UUID

from webapp.live import websocket, wire
from webapp.live.viewers import Topic, Viewer, adopt

log = logging.getLogger(__name__)

MARK_LIVE = websocket.frame(b"<!--live-->")
MARK_STALE = websocket.frame(b"<!--stale-->")
PING = websocket.frame(b"", websocket.PING)

STEP_SECONDS = 0.2
TICK_SECONDS = 10.0
"""Each viewer gets a mark and a ping this often: the mark for the page, which cannot see pings, the ping for us."""
MAX_SILENT_TICKS = 3
STATE_SECONDS = 5.0
"""How long a socket waits for its state."""
GOODBYE_SECONDS = 2.0
PRESENT_SECONDS = 3.0
STALE_SECONDS = 3.0
"""Without a sign of fresh data for this long, pages are told that they are stale."""
RENDERER_SECONDS = 15.0
"""A renderer that says nothing for this long is taken for dead."""

_READ_BYTES = 64 * 1024


@dataclass(frozen=True)
class Limits:
    """How many sockets, and topics for each."""

    sockets: int = 10_000
    sockets_per_user: int = 20
    topics: int = 8


class Link:
    """A connection from a web process (one per handover) or from the renderer."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.fd = connection.fileno()
        self.inbox = bytearray()
        self.outbox = bytearray()
        self.handed: list[int] = []
        """Descriptors that came along and nobody owns yet."""
        self.hands = True
        """Whether descriptors may come: not from the renderer, and asking for them costs."""
        self.viewer: Viewer | None = None
        """The socket that this web process owes a state."""

    def receive(self) -> bool:
        """Read what is there; False once the other side is gone."""
        try:
            if self.hands:
                data, fds, _flags, _address = socket.recv_fds(self.connection, _READ_BYTES, 4)
                self.handed += fds
            else:
                data = os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.inbox += data
        return bool(data)

    def send(self, message: wire.AnyMessage) -> bool:
        """Write now what the kernel takes; False if something has to wait."""
        self.outbox += wire.pack(message)
        return self.flush()

    def flush(self) -> bool:
        """Write what waits; False if something still has to."""
        if self.outbox:
            with contextlib.suppress(OSError):  # a dead peer shows when it is read
                del self.outbox[: os.write(self.fd, self.outbox)]
        return not self.outbox

    def close(self) -> None:
        """Let the connection go, and what came along and was not taken."""
        for fd in self.handed:
            os.close(fd)
        self.handed.clear()
        self.connection.close()


class Hub:
    """Owns the sockets. Everything happens in `run`'s thread."""

    def __init__(self, listener: socket.socket, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.topics: dict[str, Topic] = {}
        self._listener = listener
        self._epoll = select.epoll()
        self._links: dict[int, Link] = {}
        self._viewers: dict[int, Viewer] = {}
        self._per_user: Counter[UUID] = Counter()
        self._attention: list[Viewer] = []
        self._round: deque[Viewer] = deque()
        self._waiting: deque[tuple[float, Viewer]] = deque()
        self._leaving: deque[tuple[float, Viewer]] = deque()
        self._renderer: Link | None = None
        self._renderer_heard = 0.0
        self._fresh_at = -STALE_SECONDS
        self._stale = True
        self._present_at = 0.0
        self._step_at = time.monotonic()
        self._ticks_owed = 0.0
        self._stop_at: float | None = None
        listener.setblocking(False)
        self._epoll.register(listener.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Serve until `stop` is called; then say good-bye to everybody, so that they come back to the next hub."""
        while self._stop_at is None:
            self._turn()
        self._close_all("the server restarts")
        while self._viewers and time.monotonic() < self._stop_at:
            self._turn()
        for fd in self._viewers:
            os.close(fd)
        for link in self._links.values():
            link.close()
        self._listener.close()

    def stop(self) -> None:
        """End `run` soon. May be called from a signal handler."""
        self._stop_at = time.monotonic() + GOODBYE_SECONDS

    def _turn(self) -> None:
        pause = self._step_at + STEP_SECONDS - time.monotonic()
        for fd, mask in self._epoll.poll(max(pause, 0)):
            self._handle(fd, mask)
            if self._attention:
                self._attend()
        now = time.monotonic()
        if now - self._step_at >= STEP_SECONDS:
            self._step(now)

    def _handle(self, fd: int, mask: int) -> None:
        viewer = self._viewers.get(fd)
        if viewer is not None:
            if mask & select.EPOLLOUT:
                viewer.flush()
            if mask & ~select.EPOLLOUT:
                viewer.listen()
            return
        link = self._links.get(fd)
        if link is not None:
            if mask & select.EPOLLOUT:
                self._flushed(link, link.flush())
            if mask & ~select.EPOLLOUT:
                self._read(link)
        elif fd == self._listener.fileno():
            self._accept()

    # --- links

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            link = Link(connection)
            self._links[link.fd] = link
            self._epoll.register(link.fd, select.EPOLLIN)

    def _read(self, link: Link) -> None:
        alive = link.receive()
        try:
            for message in wire.take_messages(link.inbox):
                self._obey(link, message)
        except wire.BadMessage as error:
            log.warning("bad message on the hub's socket", extra={"error": str(error)})
            alive = False
        if not alive:
            self._unlink(link)

    def _obey(self, link: Link, message: wire.AnyMessage) -> None:
        if isinstance(message, wire.Handover):
            self._take(link, message)
        elif isinstance(message, wire.State):
            self._begin(link, message)
        elif isinstance(message, wire.Hello):
            self._welcome(link)
        elif link is not self._renderer:
            raise wire.BadMessage(f"{type(message).__name__} from somebody who is not the renderer")
        elif isinstance(message, wire.Frames):
            topic = self.topics.get(message.topic)
            if topic is not None:
                topic.deliver(message.pieces)
        elif isinstance(message, wire.Alive):
            self._renderer_heard = time.monotonic()
            if message.fresh:
                self._fresh_at = self._renderer_heard
                self._mark()
        elif isinstance(message, wire.Revoke):
            over = set(message.sessions)
            for viewer in self._viewers.values():
                if viewer.watcher.session_id in over:
                    viewer.close(websocket.SERVICE_RESTART, "ask again")
        elif isinstance(message, wire.Reset):
            for viewer in self._viewers.values():
                if viewer.watcher.client_id == message.client_id:
                    viewer.close(websocket.SERVICE_RESTART, "come back for the state")
        else:
            raise wire.BadMessage(f"{type(message).__name__} is not for the hub")

    def _tell(self, link: Link, message: wire.AnyMessage) -> None:
        self._flushed(link, link.send(message))

    def _flushed(self, link: Link, done: bool) -> None:
        self._epoll.modify(link.fd, select.EPOLLIN if done else select.EPOLLIN | select.EPOLLOUT)

    def _unlink(self, link: Link) -> None:
        self._epoll.unregister(link.fd)
        del self._links[link.fd]
        link.close()
        if link.viewer is not None and link.viewer.held is not None:
            link.viewer.close(websocket.SERVICE_RESTART, "no state")
        if link is self._renderer:
            log.warning("renderer lost", extra={"sockets": len(self._viewers)})
            self._renderer = None
            self._close_all("no renderer")

    # --- the renderer

    def _welcome(self, link: Link) -> None:
        if self._renderer is not None:
            self._tell(link, wire.Busy())
            return
        self._renderer, link.hands = link, False
        self._renderer_heard = time.monotonic()
        self._tell(link, wire.Welcome())
        log.info("renderer connected")

    def _mark(self) -> None:
        """Tell everybody at once when fresh turns stale or stale turns fresh."""
        stale = time.monotonic() - self._fresh_at > STALE_SECONDS
        if stale != self._stale:
            self._stale = stale
            log.warning("pages are %s", "stale" if stale else "live", extra={"sockets": len(self._viewers)})
            for viewer in self._viewers.values():
                if viewer.held is None:
                    viewer.send(self._greeting())

    def _greeting(self) -> bytes:
        return MARK_STALE if self._stale else MARK_LIVE

    # --- viewers

    def _take(self, link: Link, message: wire.Handover) -> None:
        if link.viewer is not None or not link.handed:
            raise wire.BadMessage("a handover brings one socket, once")
        watcher = message.watcher
        if self._renderer is None or self._stop_at is not None:
            refused = wire.Refused(websocket.TRY_AGAIN_LATER, "not ready")
        elif len(self._viewers) >= self.limits.sockets:
            refused = wire.Refused(websocket.TRY_AGAIN_LATER, "too many sockets")
        elif self._per_user[watcher.user_id] >= self.limits.sockets_per_user:
            refused = wire.Refused(websocket.TRY_AGAIN_LATER, "too many sockets of this user")
        elif not 0 < len(set(message.topics)) <= self.limits.topics:
            refused = wire.Refused(websocket.POLICY_VIOLATION, "too many topics, or none")
        else:
            link.viewer = self._hold(link.handed.pop(0), message)
            self._tell(link, wire.Taken())
            return
        self._tell(link, refused)

    def _hold(self, fd: int, message: wire.Handover) -> Viewer:
        adopt(fd)
        topics = tuple(self._topic(name, message.watcher.client_id) for name in sorted(set(message.topics)))
        viewer = Viewer(fd, message.watcher, topics, self._attention)
        for topic in topics:
            topic.viewers.add(viewer)
        self._viewers[fd] = viewer
        self._per_user[message.watcher.user_id] += 1
        self._epoll.register(fd, select.EPOLLIN)
        self._waiting.append((time.monotonic() + STATE_SECONDS, viewer))
        self._round.append(viewer)
        return viewer

    def _topic(self, name: str, client_id: UUID) -> Topic:
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = Topic(name, client_id)
            if self._renderer is not None:
                self._tell(self._renderer, wire.Watch(name, client_id))
        return topic

    def _begin(self, link: Link, message: wire.State) -> None:
        viewer = link.viewer
        if viewer is not None and viewer.held is not None:
            viewer.begin(message.topics, self._greeting())

    def _attend(self) -> None:
        """Do for viewers what they could not do in the middle of something."""
        attention, self._attention[:] = list(self._attention), ()
        for viewer in attention:
            if self._viewers.get(viewer.fd) is not viewer:
                continue
            if viewer.broken:
                self._leave(viewer)
                self._epoll.unregister(viewer.fd)
                del self._viewers[viewer.fd]
                os.close(viewer.fd)
                continue
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
                if self._renderer is not None:
                    self._tell(self._renderer, wire.Unwatch(topic.name, topic.client_id))

    def _close_all(self, why: str) -> None:
        for viewer in self._viewers.values():
            viewer.close(websocket.SERVICE_RESTART, why)
        self._attend()

    # --- time

    def _step(self, now: float) -> None:
        """Ten times a second: a share of the ticks, and whatever is due."""
        elapsed, self._step_at = now - self._step_at, now
        self._ticks_owed += len(self._round) * elapsed / TICK_SECONDS
        due = min(int(self._ticks_owed), len(self._round))
        self._ticks_owed = self._ticks_owed - due if self._round else 0.0
        self._tick(due)
        for viewer in _due(self._waiting, now):
            if viewer.held is not None:
                viewer.close(websocket.SERVICE_RESTART, "no state")
        for viewer in _due(self._leaving, now):
            viewer.fail("left")
        if self._renderer is not None:
            if now - self._renderer_heard > RENDERER_SECONDS:
                log.error("renderer hangs")
                self._unlink(self._renderer)
            elif now - self._present_at > PRESENT_SECONDS:
                self._present_at = now
                sessions = {viewer.watcher.session_id for viewer in self._viewers.values()}
                self._tell(self._renderer, wire.Present(sorted(sessions)))
        self._mark()
        self._attend()

    def _tick(self, count: int) -> None:
        beat = self._greeting() + PING
        for viewer in list(islice(self._round, count)):
            self._round.popleft()
            if self._viewers.get(viewer.fd) is not viewer:
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


def main() -> None:
    """Run the hub as the environment says, until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m webapp.live.hub", description=__doc__)
    env = os.environ
    parser.add_argument("--var", type=Path, default=Path(env.get("LOTLINE_VAR", "var")), help="folder of run/hub.sock")
    parser.add_argument("--sockets", type=int, default=int(env.get("LOTLINE_SOCKETS", Limits.sockets)))
    parser.add_argument(
        "--sockets-per-user", type=int, default=int(env.get("LOTLINE_SOCKETS_PER_USER", Limits.sockets_per_user))
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    path = wire.socket_path(options.var.resolve())
    try:
        listener = wire.listen(path)
    except OSError as error:
        parser.exit(1, f"hub: {error}\n")
    limits = Limits(min(options.sockets, _raise_file_limit() - 64), options.sockets_per_user)
    hub = Hub(listener, limits)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        hub.stop()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    log.info("hub listens", extra={"path": str(path), "sockets": limits.sockets})
    try:
        hub.run()
    finally:
        path.unlink(missing_ok=True)


def _raise_file_limit() -> int:
    """As many descriptors as we may have: each socket is one."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 1_048_576
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


if __name__ == "__main__":
    main()
