"""A photo taken again: the new one takes the place of the old, nothing is erased, and either can be used again."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.audit import services as audit
from webapp.audit.services import Actor
from webapp.catalog import photos
from webapp.catalog.models import Photo, Product
from webapp.errors import Conflict, Invalid, NotFound
from webapp.intake import pictures as files
from webapp.intake.pictures import Candidate, KeptPicture
from webapp.intake.services import photo_row
from webapp.pipeline import restarts
from webapp.pipeline import services as pipeline
from webapp.pipeline.models import Run

MOST_TAKES = 100
"""Photos of a product that are kept, those that were replaced included."""


def old_photo(session: Session, photo_id: UUID) -> Photo:
    """The photo that is to be taken again. Raises NotFound."""
    found = photos.visible(session, photo_id)
    if found is None:
        raise NotFound("There is no such photo.")
    return found


def check(session: Session, photo: Photo, new: Candidate) -> Photo | None:
    """The photo in the old one's place if this very file was received before; None if it is new. Cheap: call it before
    the file is decoded.

    Raises:
        Conflict: somebody else has replaced the photo meanwhile.
        Invalid: the file is the photo that it would replace, or another one of the product.
    """
    if photo.replaced_by is not None:
        newer = session.get_one(Photo, photo.replaced_by)
        if newer.sha256 != new.sha256:
            raise Conflict("This photo has been taken again already. Open the product to see the newer one.")
        return newer
    _refuse_known(session, photo.product_id, new.sha256)
    return None


def take_again(session: Session, actor: Actor, photo_id: UUID, new: KeptPicture) -> tuple[Photo, Run]:
    """Put the new photo in the old one's place and let phase 1 look anew. Once, however often it is sent.

    Raises:
        NotFound, Conflict, Invalid: as `check`; also where the product keeps too many photos already.
    """
    client_id = old_photo(session, photo_id).client_id
    files.lock(session, client_id, [new.picture])
    old, run = _locked(session, photo_id)
    received = check(session, old, new.picture.file)
    if received is not None:
        return received, run
    _refuse_many(session, old.product_id)
    files.restore(client_id, [new])
    photo = photo_row(client_id, old.product_id, old.position, new)
    session.add(photo)
    session.flush()
    _give_place(session, old, photo)
    says = f"a photo was taken again ({new.picture.file.file_name})"
    run = restarts.look_anew(session, run, actor.user_id, says)
    _note(actor, "photo_taken_again", photo, {"instead_of": old.id, "run_id": run.id})
    return photo, run


def add(
    session: Session, actor: Actor, client_id: UUID, product_id: UUID, new: Sequence[KeptPicture], most: int
) -> Run:
    """More photos of a product, behind those that it has; phase 1 looks anew. Files that are there already are left
    out, so that a repeated request adds nothing. `most`: photos that a product may have in use.

    Raises:
        Invalid: the product would have more photos than it may.
    """
    files.lock(session, client_id, [kept.picture for kept in new])
    _, run = _product(session, product_id)
    known = set(session.scalars(_IN_USE_SHA256.where(Photo.product_id == product_id)))
    fresh = [kept for kept in new if kept.picture.file.sha256 not in known]
    if not fresh:
        return run
    if len(known) + len(fresh) > most:
        raise Invalid(f"One product takes up to {most} photos, and this one has {len(known)}.")
    _refuse_many(session, product_id)
    files.restore(client_id, fresh)
    last = session.execute(select(func.max(Photo.position)).where(Photo.product_id == product_id)).scalar_one()
    added = [photo_row(client_id, product_id, last + 1 + at, kept) for at, kept in enumerate(fresh)]
    session.add_all(added)
    session.flush()
    says = f"a photo was added ({added[0].file_name})" if len(added) == 1 else f"{len(added)} photos were added"
    run = restarts.look_anew(session, run, actor.user_id, says)
    for photo in added:
        _note(actor, "photo_added", photo, {"run_id": run.id})
    return run


def use_again(session: Session, actor: Actor, photo_id: UUID) -> Run:
    """Put a photo that was replaced back in its place; the one that stands there is kept as an earlier one.

    Raises:
        Conflict: it is in use already.
    """
    photo, run = _locked(session, photo_id)
    if photo.replaced_by is None:
        raise Conflict("This photo is in use already.")
    in_use = session.get_one(Photo, photo.replaced_by)
    while in_use.replaced_by is not None:
        in_use = session.get_one(Photo, in_use.replaced_by)
    _give_place(session, in_use, photo)
    run = restarts.look_anew(session, run, actor.user_id, f"an earlier photo is used again ({photo.file_name})")
    _note(actor, "photo_used_again", photo, {"instead_of": in_use.id, "run_id": run.id})
    return run


def photos_with(session: Session, product_id: UUID, sha256s: Sequence[str]) -> Sequence[Photo]:
    """The product's photos in use that have these bytes."""
    mine = (Photo.product_id == product_id, Photo.sha256.in_(sha256s), Photo.replaced_by.is_(None))
    return session.scalars(select(Photo).where(*mine).order_by(Photo.position)).all()


_IN_USE_SHA256 = select(Photo.sha256).where(Photo.replaced_by.is_(None))


def _give_place(session: Session, old: Photo, new: Photo) -> None:
    """The new photo stands where the old one stood. A product has one primary photo, so the old one goes first."""
    was_primary = old.is_primary
    old.is_primary, new.replaced_by = False, None
    session.flush()
    new.is_primary, old.replaced_by = was_primary, new.id
    session.flush()


def _locked(session: Session, photo_id: UUID) -> tuple[Photo, Run]:
    """The photo as it is now, its product and run locked, which is what all who change a product's photos wait for."""
    _, run = _product(session, old_photo(session, photo_id).product_id)
    return session.get_one(Photo, photo_id, populate_existing=True), run


def _product(session: Session, product_id: UUID) -> tuple[Product, Run]:
    product, run = pipeline.locked_product(session, product_id)
    if product.deleted_at is not None:
        raise NotFound("This product has been removed. Put it back first.")
    return product, run


def _refuse_known(session: Session, product_id: UUID, sha256: str) -> None:
    same = _IN_USE_SHA256.where(Photo.product_id == product_id, Photo.sha256 == sha256)
    if session.execute(same.limit(1)).first():
        raise Invalid("This is the same photo as before. Take a new one.")


def _refuse_many(session: Session, product_id: UUID) -> None:
    many = session.execute(select(func.count()).where(Photo.product_id == product_id)).scalar_one()
    if many >= MOST_TAKES:
        raise Invalid(f"{MOST_TAKES} photos of this product are kept already; no more are taken.")


def _note(actor: Actor, action: str, photo: Photo, details: dict[str, object]) -> None:
    audit.record(
        actor,
        action,
        client_id=photo.client_id,
        table="photos",
        row_id=photo.id,
        details={"product_id": photo.product_id, **details},
    )
