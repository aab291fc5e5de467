"""How honest the confidence is, what another threshold would cost, and fitting anew."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from webapp.access import services as access
from webapp.access.forms import Form, parse_id
from webapp.access.guard import current_actor, current_viewer, needs
from webapp.access.models import Client, Role
from webapp.calibration import charts, observations, page, services
from webapp.database import db, transaction
from webapp.errors import Conflict, NotFound
from webapp.learning import calibrations
from webapp.phases.calibration import MIN_DECISIONS, MIN_SURE, PROMISE

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


def _catalog() -> UUID:
    catalog_id = parse_id(request.form.get("catalog_id", ""))
    if catalog_id is None or catalog_id not in {each.id for each in services.catalogs(db.session())}:
        raise NotFound(_("There is no such catalog."))
    return catalog_id


def _wanted() -> int | None:
    """The threshold asked about; None where none was, or none that makes sense."""
    typed = request.args.get("threshold", "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= 3 and int(typed) <= 100 else None
