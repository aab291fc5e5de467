"""The hub's picture of who watches what: viewers (one browser socket each) and topics."""

import contextlib
import os
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from uuid import UUID

from webapp.live import websocket
from webapp.live.frames import Watcher
from webapp.live.wire import Piece

MAX_WAITING_BYTES = 256 * 1024
"""What may wait for a slow browser before it is dropped; it comes back for the state."""

MAX_HELD = 1000
"""How many deliveries may wait for a state. They are shared by all who wait, so this bounds no memory of its own."""

MAX_KEYS = 5000
"""How many keys of a topic are remembered. What was forgotten is merely not checked any more."""

MAX_MESSAGE_BYTES = 4096
"""The longest message a browser may send; whatever it says is ignored."""

MAX_HEARD_BYTES = 16 * 1024
"""What a browser may send between two ticks; each read counts as 64 bytes at least."""

_READ_BYTES = 8192

Encoded = list[tuple[str, int, bytes]]
"""Pieces as they go out: key, seq, websocket frame."""


def encode(pieces: Iterable[Piece]) -> Encoded:
    """The pieces as websocket frames, made once for all viewers."""
    return [(piece.key, piece.seq, websocket.frame(piece.html)) for piece in pieces]


class Topic:
    """A topic that somebody watches, and the newest `seq` sent per key.

    Kept by topic, not by viewer: everybody gets the same. A viewer remembers only where the state that it was given is
    ahead, and that only until the topic has caught up.
    """

    __slots__ = ("begun_at", "client_id", "name", "sent", "viewers")

    def __init__(self, name: str, client_id: UUID) -> None:
        self.name = name
        self.client_id = client_id
        self.viewers: set[Viewer] = set()
        self.sent: dict[str, int] = {}
        self.begun_at: float | None = None
        """When the last viewer got a state that is ahead; None once the topic has caught up."""

    def deliver(self, pieces: Sequence[Piece]) -> None:
        """Send what is news to each viewer, or hold it for those that wait for their state."""
        sent = self.sent
        news: Encoded = []
        for key, seq, frame in encode(pieces):
            if seq > sent.get(key, -1):
                sent[key] = seq
                news.append((key, seq, frame))
        if not news:
            return
        if len(sent) > MAX_KEYS:
            for key in list(islice(sent, MAX_KEYS // 2)):
                del sent[key]
        to_all = b"".join([frame for _, _, frame in news])
        size = len(to_all)
        for viewer in self.viewers:
            if viewer.held is not None:
                viewer.hold(self, news)
            elif viewer.ahead:
                viewer.send(viewer.not_seen(self, news))
            elif viewer.outbox is not None or viewer.goodbye:
                viewer.send(to_all)
            else:  # nearly always, so without a call: what its `send` would do
                try:
                    written = os.write(viewer.fd, to_all)
                except OSError:
                    viewer.send(to_all)
                else:
                    if written != size:
                        viewer.keep(to_all[written:])

    def catch_up(self) -> None:
        """All viewers have by now been sent whatever any of them was shown first: let the topic remember it for all."""
        if any(viewer.held is not None for viewer in self.viewers):
            return
        self.begun_at = None
        for viewer in self.viewers:
            ahead = viewer.ahead or {}
            for topic, key in [each for each in ahead if each[0] is self]:
                seq = ahead.pop((topic, key))
                if seq > self.sent.get(key, -1):
                    self.sent[key] = seq
            viewer.ahead = ahead or None


class Viewer:
    """One browser socket.

    Whatever it needs from the loop (to be let go, to be written to later) it asks for by `attention`: nothing is closed
    or forgotten in the middle of a delivery.
    """

    __slots__ = (
        "ahead",
        "attention",
        "broken",
        "fd",
        "goodbye",
        "heard",
        "held",
        "inbox",
        "outbox",
        "silent",
        "topics",
        "watcher",
    )

    def __init__(self, fd: int, watcher: Watcher, topics: tuple[Topic, ...], attention: "list[Viewer]") -> None:
        self.fd = fd
        self.watcher = watcher
        self.topics = topics
        self.attention = attention
        self.inbox: bytearray | None = None
        self.outbox: bytearray | None = None
        self.held: list[tuple[Topic, Encoded]] | None = []
        """What came before the state did; None from then on."""
        self.ahead: dict[tuple[Topic, str], int] | None = None
        """Where the state it was given is newer than what its topics have sent."""
        self.heard = 0
        self.silent = 0
        self.broken = ""
        """Why it must go; empty while it need not."""
        self.goodbye = False
        """A close frame was sent: nothing follows it."""

    # --- out

    def send(self, data: bytes) -> None:
        """Write now what the kernel takes and keep the rest, up to the cap."""
        if self.goodbye:
            return
        if self.outbox is not None:
            self.outbox += data
            if len(self.outbox) > MAX_WAITING_BYTES:
                self.fail("too slow")
            return
        try:
            written = os.write(self.fd, data)
        except BlockingIOError:
            written = 0
        except OSError as error:
            self.fail(f"write: {error.strerror}")
            return
        if written != len(data):
            self.keep(data[written:])

    def keep(self, rest: bytes) -> None:
        """Hold what the kernel did not take until it takes more."""
        self.outbox = bytearray(rest)
        self.attention.append(self)

    def flush(self) -> None:
        """Write what waited, now that the socket takes more."""
        if self.outbox:
            try:
                del self.outbox[: os.write(self.fd, self.outbox)]
            except BlockingIOError:
                return
            except OSError as error:
                self.fail(f"write: {error.strerror}")
                return
        if not self.outbox:
            self.outbox = None
            self.attention.append(self)

    def close(self, code: int, reason: str) -> None:
        """Say good-bye. The socket is let go when the browser has answered, or after a moment."""
        if not self.goodbye:
            self.held = None
            self.send(websocket.close_frame(code, reason))
            self.goodbye = True
            self.attention.append(self)

    def fail(self, why: str) -> None:
        """It must go without another word."""
        self.broken = self.broken or why
        self.attention.append(self)

    # --- state

    def hold(self, topic: Topic, news: Encoded) -> None:
        """Keep what came before the state did."""
        if self.held is not None:
            self.held.append((topic, news))
            if len(self.held) > MAX_HELD:
                self.fail("too much while waiting for the state")

    def begin(self, state: dict[str, list[Piece]], greeting: bytes) -> None:
        """Send the state, then what was held and is newer; from now on deliver directly."""
        held, self.held = self.held or [], None
        out, ahead = [], {}
        for topic in self.topics:
            for key, seq, frame in encode(state.get(topic.name, ())):
                ahead[topic, key] = seq
                out.append(frame)
        self.ahead = ahead
        out += [self.not_seen(topic, news) for topic, news in held]
        out.append(greeting)
        self.ahead = {(topic, key): seq for (topic, key), seq in ahead.items() if seq > topic.sent.get(key, -1)} or None
        for topic, _ in self.ahead or ():
            topic.begun_at = time.monotonic()
        self.send(b"".join(out))

    def not_seen(self, topic: Topic, news: Encoded) -> bytes:
        """Those of the topic's news that are above what this viewer's state showed."""
        ahead = self.ahead or {}
        out = []
        for key, seq, frame in news:
            shown = ahead.get((topic, key), -1)
            if seq > shown:
                out.append(frame)
            if seq >= shown:
                ahead.pop((topic, key), None)
        return b"".join(out)

    # --- in

    def listen(self) -> None:
        """Read what the browser says: pongs, pings, a close. Anything else is dropped, a flood ends the socket."""
        try:
            data = os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(f"read: {error.strerror}")
            return
        if not data:
            self.fail("gone")
            return
        self.silent = 0
        self.heard += max(64, len(data))
        inbox = self.inbox if self.inbox is not None else bytearray()
        inbox += data
        try:
            if self.heard > MAX_HEARD_BYTES:
                raise websocket.ProtocolError(websocket.POLICY_VIOLATION, "the socket only listens")
            for opcode, payload in websocket.take_frames(inbox, MAX_MESSAGE_BYTES):
                self._answer(opcode, payload)
        except websocket.ProtocolError as error:
            if self.goodbye:
                self.fail(str(error))
            self.close(error.code, str(error))
            inbox.clear()
        self.inbox = inbox or None

    def _answer(self, opcode: int, payload: bytes) -> None:
        if opcode == websocket.CLOSE:
            if not self.goodbye:
                self.close(websocket.NORMAL, "")
            self.fail("closed")
        elif opcode == websocket.PING:
            self.send(websocket.frame(payload, websocket.PONG))


def adopt(fd: int) -> None:
    """Make a socket that came from elsewhere ours: never blocking, no waiting to fill packets, no lingering."""
    os.set_blocking(fd, False)
    os.set_inheritable(fd, False)
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fd)) as sock:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A peer that vanished without a word is found by the kernel before its buffer fills.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, struct.pack("I", 30_000))
