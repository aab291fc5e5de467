"""Photo bytes in and out, on the local disk below `<var>/photos`.

Named by content within a client: `<client id>/<aa>/<sha256>[.<variant>].<extension>`, where a variant is named after
the original that it was made from. A file stands under its real name only when all of it is on the disk: it is written
under a temporary name in the same file system, synced, renamed, and the folder is synced. Keys are plain text that the
database keeps; nothing outside this module joins them to paths.
"""

import errno
import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

from flask import Flask, current_app

from webapp.crashpoints import crash_point
from webapp.errors import DomainError, NotFound

KEY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/([0-9a-f]{2})/\1[0-9a-f]{62}(?:\.[a-z]+)?\.[a-z0-9]+")
INCOMING = ".incoming"
LEFTOVER_SECONDS = 24 * 60 * 60.0
CHUNK_BYTES = 1 << 20
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
DISK_IS_FULL = "The server's disk is full, so nothing was kept. Tell whoever looks after it, then try again."
_ROOT = "lotline_photos"


class StorageFull(DomainError):
    """The disk has no room for the bytes; nothing of them was kept."""

    status = HTTPStatus.INSUFFICIENT_STORAGE


class BytesMissing(NotFound):
    """No bytes stand under this key, although somebody expected them."""


@dataclass(frozen=True)
class Kept:
    """Bytes that are safe on the disk, what names them, and what they are."""

    key: str
    sha256: str
    size_bytes: int


def init_app(app: Flask, root: Path) -> None:
    """Tell the app where its photos are; the folder is made at the first write."""
    app.extensions[_ROOT] = root


def write(client_id: UUID, source: bytes | BinaryIO, extension: str) -> Kept:
    """Keep an original; its name comes from its bytes. `source` is read from where it stands to its end.

    Raises:
        StorageFull: there is no room.
    """
    with _incoming(source) as (temporary, sha256, size):
        return _place(temporary, f"{client_id}/{sha256[:2]}/{sha256}.{extension.lstrip('.')}", sha256, size)


def write_variant(original_key: str, variant: str, source: bytes | BinaryIO, extension: str) -> Kept:
    """Keep a copy made from an original, under the original's name. `variant` is one word of small letters.

    Raises:
        StorageFull: there is no room.
    """
    stem = original_key.partition(".")[0]
    with _incoming(source) as (temporary, sha256, size):
        return _place(temporary, f"{stem}.{variant}.{extension.lstrip('.')}", sha256, size)


def read(key: str) -> bytes:
    """All bytes under a key. Raises BytesMissing."""
    return path(key).read_bytes()


def path(key: str) -> Path:
    """The file under a key, for sending it. Raises BytesMissing."""
    found = _path(key)
    if not found.is_file():
        raise BytesMissing("The photo's file is missing.")
    return found


def exists(key: str) -> bool:
    """Whether bytes stand under a key."""
    return _path(key).is_file()


def delete(key: str) -> None:
    """Forget the bytes under a key; nothing happens when there are none."""
    _path(key).unlink(missing_ok=True)


def sweep(older_than_seconds: float = LEFTOVER_SECONDS) -> int:
    """Remove what crashed writers left half-written, and say how many files that were."""
    limit, swept = time.time() - older_than_seconds, 0
    for leftover in (_root() / INCOMING).glob("*"):
        with suppress(FileNotFoundError):
            if leftover.stat().st_mtime < limit:
                leftover.unlink()
                swept += 1
    return swept


def _root() -> Path:
    root: Path = current_app.extensions[_ROOT]
    return root


def _path(key: str) -> Path:
    if not KEY.fullmatch(key):
        raise ValueError(f"{key!r} is not a storage key")
    return _root() / key


@contextmanager
def _incoming(source: bytes | BinaryIO) -> Iterator[tuple[Path, str, int]]:
    """`source`, synced to the disk under a temporary name: its path, sha256 and size in bytes."""
    temporary = _root() / INCOMING / f"{uuid4().hex}.part"
    try:
        _make_folder(temporary.parent)
        sha256, size = _write_synced(temporary, source)
        yield temporary, sha256, size
    except OSError as error:
        if error.errno in NO_SPACE:
            raise StorageFull(DISK_IS_FULL) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _write_synced(target: Path, source: bytes | BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    target.touch(mode=0o600, exist_ok=False)
    with target.open("wb") as file:
        for chunk in _chunks(source):
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
            crash_point("photo.half_written")
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest(), size


def _chunks(source: bytes | BinaryIO) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    while chunk := source.read(CHUNK_BYTES):
        yield chunk


def _place(temporary: Path, key: str, sha256: str, size: int) -> Kept:
    """Give synced bytes their real name. What stood there is replaced: it was meant to be the same."""
    target = _path(key)
    _make_folder(target.parent)
    crash_point("photo.before_rename")
    temporary.replace(target)
    _sync_folder(target.parent)
    return Kept(key, sha256, size)


def _make_folder(folder: Path) -> None:
    """The folder with its parents up to the root, each open to us only and synced into the one above it."""
    if folder.is_dir():
        return
    if folder != _root():
        _make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=folder == _root())
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
