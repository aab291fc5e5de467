"""A real hub with real sockets: the two other processes are played by the test, word for word."""

import base64
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest

from webapp.live import wire
from webapp.live.audience import Limits
from webapp.live.frames import Watcher
from webapp.live.hub import Hub
from webapp.live.viewers import Viewer

PATIENCE_SECONDS = 10.0
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Heard(NamedTuple):
    """A frame from the server."""

    opcode: int
    payload: bytes


class Browser:
    """The browser's end of a websocket, byte by byte."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.buffer = b""

    @classmethod
    def open(cls, port: int, path: str, **headers: str) -> "Browser":
        """Handshake with a web server. Raises ConnectionError with the status line if it refuses."""
        connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        lines = {
            "Host": f"127.0.0.1:{port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
            "Origin": f"http://127.0.0.1:{port}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        request = f"GET {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items() if v) + "\r\n"
        connection.sendall(request.encode())
        browser = cls(connection)
        while b"\r\n\r\n" not in browser.buffer:
            data = connection.recv(65536)
            if not data:
                raise ConnectionError("closed in the handshake")
            browser.buffer += data
        browser.head, _, browser.buffer = browser.buffer.partition(b"\r\n\r\n")
        if not browser.head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(browser.head.split(b"\r\n")[0].decode())
        return browser

    head = b""

    def hear(self, timeout: float = PATIENCE_SECONDS) -> Heard:
        """The next frame. Raises EOFError when the server closed, TimeoutError when it says nothing."""
        deadline = time.monotonic() + timeout
        while True:
            frame = self._cut()
            if frame is not None:
                return frame
            if not select.select([self.connection], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise TimeoutError
            data = self.connection.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data

    def texts(self, count: int) -> list[str]:
        """The next texts that are fragments, marks and pings left out."""
        found: list[str] = []
        while len(found) < count:
            frame = self.hear()
            if frame.opcode == TEXT and not frame.payload.startswith(b"<!--"):
                found.append(frame.payload.decode())
            elif frame.opcode == CLOSE:
                raise EOFError(frame.payload)
        return found

    def until_mark(self, mark: str = "live") -> list[str]:
        """Fragments up to the next such mark."""
        found: list[str] = []
        while True:
            frame = self.hear()
            if frame.opcode == CLOSE:
                raise EOFError(frame.payload)
            if frame.payload == f"<!--{mark}-->".encode():
                return found
            if frame.opcode == TEXT and not frame.payload.startswith(b"<!--"):
                found.append(frame.payload.decode())

    def close_code(self) -> int:
        """Skip to the close frame and give its code."""
        while True:
            frame = self.hear()
            if frame.opcode == CLOSE:
                return int(struct.unpack(">H", frame.payload[:2])[0])

    def say(self, payload: bytes, opcode: int = TEXT, *, masked: bool = True, first: int = 0x80) -> None:
        """Send one frame."""
        size = len(payload)
        bit = 0x80 if masked else 0
        head = bytes([first | opcode])
        head += bytes([bit | size]) if size < 126 else bytes([bit | 126]) + struct.pack(">H", size)
        key = os.urandom(4)
        body = bytes(b ^ key[i % 4] for i, b in enumerate(payload)) if masked else payload
        self.connection.sendall(head + (key if masked else b"") + body)

    def close(self) -> None:
        """Go away without a word."""
        self.connection.close()

    def _cut(self) -> Heard | None:
        data = self.buffer
        if len(data) < 2:
            return None
        size, start = data[1] & 0x7F, 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        if len(data) < start + size:
            return None
        self.buffer = data[start + size :]
        return Heard(data[0] & 0x0F, data[start : start + size])


class Peer:
    """A connection to the hub that speaks its language."""

    def __init__(self, path: Path) -> None:
        self.connection = wire.connect(path, PATIENCE_SECONDS)
        self.buffer = bytearray()
        self.ready: list[wire.AnyMessage] = []

    def tell(self, message: wire.AnyMessage, *fds: int) -> None:
        """Send one message."""
        data = wire.pack(message)
        if fds:
            data = data[socket.send_fds(self.connection, [data], list(fds)) :]
        self.connection.sendall(data)

    def hear(self, kind: type) -> wire.AnyMessage:
        """The next message of that kind; `Present` and others in between are skipped."""
        while True:
            while self.ready:
                message = self.ready.pop(0)
                if isinstance(message, kind):
                    return message
            data = self.connection.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data
            self.ready += wire.take_messages(self.buffer)

    def close(self) -> None:
        """Hang up."""
        self.connection.close()


class Stage:
    """A running hub and what a test does with it."""

    def __init__(self, path: Path, hub: Hub, thread: threading.Thread) -> None:
        self.path = path
        self.thread = thread
        self.hub = hub
        self.renderer: Peer | None = None
        self.peers: list[Peer] = []
        self.browsers: list[Browser] = []
        self.client_id = uuid4()
        self.var = path.parent.parent
        """What LOTLINE_VAR must be for others to find this hub."""

    def start_renderer(self) -> Peer:
        """Connect as the renderer."""
        renderer = self.peer()
        renderer.tell(wire.Hello())
        renderer.hear(wire.Welcome)
        renderer.tell(wire.Alive(time.monotonic()))
        self.renderer = renderer
        return renderer

    def peer(self) -> Peer:
        """One more connection to the hub."""
        self.peers.append(Peer(self.path))
        return self.peers[-1]

    def offer(
        self, *topics: str, user: UUID | None = None, session: UUID | None = None, client: UUID | None = None
    ) -> tuple[Browser, Peer, wire.AnyMessage]:
        """Hand a socket over, without a state yet: the browser, the web process, the hub's answer."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            browser_end = socket.create_connection(server.getsockname(), timeout=PATIENCE_SECONDS)
            server_end, _ = server.accept()
        watcher = Watcher(session or uuid4(), client or self.client_id, user or uuid4())
        web = self.peer()
        web.tell(wire.Handover(watcher, topics), server_end.fileno())
        answer = web.hear(wire.Taken | wire.Refused)  # type: ignore[arg-type]
        server_end.close()
        browser = Browser(browser_end)
        self.browsers.append(browser)
        return browser, web, answer

    def watch(self, *topics: str, state: dict[str, list[wire.Piece]] | None = None, **who: UUID) -> Browser:
        """A browser that is live on the topics."""
        browser, web, answer = self.offer(*topics, **who)
        assert isinstance(answer, wire.Taken), answer
        web.tell(wire.State(state or {}))
        web.close()
        browser.until_mark()
        return browser

    def viewers(self, topic: str) -> set[Viewer]:
        """Who watches the topic, as the hub sees it."""
        found = self.hub.audience.topics.get(topic)
        return set(found.viewers) if found else set()

    def push(self, topic: str, *pieces: tuple[str, int, str]) -> None:
        """Send pieces as the renderer."""
        assert self.renderer is not None
        self.renderer.tell(wire.Frames(topic, [wire.Piece(key, seq, html.encode()) for key, seq, html in pieces]))

    def end(self) -> None:
        """Let everything go."""
        for connection in (*self.peers, *self.browsers):
            connection.close()


@pytest.fixture
def make_stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Starts hubs with given limits."""
    running: list[tuple[Stage, threading.Thread]] = []

    def make(limits: Limits | None = None, var: Path | None = None) -> Stage:
        path = wire.socket_path(var or tmp_path / f"{len(running)}")
        hub = Hub(wire.listen(path), limits)
        thread = threading.Thread(target=hub.run, daemon=True)
        thread.start()
        running.append((Stage(path, hub, thread), thread))
        return running[-1][0]

    yield make
    for stage, thread in running:
        stage.hub.stop()
        stage.end()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "the hub did not end"


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    """A hub with a renderer."""
    stage = make_stage()
    stage.start_renderer()
    return stage


@pytest.fixture
def browser_class() -> type[Browser]:
    """To open sockets with a handshake."""
    return Browser
