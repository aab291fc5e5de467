"""The hub's end of a connection from a web process (one per handover) or from the renderer."""

import contextlib
import os
import socket

from webapp.live import wire
from webapp.live.viewers import Viewer

_READ_BYTES = 64 * 1024


class Link:
    """Messages in and out, and the descriptors that come along. Never blocks."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.fd = connection.fileno()
        self.inbox = bytearray()
        self.outbox = bytearray()
        self.handed: list[int] = []
        """Descriptors that came along and nobody owns yet."""
        self.hands = True
        """Whether descriptors may come: not from the renderer, and asking for them costs."""
        self.viewer: Viewer | None = None
        """The socket that this web process owes a state."""
        self._connection = connection

    def receive(self) -> bool:
        """Read what is there; False once the other side is gone."""
        try:
            if self.hands:
                data, fds, _flags, _address = socket.recv_fds(self._connection, _READ_BYTES, 4)
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
        self._connection.close()
