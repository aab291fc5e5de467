"""What web, hub and renderer say to each other over the hub's unix socket.

Each message is a tagged msgpack struct behind a four-byte length. HTML travels as bytes, so that the hub neither
decodes nor encodes it. A client socket travels beside `Handover` as ancillary data.
"""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import msgspec

from webapp.live.frames import Watcher

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_LENGTH_BYTES = 4


class Message(msgspec.Struct, tag=True, array_like=True, gc=False):
    """Base of all messages."""


# --- web to hub, and the answer --------------------------------------------------------------------------------------


class Handover(Message):
    """Here is a client socket whose handshake is done and whose topics are allowed. `State` must follow."""

    watcher: Watcher
    topics: tuple[str, ...]


class Taken(Message):
    """The hub holds the socket and listens to the topics: read the state now."""


class Refused(Message):
    """The socket stays with the sender, to be closed with this code."""

    code: int
    reason: str


class Piece(Message):
    """One frame of a topic: `(key, seq)` as in `Frame`, and its HTML in UTF-8."""

    key: str
    seq: int
    html: bytes


class State(Message):
    """What the socket of this connection gets first, by topic."""

    topics: dict[str, list[Piece]]


# --- renderer to hub --------------------------------------------------------------------------------------------------


class Hello(Message):
    """I am a renderer. Answered by `Welcome`, or by `Busy` while another one serves."""


class Alive(Message):
    """Sent at least once a second. Whatever was committed before `as_of`, in seconds of this machine's monotonic clock
    (which its processes share), has been sent to all who watched: it stands before this message."""

    as_of: float


class Frames(Message):
    """Pieces of one topic, for all who watch it."""

    topic: str
    pieces: list[Piece]


class Revoke(Message):
    """What these sessions may watch has changed, or they are over: close their sockets, so that they ask again."""

    sessions: list[UUID]


class Reset(Message):
    """The sockets of this client may have missed something: close them, so that they come back for the state."""

    client_id: UUID


# --- hub to renderer --------------------------------------------------------------------------------------------------


class Welcome(Message):
    """You are the renderer now; nobody watches anything yet."""


class Busy(Message):
    """Another renderer serves; come again."""


class Watch(Message):
    """From now on somebody watches this topic of this client."""

    topic: str
    client_id: UUID


class Unwatch(Message):
    """Nobody watches this topic of this client any more."""

    topic: str
    client_id: UUID


class Present(Message):
    """The sessions that hold sockets now, each with the client that they were opened for. Sent every few seconds."""

    held: list[tuple[UUID, UUID]]


AnyMessage = (
    Handover
    | Taken
    | Refused
    | State
    | Hello
    | Alive
    | Frames
    | Revoke
    | Reset
    | Welcome
    | Busy
    | Watch
    | Unwatch
    | Present
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyMessage] = msgspec.msgpack.Decoder(AnyMessage)


class BadMessage(Exception):
    """The peer sent what is not a message of ours."""


def pack(message: AnyMessage) -> bytes:
    """The message as it travels, length first."""
    body = _encoder.encode(message)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


def take_messages(buffer: bytearray) -> Iterator[AnyMessage]:
    """Cut whole messages off the front of `buffer`; a partial one stays.

    Raises:
        BadMessage: something else came.
    """
    start = 0
    try:
        while len(buffer) - start >= _LENGTH_BYTES:
            size = int.from_bytes(buffer[start : start + _LENGTH_BYTES], "big")
            if size > MAX_MESSAGE_BYTES:
                raise BadMessage(f"{size} bytes")
            end = start + _LENGTH_BYTES + size
            if len(buffer) < end:
                return
            with memoryview(buffer) as view, view[start + _LENGTH_BYTES : end] as body:
                try:
                    message = _decoder.decode(body)
                except msgspec.MsgspecError as error:
                    raise BadMessage(str(error)) from error
            start = end
            yield message
    finally:
        del buffer[:start]


# --- the address ------------------------------------------------------------------------------------------------------


def socket_path(var: Path) -> Path:
    """Where the hub listens."""
    return var / "run" / "hub.sock"


def connect(path: Path, timeout_seconds: float) -> socket.socket:
    """A connection to the hub.

    Raises:
        OSError: nobody listens there.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_seconds)
    try:
        with _short(path) as address:
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def listen(path: Path) -> socket.socket:
    """Listen at `path`, for this user's processes only (0600).

    Raises:
        OSError: EADDRINUSE if a hub is there already.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        connect(path, timeout_seconds=1).close()
    except FileNotFoundError:
        pass
    except ConnectionRefusedError:
        path.unlink()  # left by one that was killed
    else:
        raise OSError(errno.EADDRINUSE, f"a hub already listens at {path}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        with _short(path) as address:
            listener.bind(address)
        listener.listen(512)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(mask)
    return listener


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """The same address below the 107 bytes that the kernel allows, however deep the folder: by its descriptor."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
