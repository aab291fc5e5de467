"""How honest the confidence is, what another threshold would cost, who judges names, and learning both anew."""

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from webapp.access import services as access
from webapp.access.forms import Form, parse_id
from webapp.access.guard import current_actor, current_viewer, needs
from webapp.access.models import Client, Role
from webapp.calibration import charts, matching, observations, page, services
from webapp.database import db, transaction
from webapp.errors import Conflict, NotFound
from webapp.learning import calibrations
from webapp.phases.calibration import MIN_DECISIONS, MIN_SURE, PROMISE
from webapp.pipeline import matcher_files

bp = Blueprint("calibration", __name__, url_prefix="/calibration")


@bp.get("")
@needs(Role.REVIEWER)
def show() -> ResponseReturnValue:
    """The page, of one catalog or of all."""
    viewer, catalog_id = current_viewer(), parse_id(request.args.get("catalog", ""))
    figures = page.figures(db.session(), viewer.client_id, catalog_id, _wanted())
    if catalog_id is not None and catalog_id not in {each.id for each in figures.catalogs}:
        raise NotFound(_("There is no such catalog."))
    return render_template(
        "calibration/page.html",
        figures=figures,
        matching=figures.matching,
        outlook=figures.outlook,
        threshold=figures.threshold,
        catalog_id=catalog_id,
        charts=charts,
        promise=PROMISE,
        min_decisions=MIN_DECISIONS,
        min_sure=MIN_SURE,
        days=observations.WINDOW_DAYS,
        enough_to_draw=page.ENOUGH_TO_DRAW,
        enough_to_foretell=page.ENOUGH_TO_FORETELL,
        days_to_foretell=page.DAYS_TO_FORETELL,
    )


@bp.get("/simulation")
@needs(Role.REVIEWER)
def simulation() -> ResponseReturnValue:
    """What the threshold on the slider would change, to htmx; the whole page to a form."""
    catalog_id = parse_id(request.args.get("catalog", ""))
    if not request.headers.get("HX-Request"):
        return redirect(url_for("calibration.show", catalog=catalog_id, threshold=_wanted()), 303)
    viewer = current_viewer()
    found = page.outlook(db.session(), viewer.client_id, catalog_id, _wanted())
    client = db.session.get_one(Client, viewer.client_id)
    return render_template(
        "calibration/_simulation.html",
        outlook=found,
        threshold=client.review_threshold,
        enough_to_foretell=page.ENOUGH_TO_FORETELL,
        days_to_foretell=page.DAYS_TO_FORETELL,
    )


@bp.post("/threshold")
@needs(Role.ADMIN)
def set_threshold() -> ResponseReturnValue:
    """Make the simulated threshold the client's."""
    form = Form.of(request.form, "threshold")
    threshold = form.whole_number("threshold", 0, 100)
    if form.errors:
        flash(form.errors["threshold"], "warning")
        return redirect(url_for("calibration.show"), 303)
    with transaction():
        access.change_client(current_viewer().client_id, current_actor(), review_threshold=threshold)
    flash(_("From now on %(threshold)s %% are needed to go on alone.", threshold=threshold), "success")
    return redirect(url_for("calibration.show"), 303)


@bp.post("/fits")
@needs(Role.ADMIN)
def fit() -> ResponseReturnValue:
    """Let a worker fit a catalog's calibrator to the decisions so far."""
    viewer = current_viewer()
    try:
        with transaction() as session:
            services.ask_for_fit(session, viewer.client_id, _catalog(), user_id=viewer.user_id)
    except Conflict as error:
        flash(error.message, "warning")
    else:
        flash(_("It is being fitted. Look again in a moment."), "success")
    return redirect(url_for("calibration.show", _anchor="fits"), 303)


@bp.post("/choice")
@needs(Role.ADMIN)
def choose() -> ResponseReturnValue:
    """Use an earlier calibration of a catalog, or none: the defaults."""
    version = request.form.get("version", "")
    number = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None
    if number is None and version:
        raise NotFound(_("There is no such calibration."))
    with transaction() as session:
        calibrations.use_calibration(session, _catalog(), number, actor=current_actor())
    flash(_("Changed. It holds for products whose analysis ends from now on."), "success")
    return redirect(url_for("calibration.show", _anchor="fits"), 303)


@bp.get("/matching")
@needs(Role.REVIEWER)
def matching_now() -> ResponseReturnValue:
    """Who judges names, as it is now; to htmx while something is being learned."""
    if not request.headers.get("HX-Request"):
        return redirect(url_for("calibration.show", _anchor="matching"), 303)
    return render_template(
        "calibration/_matching.html", matching=matching.figures(db.session(), current_viewer().client_id)
    )


@bp.post("/matching/lessons")
@needs(Role.ADMIN)
def learn_matching() -> ResponseReturnValue:
    """Let a worker learn from what the client's reviewers settled."""
    viewer = current_viewer()
    return _changed_matching(
        lambda session: matching.ask_to_learn(session, viewer.client_id, user_id=viewer.user_id),
        _("It is being learned. What came of it will be told here."),
    )


@bp.post("/matching/removal")
@needs(Role.ADMIN)
def set_matcher_aside() -> ResponseReturnValue:
    """Judge names without the client's own matcher."""
    return _changed_matching(
        lambda session: matcher_files.set_aside(session, current_viewer().client_id, current_actor()),
        _("Taken back. It holds for products that are looked at from now on."),
    )


@bp.post("/matching/return")
@needs(Role.ADMIN)
def put_matcher_back() -> ResponseReturnValue:
    """Judge names by the client's former matcher."""
    return _changed_matching(
        lambda session: matcher_files.put_back(session, current_viewer().client_id, current_actor()),
        _("Put back. It holds for products that are looked at from now on."),
    )


def _changed_matching(change: Callable[[Session], None], says: str) -> ResponseReturnValue:
    try:
        with transaction() as session:
            change(session)
    except Conflict as error:
        flash(error.message, "warning")
    else:
        flash(says, "success")
    return redirect(url_for("calibration.show", _anchor="matching"), 303)


def _catalog() -> UUID:
    catalog_id = parse_id(request.form.get("catalog_id", ""))
    if catalog_id is None or catalog_id not in {each.id for each in services.catalogs(db.session())}:
        raise NotFound(_("There is no such catalog."))
    return catalog_id


def _wanted() -> int | None:
    """The threshold asked about; None where none was, or none that makes sense."""
    typed = request.args.get("threshold", "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= 3 and int(typed) <= 100 else None
