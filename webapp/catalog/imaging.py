"""Normalising and judging uploads in a child process: a picture that crashes, hangs or fills a decoder harms nobody.

The web process never loads Pillow. One warm child is started at the first call and asked by one thread, so calls of
many threads queue up. The child has a memory limit, an alarm, and dies with the thread that started it; after a
crash or a time-out the next call starts another.
"""

import atexit
import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from webapp.lib.image_errors import ImageError, ImageProblem
from webapp.phases.facts import PhotoQuality

TIME_LIMIT_SECONDS = 10.0
START_LIMIT_SECONDS = 30.0
MEMORY_LIMIT_BYTES = 1_100 * 1024 * 1024
LENGTH = struct.Struct(">Q")
READY = b"ready"
PR_SET_PDEATHSIG = 1
UNREADABLE = "cannot be read: decoding it failed or needed too much memory"
ROOT = Path(__file__).resolve().parents[2]


class Normalised(msgspec.Struct, frozen=True):
    """Copies of a photo that may be served (JPEG, upright, sRGB, no metadata), and what the original is.

    `width` and `height` are the upright original's in pixels; `format`, `mime` and `extension` by its content.
    `quality`: how usable the photo is; it names no photo, since there is none yet. `may_show_bars`: False where there
    are surely none (see analysis/glance).
    """

    display: bytes
    thumb: bytes
    width: int
    height: int
    format: str
    mime: str
    extension: str
    quality: PhotoQuality
    may_show_bars: bool


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The child's answer for a file that is not taken."""

    problem: ImageProblem
    what: str


class Done(msgspec.Struct, frozen=True, tag=True):
    """The child's answer for a file that is."""

    picture: Normalised


ANSWERS: msgspec.msgpack.Decoder[Refused | Done] = msgspec.msgpack.Decoder(Refused | Done)


class Child(NamedTuple):
    """The running child and our end of its socket."""

    process: subprocess.Popen[bytes]
    link: socket.socket


def normalise(data: bytes, file_name: str) -> Normalised:
    """The served copies of an uploaded file. Raises ImageError, its sentence begins with `file_name`.

    Any thread may call it. It takes at most TIME_LIMIT_SECONDS from the moment the child gets to it.
    """
    try:
        return _lane().submit(_ask, data).result()
    except ImageError as error:
        raise error.named(file_name) from None


def stop() -> None:
    """Ends the child. The next call starts another."""
    _lane().submit(_end_child).result()


_thread: ThreadPoolExecutor | None = None
_child: Child | None = None


def _lane() -> ThreadPoolExecutor:
    """The one thread that owns the child: the child's death signal follows the thread that started it."""
    global _thread
    if _thread is None:
        _thread = ThreadPoolExecutor(1, thread_name_prefix="imaging")
    return _thread


def _forget_after_fork() -> None:
    """A forked process has neither the thread nor a right to the child."""
    global _thread, _child
    if _child is not None:
        _child.link.close()
    _thread, _child = None, None


os.register_at_fork(after_in_child=_forget_after_fork)


@atexit.register
def _end_child() -> None:
    global _child
    if _child is None:
        return
    _child.link.close()
    with suppress(ProcessLookupError):
        _child.process.kill()
    _child.process.wait()
    _child = None


def _ask(data: bytes) -> Normalised:
    """One file through the child. A child that dies over it may have been dead before, so it gets a second chance."""
    for _ in range(2):
        with suppress(OSError, EOFError, msgspec.MsgspecError):
            return _ask_once(data)
        _end_child()
    raise ImageError(ImageProblem.DAMAGED, UNREADABLE)


def _ask_once(data: bytes) -> Normalised:
    global _child
    if _child is None:
        _child = _start_child()
    try:
        _child.link.settimeout(TIME_LIMIT_SECONDS)
        _send(_child.link, data)
        answer = ANSWERS.decode(_receive(_child.link))
    except TimeoutError:
        _end_child()
        raise ImageError(ImageProblem.TOO_SLOW, "takes too long to read; please save it again as a JPEG") from None
    if isinstance(answer, Refused):
        raise ImageError(answer.problem, answer.what)
    return answer.picture


def _start_child() -> Child:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno()), str(os.getpid())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
        )
    child = Child(process, ours)
    ours.settimeout(START_LIMIT_SECONDS)
    try:
        _receive(ours)  # READY, once Pillow is loaded: the time limit is for pictures only
    except (OSError, EOFError) as error:
        process.kill()
        process.wait()
        ours.close()
        raise RuntimeError("the imaging child did not start; its message stands in this process's error output") from (
            error
        )
    return child


def _send(link: socket.socket, data: bytes) -> None:
    link.sendall(LENGTH.pack(len(data)))
    link.sendall(data)


def _receive(link: socket.socket) -> bytes:
    (length,) = LENGTH.unpack(_exactly(link, LENGTH.size))
    return _exactly(link, length)


def _exactly(link: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = link.recv(min(1 << 20, length - len(parts)))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def _serve(link: socket.socket, parent: int) -> None:
    """The child: one file in, one answer out, until the other end closes."""
    import resource

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we could ask to be told
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    import cv2

    from webapp.lib import images  # noqa: F401 - all that answering needs is loaded before READY
    from webapp.phases import quality  # noqa: F401
    from webapp.phases.analysis import glance  # noqa: F401

    cv2.setNumThreads(1)
    _send(link, READY)
    while True:
        try:
            data = _receive(link)
        except EOFError:
            return
        signal.alarm(int(TIME_LIMIT_SECONDS) + 1)  # its default action ends this process
        answer = _answer(data)
        signal.alarm(0)
        _send(link, msgspec.msgpack.encode(answer))


def _answer(data: bytes) -> Done | Refused:
    """What the child says to one file. Nothing that Python can catch ends it: to start another takes half a second, for
    which everybody's photos wait."""
    from webapp.lib import images
    from webapp.phases.analysis.glance import may_show_bars
    from webapp.phases.quality import judge

    try:
        made = vars(images.normalise(data))
        rgb = made.pop("rgb")
        quality = judge("", rgb)
        return Done(Normalised(quality=quality, may_show_bars=may_show_bars(rgb, quality), **made))
    except ImageError as error:
        return Refused(error.problem, error.what)
    except MemoryError:
        return Refused(ImageProblem.TOO_MANY_PIXELS, "needs too much memory")
    except Exception:
        traceback.print_exc()  # a fault of ours, most likely
        return Refused(ImageProblem.DAMAGED, UNREADABLE)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
