"""Uploads: product, photos and run out of files, in one transaction, once.

A view calls `check` before anything slow, lets `pictures` decode and keep the files, then calls `receive`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import msgspec
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from webapp.access.models import Client
from webapp.audit import services as audit
from webapp.audit.services import Actor
from webapp.catalog import photos
from webapp.catalog import services as catalog
from webapp.catalog.models import Photo, Product
from webapp.database import new_id
from webapp.errors import Conflict, Invalid
from webapp.intake import pictures as files
from webapp.intake import samples
from webapp.intake.pictures import Candidate, KeptPicture, Refusal
from webapp.phases.facts import NO_BARCODE, POOR
from webapp.pipeline import services as pipeline
from webapp.pipeline.models import Run, RunState
from webapp.providers import imports
from webapp.work.priority import Priority

SAMPLE = {"sample": True}
"""Marks what is not the client's own but drawn or invented by us."""
BATCH_FROM = 10
"""Who has so many products under way is not waiting for the next one in front of the screen."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """One upload as somebody asked for it. `hints` (name, model, condition) go to the run as they are: the product's
    own columns stay empty until the machine or a reviewer knows them. `source_data`: where it comes from, if not from
    somebody's camera."""

    actor: Actor
    client_id: UUID
    upload_key: UUID
    catalog_id: UUID
    hints: dict[str, str]
    keeps_duplicates: bool = False
    source_data: dict[str, Any] | None = None


@dataclass(frozen=True)
class Receipt:
    """What became of an upload. `is_new=False`: the same was sent before, this is what became of it then."""

    product_id: UUID
    sha256s: frozenset[str]
    is_new: bool


class Shot(NamedTuple):
    """A photo as it is shown to who has just taken it."""

    photo_id: UUID
    file_name: str
    says: str
    """What is wrong with it, in one sentence; empty when nothing is."""
    is_poor: bool
    """Whether it is worth taking again."""

    @classmethod
    def of(cls, photo: Photo) -> "Shot":
        """The photo as it was judged."""
        score = 100 if photo.quality_score is None else photo.quality_score
        return cls(photo.id, photo.file_name, photo.quality_says, bool(photo.quality_says) and score <= POOR)


def poor_shots(session: Session, product_id: UUID) -> list[Shot]:
    """The product's photos that are worth taking again while the item is in the hand."""
    mine = (Photo.product_id == product_id, Photo.replaced_by.is_(None))
    photos = session.scalars(select(Photo).where(*mine).order_by(Photo.position))
    return [shot for shot in map(Shot.of, photos) if shot.is_poor]


def missing_barcode(session: Session, product_id: UUID) -> str:
    """What to say where the client's items have barcodes, the product's number is not known, and on none of its photos
    a barcode may be; empty otherwise. Poor photos keep it silent: what they show is told when they are taken again."""
    shown = select(Photo.id).where(Photo.product_id == Product.id, Photo.replaced_by.is_(None), Photo.may_show_bars)
    missing = (
        select(Product.id)
        .join(Client, Client.id == Product.client_id)
        .where(Product.id == product_id, Product.gtin14.is_(None), Client.expects_barcodes, ~shown.exists())
    )
    return NO_BARCODE if session.execute(missing).first() else ""


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
    if receipt is None:
        _refuse_duplicates(session, order, candidates)
    return receipt


def not_kept(receipt: Receipt, candidates: Sequence[Candidate]) -> list[Refusal]:
    """Files of a repeated upload that did not become photos when it came first."""
    reason = "This file was not accepted when it was sent the first time."
    return [Refusal(file.file_name, reason) for file in candidates if file.sha256 not in receipt.sha256s]


def receive(session: Session, order: Order, pictures: Sequence[KeptPicture]) -> Receipt:
    """Product, photos (the first is the primary one), run with its first phase ready, and audit entry.

    The same upload, also one that arrives at the same moment, makes no second product.

    Raises:
        Duplicates: another upload brought the same photos meanwhile.
    """
    files.lock(session, order.client_id, [kept.picture for kept in pictures])
    product_id = _insert_product(session, order)
    if product_id is None:
        receipt = _received(session, order)
        if receipt is None:
            raise RuntimeError("an upload key is taken by a product that cannot be seen")
        return receipt
    _refuse_duplicates(session, order, [kept.picture.file for kept in pictures])
    files.restore(order.client_id, pictures)
    rows = [photo_row(order.client_id, product_id, position, kept) for position, kept in enumerate(pictures)]
    rows[0].is_primary = True
    session.add_all(rows)
    session.flush()
    run = pipeline.start_run(
        session,
        client_id=order.client_id,
        product_id=product_id,
        created_by=order.actor.user_id,
        started_by=order.actor.user_id,
        hints=dict(order.hints),
        priority=_priority(session, order),
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


def _priority(session: Session, order: Order) -> Priority:
    """A person with an item in hand goes first; whoever has many under way is sending a batch."""
    if order.source_data == SAMPLE:
        return Priority.BULK
    mine = (Run.is_latest, Run.created_by == order.actor.user_id, Run.state == RunState.RUNNING)
    under_way = select(Run.id).where(*mine).limit(BATCH_FROM).subquery()
    many = session.execute(select(func.count()).select_from(under_way)).scalar_one()
    return Priority.BULK if many >= BATCH_FROM else Priority.INTERACTIVE


def know_samples(session: Session, actor: Actor, client_id: UUID) -> None:
    """What the catalog and the market know of the sample products, marked as what it is; once, however often asked."""
    currency = session.get_one(Client, client_id).currency
    records = [msgspec.structs.replace(record, currency=currency) for record in samples.RECORDS]
    offers = [msgspec.structs.replace(offer, currency=currency) for offer in samples.offers(datetime.now(UTC))]
    catalog.add_known(session, client_id, records, SAMPLE)
    imports.upsert(session, client_id, offers)
    audit.record(actor, "samples_added", client_id=client_id, table="products", details={"offers": len(offers)})


def _insert_product(session: Session, order: Order) -> UUID | None:
    """The new product, or None when the upload's key is taken, if need be after waiting for who is taking it."""
    return session.execute(
        insert(Product)
        .values(
            id=new_id(),
            client_id=order.client_id,
            catalog_id=order.catalog_id,
            upload_key=order.upload_key,
            created_by=order.actor.user_id,
            source_data=order.source_data,
        )
        .on_conflict_do_nothing(index_elements=["client_id", "upload_key"])
        .returning(Product.id)
    ).scalar_one_or_none()


def photo_row(client_id: UUID, product_id: UUID, position: int, kept: KeptPicture) -> Photo:
    """What the database keeps of a photo; one that is not the primary one."""
    file, copies = kept.picture.file, kept.picture.copies
    return Photo(
        id=new_id(),
        client_id=client_id,
        product_id=product_id,
        position=position,
        is_primary=False,
        file_name=file.file_name,
        mime_type=copies.mime,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        width=copies.width,
        height=copies.height,
        original_key=kept.original_key,
        display_key=kept.display_key,
        thumb_key=kept.thumb_key,
        quality_score=copies.quality.score,
        quality_says=copies.quality.says,
        may_show_bars=copies.may_show_bars,
    )


def _received(session: Session, order: Order) -> Receipt | None:
    row = session.execute(
        select(Product.id, func.array_agg(Photo.sha256))
        .join(Photo, (Photo.client_id == Product.client_id) & (Photo.product_id == Product.id))
        .where(Product.client_id == order.client_id, Product.upload_key == order.upload_key)
        .group_by(Product.id)
    ).one_or_none()
    return row and Receipt(row[0], frozenset(row[1]), is_new=False)


def _refuse_duplicates(session: Session, order: Order, candidates: Sequence[Candidate]) -> None:
    if order.keeps_duplicates:
        return
    names = {candidate.sha256: candidate.file_name for candidate in candidates}
    twins = photos.twins(session, names)
    if twins:
        raise Duplicates([(names[twin.sha256], twin) for twin in twins])
