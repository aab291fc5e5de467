"""Uploads: files sifted and made safe on the disk, then product, photos and run in one transaction.

The steps, in the order in which a view calls them: `sift` and `check` before anything slow, `normalise` with no
transaction open, then `kept` around the transaction that calls `receive`.
"""

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple
from uuid import UUID, uuid5

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from webapp import storage
from webapp.audit import services as audit
from webapp.audit.services import Actor
from webapp.catalog import imaging, photos
from webapp.catalog.models import Photo, Product
from webapp.database import new_id, transaction
from webapp.errors import Conflict, Invalid
from webapp.intake.forms import Upload
from webapp.lib.image_errors import ImageError
from webapp.pipeline import services as pipeline

log = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
COPY_EXTENSION = ".jpg"


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

    @property
    def keys(self) -> tuple[str, str, str]:
        """All that stands in storage for it."""
        return self.original_key, self.display_key, self.thumb_key


@dataclass(frozen=True, kw_only=True)
class Order:
    """One upload as somebody asked for it. `hints` (name, model, condition) go to the run as they are: the product's
    own columns stay empty until the machine or a reviewer knows them."""

    actor: Actor
    client_id: UUID
    upload_key: UUID
    catalog_id: UUID
    hints: dict[str, str]
    keeps_duplicates: bool = False


@dataclass(frozen=True)
class Receipt:
    """What became of an upload. `is_new=False`: the same was sent before, this is what became of it then."""

    product_id: UUID
    sha256s: frozenset[str]
    is_new: bool


class Duplicates(Conflict):
    """Photos that this client has already; the uploader decides. `twins`: file name, earlier photo."""

    def __init__(self, twins: Sequence[tuple[str, photos.Twin]]) -> None:
        super().__init__("Some of these photos are here already.")
        self.twins = twins


class NothingTaken(Invalid):
    """Not one of the files is acceptable; `rejected` says why for each."""

    def __init__(self, rejected: Sequence[Refusal]) -> None:
        super().__init__("None of the files could be taken.")
        self.rejected = rejected


# --- before anything slow -------------------------------------------------------------------------


def sift(uploads: Sequence[Upload], max_bytes: int) -> tuple[list[Candidate], list[Refusal]]:
    """Weigh and fingerprint the files: those to go on with, and those that are too large or there twice."""
    taken: dict[str, Candidate] = {}
    refused = []
    for file_name, stream in uploads:
        sha256, size = _fingerprint(stream)
        if size > max_bytes:
            reason = f"This file has {size / 2**20:.1f} MB; at most {max_bytes // 2**20} MB are taken."
            refused.append(Refusal(file_name, reason))
            continue
        if sha256 in taken:
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


def upload_key(form_key: UUID, candidates: Sequence[Candidate]) -> UUID:
    """What tells a repeated request from a new one: the form's key and its files.

    The form's key alone would not do: a form that is sent again with other photos (after Back, or after one more shot)
    would be taken for a repetition, and the new photos would be called safe although nobody has them.
    """
    return uuid5(form_key, " ".join(sorted(candidate.sha256 for candidate in candidates)))


def check(session: Session, order: Order, candidates: Sequence[Candidate]) -> Receipt | None:
    """The receipt if this upload was received before; None if it is new.

    Raises:
        Duplicates: photos of it are on an earlier product, and the uploader has not decided to keep them.
    """
    receipt = _received(session, order)
    if receipt is None and not order.keeps_duplicates:
        _refuse_duplicates(session, candidates)
    return receipt


def not_kept(receipt: Receipt, candidates: Sequence[Candidate]) -> list[Refusal]:
    """Files of a repeated upload that did not become photos when it came first."""
    reason = "This file was not accepted when it was sent the first time."
    return [Refusal(file.file_name, reason) for file in candidates if file.sha256 not in receipt.sha256s]


# --- with no transaction open ---------------------------------------------------------------------


def normalise(candidates: Sequence[Candidate], max_photos: int) -> tuple[list[Picture], list[Refusal]]:
    """Decode the files, one after the other: photos with their copies, and those that are none or too many."""
    pictures: list[Picture] = []
    refused = []
    for file in candidates:
        if len(pictures) == max_photos:
            refused.append(Refusal(file.file_name, f"One product takes up to {max_photos} photos; this is one more."))
            continue
        file.stream.seek(0)
        try:
            pictures.append(Picture(file, imaging.normalise(file.stream.read(), "This file")))
        except ImageError as error:
            refused.append(Refusal(file.file_name, error.says))
    return pictures, refused


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
        _discard(client_id, pictures, written)
        raise


def _keep(client_id: UUID, picture: Picture, written: dict[str, list[str]]) -> KeptPicture:
    """The photo's original and copies in storage; `written` gets all keys by the original's as they come to be."""
    picture.file.stream.seek(0)
    original = storage.write(client_id, picture.file.stream, picture.copies.extension).key
    keys = written[original] = [original]
    for variant, data in (("display", picture.copies.display), ("thumb", picture.copies.thumb)):
        keys.append(storage.write_variant(original, variant, data, COPY_EXTENSION).key)
    return KeptPicture(picture, *keys)


def _discard(client_id: UUID, pictures: Sequence[Picture], written: Mapping[str, Sequence[str]]) -> None:
    """Names come from content, so others may need the same bytes: those who insert photos hold the same locks."""
    try:
        with transaction() as session:
            _lock(session, client_id, pictures)
            needed = photos.needed(session, written.keys())
            for original, keys in written.items():
                for key in keys if original not in needed else ():
                    storage.delete(key)
    except (SQLAlchemyError, OSError):
        log.warning("unneeded_photo_bytes_left", extra={"client_id": str(client_id), "originals": list(written)})


# --- the transaction ------------------------------------------------------------------------------


def receive(session: Session, order: Order, pictures: Sequence[KeptPicture]) -> Receipt:
    """Product, photos (the first is the primary one), run with its first phase ready, and audit entry.

    The same upload, also one that arrives at the same moment, makes no second product.

    Raises:
        Duplicates: another upload brought the same photos meanwhile.
    """
    _lock(session, order.client_id, [kept.picture for kept in pictures])
    product_id = session.execute(
        insert(Product)
        .values(
            id=new_id(),
            client_id=order.client_id,
            catalog_id=order.catalog_id,
            upload_key=order.upload_key,
            created_by=order.actor.user_id,
        )
        .on_conflict_do_nothing(index_elements=["client_id", "upload_key"])
        .returning(Product.id)
    ).scalar_one_or_none()
    if product_id is None:
        receipt = _received(session, order)
        if receipt is None:
            raise RuntimeError("an upload key is taken by a product that cannot be seen")
        return receipt
    if not order.keeps_duplicates:
        _refuse_duplicates(session, [kept.picture.file for kept in pictures])
    for kept_picture in pictures:
        if not all(storage.exists(key) for key in kept_picture.keys):  # a failed upload took back what it shared
            _keep(order.client_id, kept_picture.picture, {})
    session.add_all(
        _photo(order.client_id, product_id, position, kept_picture) for position, kept_picture in enumerate(pictures)
    )
    session.flush()
    run = pipeline.start_run(
        session,
        client_id=order.client_id,
        product_id=product_id,
        created_by=order.actor.user_id,
        started_by=order.actor.user_id,
        hints=dict(order.hints),
    )
    audit.record(
        order.actor,
        "product_uploaded",
        client_id=order.client_id,
        table="products",
        row_id=product_id,
        new={"catalog_id": order.catalog_id, "photos": len(pictures), **order.hints},
        details={"run_id": run.id, "duplicates_kept": order.keeps_duplicates},
    )
    return Receipt(product_id, frozenset(kept.picture.file.sha256 for kept in pictures), is_new=True)


def _photo(client_id: UUID, product_id: UUID, position: int, kept_picture: KeptPicture) -> Photo:
    file, copies = kept_picture.picture.file, kept_picture.picture.copies
    return Photo(
        id=new_id(),
        client_id=client_id,
        product_id=product_id,
        position=position,
        is_primary=position == 0,
        file_name=file.file_name,
        mime_type=copies.mime,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        width=copies.width,
        height=copies.height,
        original_key=kept_picture.original_key,
        display_key=kept_picture.display_key,
        thumb_key=kept_picture.thumb_key,
    )


def _received(session: Session, order: Order) -> Receipt | None:
    row = session.execute(
        select(Product.id, func.array_agg(Photo.sha256))
        .join(Photo, (Photo.client_id == Product.client_id) & (Photo.product_id == Product.id))
        .where(Product.client_id == order.client_id, Product.upload_key == order.upload_key)
        .group_by(Product.id)
    ).one_or_none()
    return row and Receipt(row[0], frozenset(row[1]), is_new=False)


def _refuse_duplicates(session: Session, candidates: Sequence[Candidate]) -> None:
    names = {candidate.sha256: candidate.file_name for candidate in candidates}
    twins = photos.twins(session, names)
    if twins:
        raise Duplicates([(names[twin.sha256], twin) for twin in twins])


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(CAST(:names AS text[])) AS name")


def _lock(session: Session, client_id: UUID, pictures: Sequence[Picture]) -> None:
    """One at a time for the same photo at the same client: so that neither of two uploads misses the other, and none
    takes back bytes that the other is about to need. Sorted, so that they cannot wait for each other in a ring."""
    names = sorted(f"photo {client_id} {picture.file.sha256}" for picture in pictures)
    session.execute(_LOCK, {"names": names})
