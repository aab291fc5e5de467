"""The files of an upload on their way to the disk: weighed, decoded, kept, and taken back where it came to nothing."""

import hashlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple
from uuid import UUID

from flask import current_app
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from webapp import storage
from webapp.catalog import imaging, photos
from webapp.config import Config
from webapp.database import transaction
from webapp.errors import Overloaded
from webapp.lib.image_errors import ImageError

log = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
COPY_EXTENSION = ".jpg"
FREE_THREADS = 2
"""Threads of a web process that never wait for its decoder, so that pages are answered whatever is being decoded."""
WASTED_SECONDS = 30.0
"""How long the decoder may be kept busy by files of one upload that turn out to be no photos: there is one decoder per
web process, and everybody's photos wait for it."""


class Upload(NamedTuple):
    """One file as it arrived. `file_name` is cleaned and says nothing about what the file is."""

    file_name: str
    stream: BinaryIO


class Refusal(NamedTuple):
    """A file that was not taken, and why, in one sentence."""

    file_name: str
    reason: str


@dataclass(frozen=True)
class Candidate:
    """A file that may become a photo: within the limits, and not yet decoded."""

    file_name: str
    stream: BinaryIO
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Picture:
    """A file that is a photo, with the copies that may be served."""

    file: Candidate
    copies: imaging.Normalised


@dataclass(frozen=True)
class KeptPicture:
    """A photo whose bytes are safe on the disk."""

    picture: Picture
    original_key: str
    display_key: str
    thumb_key: str


def sift(uploads: Sequence[Upload], max_bytes: int) -> tuple[list[Candidate], list[Refusal]]:
    """Weigh and fingerprint the files: those to go on with, and those that are too large or there twice."""
    taken: dict[str, Candidate] = {}
    refused = []
    for file_name, stream in uploads:
        sha256, size = _fingerprint(stream)
        if size > max_bytes:
            reason = f"This file has {size / 2**20:.1f} MB; at most {max_bytes // 2**20} MB are taken."
            refused.append(Refusal(file_name, reason))
        elif sha256 in taken:
            reason = f"This is the same photo twice: {taken[sha256].file_name} is in this upload already."
            refused.append(Refusal(file_name, reason))
        else:
            taken[sha256] = Candidate(file_name, stream, sha256, size)
    return list(taken.values()), refused


def _fingerprint(stream: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    stream.seek(0)
    while chunk := stream.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def normalise(candidates: Sequence[Candidate], max_photos: int) -> tuple[list[Picture], list[Refusal]]:
    """Decode the files, one after the other: photos with their copies, and those that are none or too many.

    Takes up to seconds for each: hold no transaction meanwhile.

    Raises:
        Overloaded: so many others wait for the decoder that no threads would be left for pages.
    """
    with _place_at_decoder():
        return _decoded(candidates, max_photos)


@contextmanager
def _place_at_decoder() -> Iterator[None]:
    config: Config = current_app.extensions["lotline_config"]
    most = max(1, config.web_threads - FREE_THREADS)
    places = current_app.extensions.setdefault("lotline_decoder", threading.BoundedSemaphore(most))
    if not places.acquire(blocking=False):
        raise Overloaded("Many photos arrive at this moment. Nothing was kept; please send them again.")
    try:
        yield
    finally:
        places.release()


def _decoded(candidates: Sequence[Candidate], max_photos: int) -> tuple[list[Picture], list[Refusal]]:
    pictures: list[Picture] = []
    refused = []
    wasted_seconds = 0.0
    for file in candidates:
        if len(pictures) == max_photos:
            refused.append(Refusal(file.file_name, f"One product takes up to {max_photos} photos; this is one more."))
            continue
        if wasted_seconds > WASTED_SECONDS:
            reason = "Other files of this upload took too long to read; please send this one again without them."
            refused.append(Refusal(file.file_name, reason))
            continue
        file.stream.seek(0)
        began = time.monotonic()
        try:
            pictures.append(Picture(file, imaging.normalise(file.stream.read(), "This file")))
        except ImageError as error:
            wasted_seconds += time.monotonic() - began
            refused.append(Refusal(file.file_name, error.says))
    return pictures, refused


# --- on the disk ----------------------------------------------------------------------------------


@contextmanager
def kept(client_id: UUID, pictures: Sequence[Picture]) -> Iterator[list[KeptPicture]]:
    """Bytes of all photos, safe on the disk while the block runs; if it fails, those that no photo needs go again.

    Raises:
        StorageFull: there is no room; nothing is left behind.
    """
    written: dict[str, list[str]] = {}
    try:
        yield [_keep(client_id, picture, written) for picture in pictures]
    except BaseException:
        _take_back(client_id, pictures, written)
        raise


def restore(client_id: UUID, pictures: Sequence[KeptPicture]) -> None:
    """Write again what another upload of the same photos, one that failed, took back meanwhile. Call it locked."""
    for kept_picture in pictures:
        keys = kept_picture.original_key, kept_picture.display_key, kept_picture.thumb_key
        if not all(storage.exists(key) for key in keys):
            _keep(client_id, kept_picture.picture, {})


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(CAST(:names AS text[])) AS name")


def lock(session: Session, client_id: UUID, pictures: Sequence[Picture]) -> None:
    """One at a time for the same photo at the same client: so that neither of two uploads misses the other, and none
    takes back bytes that the other is about to need. Sorted, so that they cannot wait for each other in a ring."""
    names = sorted(f"photo {client_id} {picture.file.sha256}" for picture in pictures)
    session.execute(_LOCK, {"names": names})


def _keep(client_id: UUID, picture: Picture, written: dict[str, list[str]]) -> KeptPicture:
    """The photo's original and copies in storage; `written` gets all keys by the original's as they come to be."""
    picture.file.stream.seek(0)
    original = storage.write(client_id, picture.file.stream, picture.copies.extension).key
    keys = written[original] = [original]
    for variant, data in (("display", picture.copies.display), ("thumb", picture.copies.thumb)):
        keys.append(storage.write_variant(original, variant, data, COPY_EXTENSION).key)
    return KeptPicture(picture, *keys)


def _take_back(client_id: UUID, pictures: Sequence[Picture], written: Mapping[str, Sequence[str]]) -> None:
    """Names come from content, so others may need the same bytes: those who insert photos hold the same locks."""
    try:
        with transaction() as session:
            lock(session, client_id, pictures)
            needed = photos.needed(session, written.keys())
            for original, keys in written.items():
                for key in keys if original not in needed else ():
                    storage.delete(key)
    except (SQLAlchemyError, OSError):
        log.warning("unneeded_photo_bytes_left", extra={"client_id": str(client_id), "originals": list(written)})
