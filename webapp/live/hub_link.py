"""The renderer's end of its connection to the hub: connects by itself, again and again."""

import contextlib
import logging
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from webapp.live import wire

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.3
SEND_SECONDS = 5.0


class HubLink:
    """Never raises: while there is no hub, nothing is heard and what is sent goes nowhere, as nobody watches."""

    def __init__(self, path: Path) -> None:
        self.is_welcome = False
        """Whether the hub takes us for its renderer."""
        self._path = path
        self._connection: socket.socket | None = None
        self._inbox = bytearray()
        self._outbox = bytearray()
        self._try_at = 0.0

    def fileno(self) -> int | None:
        """What to wait on, or None while there is no connection."""
        return self._connection.fileno() if self._connection else None

    def read(self) -> Iterator[wire.AnyMessage]:
        """What the hub said since; connects first if there is no connection and it is time to try again."""
        if self._connection is None and not self._connect():
            return
        while self._connection is not None and select.select([self._connection], [], [], 0)[0]:
            try:
                data = self._connection.recv(65536)
            except OSError:
                data = b""
            if not data:
                self._lose("closed")
                return
            self._inbox += data
            try:
                for message in wire.take_messages(self._inbox):
                    if isinstance(message, wire.Busy):
                        self._lose("another renderer serves")
                        return
                    if isinstance(message, wire.Welcome):
                        self.is_welcome = True
                        log.info("hub_connected")
                    yield message
            except wire.BadMessage as error:
                self._lose(str(error))

    def send(self, message: wire.AnyMessage) -> None:
        """Tell the hub, if it listens, at the next `flush`: waking it costs as much as what it is told."""
        if self._connection is not None:
            self._outbox += wire.pack(message)

    def flush(self) -> None:
        """Send what was said since, in one piece."""
        if self._connection is not None and self._outbox:
            try:
                self._connection.sendall(self._outbox)
                self._outbox.clear()
            except OSError as error:
                self._lose(str(error))

    def close(self) -> None:
        """Hang up."""
        connection, self._connection, self.is_welcome = self._connection, None, False
        self._inbox.clear()
        self._outbox.clear()
        if connection is not None:
            connection.close()

    def _connect(self) -> bool:
        if time.monotonic() < self._try_at:
            return False
        try:
            self._connection = wire.connect(self._path, SEND_SECONDS)
        except OSError as error:
            self._lose(str(error))
            return False
        self.send(wire.Hello())
        self.flush()
        return self._connection is not None

    def _lose(self, why: str) -> None:
        if self.is_welcome or not self._try_at:
            log.warning("hub_lost", extra={"reason": why})
        with contextlib.suppress(OSError):
            self.close()
        self._try_at = time.monotonic() + RETRY_SECONDS
