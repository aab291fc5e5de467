"""The queue of runs that wait for a person, and the desk where one is decided."""

from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from webapp.access.forms import parse_id, parse_moment
from webapp.access.guard import current_actor, current_viewer, needs
from webapp.access.models import Client, Role
from webapp.catalog.models import Product
from webapp.crashpoints import crash_point
from webapp.database import db, transaction
from webapp.errors import Conflict, NotFound
from webapp.lib.text import clean
from webapp.pipeline import cards, corrections, parts, queues, subjects
from webapp.pipeline.models import AuditState, Run, RunState
from webapp.review import photo_wanted, services
from webapp.review.forms import ReviewForm, filled, parse, prefill
from webapp.review.proposals import proposals

MOST_TYPED = 200
bp = Blueprint("review", __name__, url_prefix="/reviews")


class Way(StrEnum):
    """What can be done with a run at the desk."""

    REVIEW = "review"
    """It waits for a decision."""
    AUDIT = "audit"
    """It went on by itself, and is asked about all the same."""
    CORRECT = "correct"
    """It went on: what is wrong may be changed."""
    LOOK = "look"
    """A newer run stands for the product: nothing."""


class Entry(NamedTuple):
    """One line of the queue."""

    run: cards.RunCard
    looker_name: str | None


@bp.get("")
@needs(Role.REVIEWER)
def queue() -> ResponseReturnValue:
    """What waits for a person, longest waiting first, what waits for a new photo, and what went on but is to be looked
    at all the same; with `q` those of all three that it fits."""
    viewer, session = current_viewer(), db.session()
    typed, after = clean(request.args.get("q", ""))[:MOST_TYPED], parse_id(request.args.get("after", ""))
    wanted_before = parse_moment(request.args.get("wanted_before", ""))
    is_first = after is None and wanted_before is None
    words = queues.words_of(typed)
    waiting = queues.reviews(session, words=words, after=after) if wanted_before is None else queues.NOTHING
    wanted = queues.photos_wanted(session, words=words, before=wanted_before) if after is None else queues.NONE_WANTED
    drawn = queues.audits(session, words=words).runs if is_first else []
    others = services.lookers(session, [run.id for run in (*waiting.runs, *wanted.runs, *drawn)], but=viewer.user_id)
    return render_template(
        "review/queue.html",
        entries=[Entry(run, others.get(run.id)) for run in waiting.runs],
        wanted=[Entry(run, others.get(run.id)) for run in wanted.runs],
        audits=[Entry(run, others.get(run.id)) for run in drawn],
        typed=typed,
        after=after,
        next_after=waiting.next_after,
        wanted_before=wanted_before,
        next_wanted_before=wanted.next_before,
        searched=queues.SEARCHED,
        threshold=_threshold(viewer.client_id),
    )


@bp.get("/<uuid:run_id>")
@needs(Role.REVIEWER)
def desk(run_id: UUID) -> ResponseReturnValue:
    """One run beside its photos, ready to be confirmed or corrected."""
    viewer = current_viewer()
    with transaction() as session:
        services.look(session, viewer.client_id, run_id, viewer.user_id)
    return _desk(run_id, None)


@bp.post("/<uuid:run_id>/decision")
@needs(Role.REVIEWER)
def decide(run_id: UUID) -> ResponseReturnValue:
    """Settle the run and go on to the next."""
    viewer = current_viewer()
    form, decision = parse(request.form)
    if decision is None:
        return _desk(run_id, form), 422
    run = db.session.get(Run, run_id)
    is_audit = run is not None and run.audit is not None
    following = services.place(db.session(), run_id, among_audits=is_audit).next
    try:
        with transaction() as session:
            was_corrected = services.decide(
                session,
                run_id,
                decision,
                user_id=viewer.user_id,
                user_name=viewer.name,
                actor=current_actor(),
            )
            crash_point("decision.before_commit")
        crash_point("decision.before_answer")
    except Conflict as conflict:
        form.errors[""] = conflict.message
        return _desk(run_id, form), 409
    if not is_audit:
        says = _("%(name)s is confirmed and goes on.", name=decision.name)
    elif was_corrected:
        says = _("%(name)s is corrected and starts again with your values.", name=decision.name)
    else:
        says = _("%(name)s was right. Thank you.", name=decision.name)
    way_back = url_for("review.desk", run_id=run_id)
    flash(Markup('{} <a href="{}" data-key="u">{}</a>').format(says, way_back, _("Change it")), "success")
    following = None if following == run_id else following
    return redirect(url_for("review.desk", run_id=following) if following else url_for("review.queue"), 303)


@bp.post("/<uuid:run_id>/correction")
@needs(Role.REVIEWER)
def correct(run_id: UUID) -> ResponseReturnValue:
    """Change what a product is after it went on: it starts again with the person's values."""
    viewer = current_viewer()
    form, decision = parse(request.form)
    if decision is None:
        return _desk(run_id, form, request.form.get("seen")), 422
    try:
        with transaction() as session:
            is_changed = services.correct(
                session,
                run_id,
                decision,
                seen=request.form.get("seen", ""),
                user_id=viewer.user_id,
                user_name=viewer.name,
                actor=current_actor(),
            )
    except Conflict as conflict:
        form.errors[""] = conflict.message
        return _desk(run_id, form), 409
    says = _("%(name)s is corrected and starts again with your values.", name=decision.name)
    flash(says if is_changed else _("Nothing was changed: the product has these values already."), "success")
    run = db.session.get_one(Run, run_id)
    return redirect(url_for("pipeline.product", product_id=run.product_id), 303)


@bp.post("/<uuid:run_id>/decision/return")
@needs(Role.REVIEWER)
def take_back(run_id: UUID) -> ResponseReturnValue:
    """Take the decision on an audit back."""
    try:
        with transaction() as session:
            services.take_back_audit(session, run_id, user_id=current_viewer().user_id, actor=current_actor())
    except Conflict as conflict:
        flash(conflict.message, "warning")
    else:
        flash(_("Taken back. The audit is open again."), "success")
    return redirect(url_for("review.desk", run_id=run_id), 303)


def _threshold(client_id: UUID) -> int:
    return db.session.get_one(Client, client_id).review_threshold


def _desk(run_id: UUID, form: ReviewForm | None, seen: str | None = None) -> str:
    viewer, session = current_viewer(), db.session()
    run = cards.card(session, run_id)
    product = subjects.product(session, run.product_id) if run else None
    analysis = parts.found_of(session, run_id)["analysis"] if run else None
    if run is None or product is None or analysis is None:
        raise NotFound("There is no such review.")
    kept, item = session.get_one(Run, run_id), session.get_one(Product, run.product_id)
    place = services.place(session, run_id, among_audits=kept.audit is not None)
    way = _way(kept)
    fill = filled(corrections.shown(item, analysis)) if way is Way.CORRECT else prefill(analysis, kept.hints)
    return render_template(
        "review/desk.html",
        run=run,
        product=product,
        photos=subjects.photos(session, run.product_id),
        analysis=analysis,
        form=form or fill,
        own=fill.values,
        proposals=proposals(analysis, fill),
        way=way,
        seen=seen or corrections.mark_of(item),
        audit_percent=kept.audit_percent,
        position=place.position,
        total=place.total,
        previous_run_id=place.previous,
        next_run_id=place.next,
        looker_name=services.lookers(session, [run_id], but=viewer.user_id).get(run_id),
        decided=services.decided(session, run_id),
        notes=photo_wanted.proposals(analysis),
        threshold=_threshold(viewer.client_id),
    )


def _way(run: Run) -> Way:
    if run.audit is AuditState.OPEN:
        return Way.AUDIT
    if not run.is_latest:
        return Way.LOOK
    return Way.REVIEW if run.state is RunState.REVIEW else Way.CORRECT
