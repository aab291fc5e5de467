"""Giving an open websocket from the web process to the hub.

Uses what flask-sock 0.7.0 and simple-websocket 1.1.0 keep to themselves; a test holds every piece of it in place.
"""

import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from webapp.live import websocket, wire
from webapp.live.frames import Frame, Watcher

HUB_SECONDS = 2.0
"""How long the hub may take to answer; it needs less than a millisecond."""

HEADER_TO_DROP = "HTTP_SEC_WEBSOCKET_EXTENSIONS"
"""flask-sock accepts permessage-deflate whenever it is offered: 142 KB for each socket. So it never sees the offer."""


class NoThread:
    """Stands in for the reader thread that simple-websocket starts per socket; it would eat the first frame."""

    def __init__(self, target: Callable[[], object]) -> None:
        self.target = target
        self.name = "(_thread)"

    def start(self) -> None:
        """Read nothing: the hub does."""


SERVER_OPTIONS: dict[str, Any] = {"thread_class": NoThread}
"""For `app.config["SOCK_SERVER_OPTIONS"]`."""


class Server(Protocol):
    """What is used of `simple_websocket.Server`."""

    sock: socket.socket
    connected: bool
    mode: str

    def close(self, reason: int | None = None, message: str | None = None) -> None:
        """Send a close frame; the socket itself stays."""
        ...


def hand_over(
    server: Server,
    hub: Path,
    watcher: Watcher,
    topics: Sequence[str],
    read_state: Callable[[], Iterable[Frame]],
) -> bool:
    """Give the socket to the hub, and then the state that `read_state` returns once the hub listens to the topics.

    False if the hub does not take it: it was closed then with a code after which the page tries again. If the state
    cannot be read the exception passes through, and the hub closes the socket.
    """
    if isinstance(server.sock, ssl.SSLSocket):
        raise TypeError("TLS ends at a proxy in front of the web process: its state cannot travel with a socket")
    try:
        link = wire.connect(hub, HUB_SECONDS)
    except OSError:
        server.close(websocket.TRY_AGAIN_LATER, "no hub")
        return False
    with link:
        answer = _offer(link, server, wire.Handover(watcher, tuple(topics)))
        if not isinstance(answer, wire.Taken):
            return False
        _keep_dummy(server)
        pieces: dict[str, list[wire.Piece]] = {}
        for frame in read_state():
            pieces.setdefault(frame.topic, []).append(wire.Piece(frame.key, frame.seq, frame.html.encode()))
        # A hub that died in the meantime took the socket along: the page has noticed.
        with contextlib.suppress(OSError):
            link.sendall(wire.pack(wire.State(pieces)))
    return True


def _offer(link: socket.socket, server: Server, message: wire.Handover) -> wire.AnyMessage | None:
    try:
        data = wire.pack(message)
        link.sendall(data[socket.send_fds(link, [data], [server.sock.fileno()]) :])
        answer = _receive(link)
    except (OSError, wire.BadMessage):
        # Whose socket is it now? Nobody's: both ends see it dead, and the page comes back.
        with contextlib.suppress(OSError):
            server.sock.shutdown(socket.SHUT_RDWR)
        _keep_dummy(server)
        return None
    if isinstance(answer, wire.Refused):
        server.close(answer.code, answer.reason)
    return answer


def _receive(link: socket.socket) -> wire.AnyMessage:
    buffer = bytearray()
    while True:
        data = link.recv(4096)
        if not data:
            raise ConnectionResetError("the hub is gone")
        buffer += data
        for message in wire.take_messages(buffer):
            return message


def _keep_dummy(server: Server) -> None:
    """Leave a dead socket under the descriptor that web server and websocket library go on to use and close.

    `connected` keeps flask-sock from sending a close frame; `mode` makes it answer with a plain response, which ends
    in a broken pipe, which the web server takes for a browser that went away.
    """
    dead, other = socket.socketpair()
    other.close()
    os.dup2(dead.fileno(), server.sock.fileno(), inheritable=False)
    dead.close()
    server.connected = False
    server.mode = "werkzeug"
