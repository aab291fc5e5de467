"""Hundreds of browsers in one loop: sockets that listen, and pages read at a steady rate over kept-alive sockets."""

import base64
import heapq
import os
import re
import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

_SEQ = re.compile(rb'\sdata-seq="(\d+)"')
_ID = re.compile(rb'\bid="([^"]+)"')
_LINE = re.compile(rb'\bid="event-[0-9a-f-]{36}-(\d+)"')
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
HEAD_BYTES = 400
"""Where in a fragment its id and number stand."""


class Watcher:
    """A browser with one page open: its socket, and what that brought."""

    def __init__(self, place: int, request: Callable[[str], bytes]) -> None:
        self.place = place
        self._request = request
        self.connection: socket.socket | None = None
        self.is_live = False
        self.receipts: list[tuple[int, int]] = []
        """(seq, when) each time the page came to a newer state."""
        self.first_seq = -1
        self.lines: set[int] = set()
        self.out_of_order = 0
        self.fragments = 0
        self.bytes = 0
        self.opened_at = 0.0
        self._newest: dict[bytes, int] = {}
        self._buffer = bytearray()
        self._is_open = False

    def open(self, port: int, selector: selectors.BaseSelector) -> None:
        """Begin the handshake; numbers start anew, the newest state known stays."""
        self.opened_at = time.monotonic()
        self._is_open = self.is_live = False
        self._buffer.clear()
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.connection.sendall(self._request(base64.b64encode(os.urandom(16)).decode()))
        self.connection.setblocking(False)
        selector.register(self.connection, selectors.EVENT_READ, self)

    def drop(self, selector: selectors.BaseSelector, *, rudely: bool) -> None:
        """Go away without a word; rudely: by a reset."""
        if self.connection is None:
            return
        selector.unregister(self.connection)
        if rudely:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.connection = None

    def ready(self) -> bool:
        """Read what is there; False when the server closed."""
        assert self.connection is not None
        try:
            data = self.connection.recv(262144)
        except BlockingIOError:
            return True
        except OSError:
            return False
        now = time.monotonic_ns()
        self._buffer += data
        self.bytes += len(data)
        if not self._is_open:
            head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not found:
                return bool(data)
            if not head.startswith(b"HTTP/1.1 101"):
                return False
            self._is_open = True
            self._buffer = bytearray(rest)
        return self._cut(now) and bool(data)

    def _cut(self, now: int) -> bool:
        data, at, size = self._buffer, 0, len(self._buffer)
        while size - at >= 2:
            length, start = data[at + 1], at + 2
            if length == 126:
                length, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif length == 127:
                length, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if size < start + length:
                break
            opcode = data[at] & 0x0F
            if opcode == 8:
                return False
            if opcode == 9 and self.connection is not None:
                self.connection.send(b"\x8a\x80\0\0\0\0")  # a pong
            elif opcode == 1:
                self._take(data, start, start + length, now)
            at = start + length
        del data[:at]
        return True

    def _take(self, data: bytearray, start: int, end: int, now: int) -> None:
        if data.startswith(b"<!--", start):
            if data.startswith(b"<!--live", start):
                self.is_live = True
            return
        self.fragments += 1
        found = _SEQ.search(data, start, min(end, start + HEAD_BYTES))
        if found:
            seq = int(found[1])
            named = _ID.search(data, start, min(end, start + HEAD_BYTES))
            key = named[1] if named else b""
            if seq < self._newest.get(key, -1):
                self.out_of_order += 1
            self._newest[key] = seq
            if not self.receipts or seq > self.receipts[-1][0]:
                self.receipts.append((seq, now))
            if self.first_seq < 0:
                self.first_seq = seq
            return
        numbers = [int(number) for number in _LINE.findall(data, start, end)]
        if len(numbers) == 1 and self.lines and numbers[0] < max(self.lines):
            self.out_of_order += 1
        self.lines.update(numbers)


class Reader:
    """A kept-alive connection that reads one page at a time."""

    def __init__(self) -> None:
        self.connection: socket.socket | None = None
        self.asked_at = 0.0
        self._buffer = bytearray()
        self._end = -1

    def ask(self, port: int, selector: selectors.BaseSelector, request: bytes, asked_at: float) -> None:
        """Send a request for a page that was due at `asked_at`."""
        self.asked_at, self._end = asked_at, -1
        self._buffer.clear()
        if self.connection is None:
            self._connect(port, selector)
        assert self.connection is not None
        try:
            self.connection.sendall(request)
        except OSError:  # the server let an idle connection go
            self.close(selector)
            self._connect(port, selector)
            self.connection.sendall(request)

    def ready(self) -> bool | None:
        """True: the page is there. None: not yet. Raises ConnectionError when the server closed."""
        assert self.connection is not None
        data = self.connection.recv(262144)
        if not data:
            raise ConnectionError
        self._buffer += data
        if self._end < 0:
            body = self._buffer.find(b"\r\n\r\n")
            if body < 0:
                return None
            if not self._buffer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(bytes(self._buffer[:300]).decode(errors="replace"))
            length = _LENGTH.search(self._buffer, 0, body + 2)
            assert length is not None
            self._end = body + 4 + int(length[1])
        return len(self._buffer) >= self._end or None

    def close(self, selector: selectors.BaseSelector) -> None:
        """Let the connection go."""
        if self.connection is not None:
            selector.unregister(self.connection)
            self.connection.close()
            self.connection = None

    def _connect(self, port: int, selector: selectors.BaseSelector) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(self.connection, selectors.EVENT_READ, self)


class Crowd:
    """The loop over all of them."""

    def __init__(self, pages_port: int, pages: Sequence[bytes], readers: int = 32) -> None:
        self.selector = selectors.EpollSelector()
        self.page_ms: list[float] = []
        self.pages_late = 0
        self.pages_failed = 0
        self.reopened: list[float] = []
        self.closed = 0
        self._pages_port = pages_port
        self._pages = pages
        self._idle = deque(Reader() for _ in range(readers))
        self._waiting: deque[float] = deque()
        self._asked = 0

    def run(
        self,
        seconds: float,
        *,
        pages_per_second: float = 0.0,
        until: Callable[[], bool] = lambda: False,
        every: tuple[float, Callable[[], Any]] | None = None,
    ) -> None:
        """Listen and read for so long, or until something is the case (asked ten times a second). `every` so many
        seconds something else is done."""
        began = time.monotonic()
        due: list[tuple[float, int]] = [(began, 0)]
        gaps = [0.1, 1 / pages_per_second if pages_per_second else 1e9, every[0] if every else 1e9]
        due += [(began + gaps[1], 1), (began + gaps[2], 2)]
        heapq.heapify(due)
        end = began + seconds
        while time.monotonic() < end:
            for key, _mask in self.selector.select(max(0.0, min(due[0][0], end) - time.monotonic())):
                self._handle(key.data)
            now = time.monotonic()
            while due[0][0] <= now:
                at, what = heapq.heappop(due)
                heapq.heappush(due, (at + gaps[what], what))
                if what == 1:
                    self._waiting.append(at)
                elif what == 2 and every:
                    every[1]()
                elif what == 0 and until():
                    return
            while self._waiting and self._idle:
                self._ask(self._waiting.popleft())
        self.pages_late += len(self._waiting)
        self._waiting.clear()

    def _ask(self, at: float) -> None:
        # In turn, so that all web processes get their share.
        self._asked += 1
        self._idle.popleft().ask(self._pages_port, self.selector, self._pages[self._asked % len(self._pages)], at)

    def _handle(self, who: Watcher | Reader) -> None:
        if isinstance(who, Watcher):
            was_live = who.is_live
            if not who.ready():
                self.closed += 1
                who.drop(self.selector, rudely=False)
            elif who.is_live and not was_live:
                self.reopened.append(1000 * (time.monotonic() - who.opened_at))
            return
        try:
            if who.ready():
                self.page_ms.append(1000 * (time.monotonic() - who.asked_at))
                self._idle.append(who)
        except (ConnectionError, OSError):
            who.close(self.selector)
            if who not in self._idle:
                self.pages_failed += 1
                self._idle.append(who)
