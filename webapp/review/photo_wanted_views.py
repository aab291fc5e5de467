"""Asking the dock for a new photo, from the review desk or the product's page, and taking the question back."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from webapp.access.forms import Form, parse_moment
from webapp.access.guard import current_actor, current_viewer, needs
from webapp.access.models import Role
from webapp.database import db, transaction
from webapp.errors import Conflict, NotFound
from webapp.pipeline import cards, parts
from webapp.pipeline.cards import RunCard
from webapp.review import photo_wanted, services

bp = Blueprint("photo_wanted", __name__)


@bp.get("/products/<uuid:product_id>/photo-wanted")
@needs(Role.REVIEWER)
def form(product_id: UUID) -> ResponseReturnValue:
    """What is to be seen on the new photo: proposals, and a line to write."""
    return _page(_newest(product_id), Form.of({}, "note"))


@bp.post("/products/<uuid:product_id>/photo-wanted")
@needs(Role.REVIEWER)
def ask(product_id: UUID) -> ResponseReturnValue:
    """Ask for the photo. From the review desk (`then=next`) on to the next in the queue, else to the product."""
    viewer, run = current_viewer(), _newest(product_id)
    typed = Form.of(request.form, "note")
    note = typed.text("note", _("Say in a few words what is to be seen on it."), most=photo_wanted.MOST_NOTE)
    if typed.errors:
        return _page(run, typed), HTTPStatus.UNPROCESSABLE_ENTITY
    following = services.place(db.session(), run.id).next
    try:
        with transaction() as session:
            photo_wanted.ask(
                session,
                product_id,
                note,
                seen=parse_moment(request.form.get("seen", "")),
                user_id=viewer.user_id,
                user_name=viewer.name,
                actor=current_actor(),
            )
    except Conflict as conflict:
        typed.refuse(conflict)
        return _page(_newest(product_id), typed), HTTPStatus.CONFLICT
    says = _("The dock is asked for a new photo of %(name)s. Until it comes it waits under", name=_name(run))
    place = f"{url_for('review.queue')}#photos-wanted"
    way_back = url_for("review.desk", run_id=run.id)
    links = Markup('{} <a href="{}">{}</a>. <a href="{}" data-key="u">{}</a>')
    flash(links.format(says, place, _("Photos wanted"), way_back, _("Change it")), "success")
    if request.form.get("then") != "next":
        return redirect(url_for("pipeline.product", product_id=product_id), HTTPStatus.SEE_OTHER)
    address = url_for("review.desk", run_id=following) if following else url_for("review.queue")
    return redirect(address, HTTPStatus.SEE_OTHER)


@bp.post("/products/<uuid:product_id>/photo-wanted/return")
@needs(Role.REVIEWER)
def take_back(product_id: UUID) -> ResponseReturnValue:
    """Take the question back; the product waits for a review again."""
    try:
        with transaction() as session:
            photo_wanted.take_back(session, product_id, user_name=current_viewer().name, actor=current_actor())
    except Conflict as conflict:
        flash(conflict.message, "warning")
    else:
        flash(_("The question is taken back. The product waits for a review again."), "success")
    run = _newest(product_id)
    if request.form.get("then") == "desk":
        return redirect(url_for("review.desk", run_id=run.id), HTTPStatus.SEE_OTHER)
    return redirect(url_for("pipeline.product", product_id=product_id), HTTPStatus.SEE_OTHER)


def _newest(product_id: UUID) -> RunCard:
    runs = cards.cards_of_product(db.session(), product_id)
    if not runs:
        raise NotFound("There is no such product.")
    return runs[0]


def _name(run: RunCard) -> str:
    return run.title or run.guess or _("the product")


def _page(run: RunCard, typed: Form) -> str:
    analysis = parts.found_of(db.session(), run.id)["analysis"]
    return render_template(
        "review/photo_wanted.html",
        run=run,
        form=typed,
        notes=photo_wanted.proposals(analysis),
        then=request.form.get("then", ""),
    )
