"""The hub: one process, one loop, every live socket of the machine (`python -m webapp.live.hub`).

The web process signs people in and hands their sockets over; the renderer hands fragments over; the hub joins the two
and does nothing else. It has no database and no Flask, so that nothing can hold a push up.

What a browser is told beside fragments are marks: HTML comments, which htmx swaps into nothing. One follows the state,
one goes out at every tick, and one at once when the truth changes.
"""

import argparse
import contextlib
import gc
import logging
import os
import resource
import select
import signal
import socket
import time
from pathlib import Path
from types import FrameType

from webapp import logs, metrics, pulse
from webapp.live import websocket, wire
from webapp.live.audience import Audience, Limits
from webapp.live.links import Link
from webapp.live.viewers import Topic

log = logging.getLogger(__name__)

MARK_LIVE = websocket.frame(b"<!--live-->")
MARK_STALE = websocket.frame(b"<!--stale-->")

STEP_SECONDS = 0.2
PRESENT_SECONDS = 3.0
"""How often the renderer is told whose sockets there are, to check their sessions."""
STALE_SECONDS = 3.0
"""When pages may lack what is older than this, they are told that they are stale."""
RENDERER_SECONDS = 15.0
"""A renderer that says nothing for this long is taken for dead."""
STOP_SECONDS = 0.4
"""How long a hub that ends waits for browsers to answer its good-bye."""


class Hub:
    """Owns the sockets. Everything happens in `run`'s thread."""

    def __init__(self, listener: socket.socket, limits: Limits | None = None) -> None:
        self._listener = listener
        self._epoll = select.epoll()
        self._links: dict[int, Link] = {}
        self._renderer: Link | None = None
        self._renderer_heard = 0.0
        self._as_of = -STALE_SECONDS
        """What was committed before this time was sent to all who watched then."""
        self._stale = True
        self._present_at = 0.0
        self._step_at = time.monotonic()
        self._stop_at: float | None = None
        self._deliveries = 0
        self.audience = Audience(self._epoll, limits or Limits(), self._on_topic)
        listener.setblocking(False)
        self._epoll.register(listener.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Serve until `stop` is called; then say good-bye to everybody, so that they come back to the next hub."""
        while self._stop_at is None:
            self._turn()
        self.audience.close(websocket.SERVICE_RESTART, "the server restarts")
        while self.audience.viewers and time.monotonic() < self._stop_at:
            self._turn()
        for fd in self.audience.viewers:
            os.close(fd)
        for link in self._links.values():
            link.close()
        self._epoll.close()
        self._listener.close()

    def stop(self) -> None:
        """End `run` soon. May be called from a signal handler."""
        self._stop_at = time.monotonic() + STOP_SECONDS

    def _turn(self) -> None:
        pause = self._step_at + STEP_SECONDS - time.monotonic()
        for fd, mask in self._epoll.poll(max(pause, 0)):
            self._handle(fd, mask)
            if self.audience.attention:
                self.audience.attend()
        now = time.monotonic()
        if now - self._step_at >= STEP_SECONDS:
            self._step(now)

    def _handle(self, fd: int, mask: int) -> None:
        viewer = self.audience.viewers.get(fd)
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
            with contextlib.suppress(OSError):  # gone again, or too many open files: the others go on
                link = Link(self._listener.accept()[0])
                self._links[link.fd] = link
                self._epoll.register(link.fd, select.EPOLLIN)

    # --- links

    def _read(self, link: Link) -> None:
        alive = link.receive()
        try:
            for message in wire.take_messages(link.inbox):
                self._obey(link, message)
        except wire.BadMessage as error:
            log.warning("hub_message_bad", extra={"reason": str(error)})
            alive = False
        if not alive:
            self._unlink(link)

    def _obey(self, link: Link, message: wire.AnyMessage) -> None:
        if isinstance(message, wire.Handover):
            self._take(link, message)
        elif isinstance(message, wire.State):
            if link.viewer is not None and link.viewer.held is not None:
                link.viewer.begin(message.topics, self._mark())
        elif isinstance(message, wire.Hello):
            self._welcome(link)
        elif link is not self._renderer:
            raise wire.BadMessage(f"{type(message).__name__} from somebody who is not the renderer")
        elif isinstance(message, wire.Frames):
            topic = self.audience.topics.get(message.topic)
            if topic is not None:
                topic.deliver(message.pieces)
                self._deliveries += len(topic.viewers) * len(message.pieces)
        elif isinstance(message, wire.Alive):
            self._renderer_heard = time.monotonic()
            if message.as_of > self._as_of:
                self._as_of = message.as_of
                self._tell_truth()
                self.audience.catch_up(self._as_of)
        elif isinstance(message, wire.Revoke):
            over = set(message.sessions)
            self.audience.close(websocket.SERVICE_RESTART, "ask again", lambda each: each.watcher.session_id in over)
        elif isinstance(message, wire.Reset):
            client_id = message.client_id
            self.audience.close(
                websocket.SERVICE_RESTART, "come back for the state", lambda each: each.watcher.client_id == client_id
            )
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
            log.warning("renderer_lost", extra={"sockets": len(self.audience.viewers)})
            self._renderer = None
            self.audience.close(websocket.SERVICE_RESTART, "no renderer")

    # --- the web's sockets

    def _take(self, link: Link, message: wire.Handover) -> None:
        if link.viewer is not None or not link.handed:
            raise wire.BadMessage("a handover brings one socket, once")
        refusal = self.audience.refuses(message.watcher, message.topics)
        if self._renderer is None or self._stop_at is not None:
            refusal = websocket.TRY_AGAIN_LATER, "not ready"
        if refusal:
            self._tell(link, wire.Refused(*refusal))
        else:
            link.viewer = self.audience.admit(link.handed.pop(0), message.watcher, message.topics)
            self._tell(link, wire.Taken())

    # --- the renderer

    def _welcome(self, link: Link) -> None:
        if self._renderer is not None:
            self._tell(link, wire.Busy())
            return
        self._renderer, link.hands = link, False
        self._renderer_heard = time.monotonic()
        self._tell(link, wire.Welcome())
        log.info("renderer_connected")

    def _on_topic(self, topic: Topic, is_watched: bool) -> None:
        if self._renderer is not None:
            kind = wire.Watch if is_watched else wire.Unwatch
            self._tell(self._renderer, kind(topic.name, topic.client_id))

    def _mark(self) -> bytes:
        return MARK_STALE if self._stale else MARK_LIVE

    def _tell_truth(self) -> None:
        """Tell everybody at once when fresh turns stale or stale turns fresh."""
        stale = time.monotonic() - self._as_of > STALE_SECONDS
        if stale != self._stale:
            self._stale = stale
            level = logging.WARNING if stale else logging.INFO
            log.log(level, "pages_stale" if stale else "pages_live", extra={"sockets": len(self.audience.viewers)})
            self.audience.tell(self._mark())

    def _step(self, now: float) -> None:
        """What time brings, a few times a second."""
        elapsed, self._step_at = now - self._step_at, now
        self.audience.step(now, elapsed, self._mark())
        self._tell_truth()
        metrics.SOCKETS.set(len(self.audience.viewers))
        metrics.DELIVERIES.inc(self._deliveries)
        self._deliveries = 0
        if self._renderer is None:
            return
        if now - self._renderer_heard > RENDERER_SECONDS:
            log.error("renderer_hangs")
            self._unlink(self._renderer)
        elif now - self._present_at > PRESENT_SECONDS:
            self._present_at = now
            watchers = (viewer.watcher for viewer in self.audience.viewers.values())
            held = {(watcher.session_id, watcher.client_id) for watcher in watchers}
            self._tell(self._renderer, wire.Present(sorted(held)))


def main() -> None:
    """Run the hub as the environment says, until SIGTERM or SIGINT."""
    env = os.environ
    parser = argparse.ArgumentParser(prog="python -m webapp.live.hub", description="Holds the sockets of live pages.")
    parser.add_argument("--var", type=Path, default=Path(env.get("LOTLINE_VAR", "var")), help="folder of run/hub.sock")
    parser.add_argument("--sockets", type=int, default=env.get("LOTLINE_SOCKETS", Limits.sockets))
    parser.add_argument(
        "--sockets-per-user", type=int, default=env.get("LOTLINE_SOCKETS_PER_USER", Limits.sockets_per_user)
    )
    options = parser.parse_args()
    logs.configure("hub")
    pulse.start()
    path = wire.socket_path(options.var.resolve())
    try:
        listener = wire.listen(path)
    except OSError as error:
        parser.exit(1, f"hub: {error.strerror or error}\n")
    ours = path.stat().st_ino
    hub = Hub(listener, Limits(min(options.sockets, _raise_file_limit() - 64), options.sockets_per_user))

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        hub.stop()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    gc.freeze()  # what is there now stays, and need not be looked through again and again
    gc.set_threshold(50_000)
    log.info("hub_listens", extra={"path": str(path)})
    try:
        hub.run()
    finally:
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_ino == ours:  # else the next hub has its address there already
                path.unlink()


def _raise_file_limit() -> int:
    """As many descriptors as we may have: each socket is one."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 1_048_576
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


if __name__ == "__main__":
    main()
