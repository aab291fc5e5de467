"""A photo taken again, more photos of a product, and an earlier photo used again."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple
from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.access.guard import current_actor, current_viewer, needs
from webapp.access.models import Role
from webapp.catalog.models import Photo
from webapp.crashpoints import crash_point
from webapp.database import db, reading, transaction
from webapp.errors import DomainError, Invalid, NotFound
from webapp.intake import forms, pictures, retakes, services
from webapp.intake.pictures import Candidate, Picture, Refusal
from webapp.intake.views import asks_for_fragment, limits
from webapp.pipeline import cards, subjects
from webapp.words import _, counted

bp = Blueprint("retakes", __name__)


class Place(NamedTuple):
    """What the form is about: the photo to be taken again, or None for one more photo of the product."""

    product_id: UUID
    photo: Photo | None


@bp.get("/photos/<uuid:photo_id>/retake")
@needs(Role.STAFF)
def form(photo_id: UUID) -> ResponseReturnValue:
    """Camera and send button, for browsers without script; the others open the camera where they are."""
    photo = retakes.old_photo(db.session(), photo_id)
    return _form_page(Place(photo.product_id, photo))


@bp.post("/photos/<uuid:photo_id>/retake")
@needs(Role.STAFF)
def take_again(photo_id: UUID) -> ResponseReturnValue:
    """The new photo in, in the old one's place."""
    with reading() as session:
        old = retakes.old_photo(session, photo_id)
        place = Place(old.product_id, old)
    try:
        (candidate,) = _candidates(1)
        with reading() as session:
            received = retakes.check(session, old, candidate)
        if received is None:
            taken = _decoded([candidate])
            with pictures.kept(current_viewer().client_id, taken) as (kept,), transaction() as session:
                received, _run = retakes.take_again(session, current_actor(), photo_id, kept)
                crash_point("upload.before_commit")
    except NotFound:
        raise
    except DomainError as error:
        return _refused(place, error)
    return _taken(place.product_id, [received])


@bp.get("/products/<uuid:product_id>/photos")
@needs(Role.STAFF)
def more(product_id: UUID) -> ResponseReturnValue:
    """The form for one more photo of a product."""
    return _form_page(_product(product_id))


@bp.post("/products/<uuid:product_id>/photos")
@needs(Role.STAFF)
def add(product_id: UUID) -> ResponseReturnValue:
    """More photos of a product in."""
    place = _product(product_id)
    try:
        taken = _decoded(_candidates(limits().max_files))
        client_id = current_viewer().client_id
        with pictures.kept(client_id, taken) as kept, transaction() as session:
            retakes.add(session, current_actor(), client_id, product_id, kept, limits().max_files)
            crash_point("upload.before_commit")
    except NotFound:
        raise
    except DomainError as error:
        return _refused(place, error)
    with reading() as session:
        added = retakes.photos_with(session, product_id, [picture.file.sha256 for picture in taken])
    return _taken(product_id, added)


@bp.post("/photos/<uuid:photo_id>/use")
@needs(Role.STAFF)
def use_again(photo_id: UUID) -> ResponseReturnValue:
    """Put an earlier photo back in its place."""
    with transaction() as session:
        run = retakes.use_again(session, current_actor(), photo_id)
        product_id = run.product_id
    flash(_("The earlier photo is used again; the other one is kept."), "success")
    return redirect(url_for("pipeline.product", product_id=product_id), HTTPStatus.SEE_OTHER)


def _product(product_id: UUID) -> Place:
    if subjects.product(db.session(), product_id) is None:
        raise NotFound("There is no such product.")
    return Place(product_id, None)


# --- files ----------------------------------------------------------------------------------------


def _candidates(most: int) -> list[Candidate]:
    """The files that were sent, within the limits, at least one and at most `most`. Raises Invalid."""
    uploads = forms.uploads(request.files.getlist("photos"))
    candidates, refused = pictures.sift(uploads, limits().max_bytes)
    if refused:
        raise Invalid(refused[0].reason)
    if not candidates:
        raise Invalid("No photo was sent. Take one first.")
    if len(candidates) > most:
        raise Invalid(f"At most {most} are taken here; these are {len(candidates)}.")
    return candidates


def _decoded(candidates: Sequence[Candidate]) -> list[Picture]:
    """All of them as photos; hold no transaction meanwhile. Raises Invalid for the first that is none."""
    taken, refused = pictures.normalise(candidates, len(candidates))
    if refused:
        raise Invalid(refused[0].reason)
    return taken


# --- answers --------------------------------------------------------------------------------------


def _taken(product_id: UUID, photos: Sequence[Photo]) -> ResponseReturnValue:
    address = url_for("pipeline.product", product_id=product_id)
    shots = [services.Shot.of(photo) for photo in photos]
    with reading() as session:
        no_barcode = services.missing_barcode(session, product_id)
    to_mend = [shot.says for shot in shots if shot.is_poor] + [no_barcode] * bool(no_barcode)
    if not asks_for_fragment():
        flash(counted("The new photo is safe.", "The %(num)s new photos are safe.", len(shots)), "success")
        for says in to_mend:
            flash(says, "warning")
        return redirect(address, HTTPStatus.SEE_OTHER)
    fragment = render_template("intake/_shots.html", product_id=product_id, shots=shots, no_barcode=no_barcode)
    answer = make_response(fragment, HTTPStatus.CREATED)
    answer.headers["X-Location"] = address
    answer.headers["X-Stay"] = "yes" if to_mend else "no"
    return answer


def _refused(place: Place, error: DomainError) -> ResponseReturnValue:
    if asks_for_fragment():
        refused = [Refusal(_("Not taken"), error.message)]
        return render_template("intake/_rejected.html", rejected=refused, form=forms.IntakeForm()), error.status
    return _form_page(place, error.message), error.status


def _form_page(place: Place, says: str = "") -> str:
    with reading() as session:
        runs = cards.cards_of_product(session, place.product_id)
    run = runs[0] if runs else None
    return render_template("intake/retake.html", product_id=place.product_id, photo=place.photo, run=run, says=says)
