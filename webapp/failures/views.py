"""The failures page: what failed, by cause, and the buttons that try it again."""

import time
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from webapp.access.forms import parse_number
from webapp.access.guard import current_actor, current_viewer, needs
from webapp.access.models import Role
from webapp.audit import services as audit
from webapp.database import db, new_id, transaction
from webapp.errors import Invalid, NotFound
from webapp.failures import services
from webapp.work import circuits

bp = Blueprint("failures", __name__, url_prefix="/failures")

PATIENCE_SECONDS = 5.0
"""How long one press may go on setting products going; what is left stays on the page."""
CAUSE_LENGTH = 500


@bp.get("")
@needs(Role.REVIEWER)
def overview() -> ResponseReturnValue:
    """Everything that has failed, grouped by its cause."""
    return render_template("failures/overview.html", circuits=circuits.overview(db.session()), **_shown())


@bp.get("/now")
@needs(Role.REVIEWER)
def now() -> ResponseReturnValue:
    """The same as a fragment, which the page asks for again and again."""
    answer = Response(render_template("failures/_failures.html", **_shown()))
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.post("/retries")
@needs(Role.REVIEWER)
def retry() -> ResponseReturnValue:
    """Try one product of a group again, or all; a second press with the same key does nothing."""
    key, cause, work_id = _form()
    client_id, user_id = current_viewer().client_id, current_viewer().user_id
    with transaction() as session:
        is_new = services.begin(session, key, client_id, cause, user_id)
        many = services.retry_one(session, key, client_id, cause, work_id) if is_new and work_id else 0
        if is_new:
            audit.record(
                current_actor(),
                "failures_retried",
                client_id=client_id,
                table="retries",
                row_id=key,
                details={"cause": cause, "work": work_id},
            )
    if is_new and not work_id:
        many = _retry_all(key, client_id, cause)
    if request.headers.get("HX-Request"):
        return now()
    if is_new:
        flash(_("%(many)s set going again.", many=many), "success")
    return redirect(url_for("failures.overview"), 303)


def _retry_all(key: UUID, client_id: UUID, cause: str) -> int:
    """Batch by batch, each a short transaction of its own."""
    until, many = time.monotonic() + PATIENCE_SECONDS, 0
    while time.monotonic() < until:
        with transaction() as session:
            taken = services.retry_some(session, key, client_id, cause)
        many += taken
        if taken < services.BATCH:
            break
    return many


def _shown() -> dict[str, object]:
    session = db.session()
    return {"groups": services.groups(session), "retries": services.progress(session), "new_key": new_id}


def _form() -> tuple[UUID, str, int | None]:
    """The press' own key, the cause, and the one product or None for all."""
    raw = request.form.get("work", "")
    work_id = parse_number(raw)
    if raw and work_id is None:
        raise NotFound("There is no such product.")
    cause = request.form.get("cause", "")[:CAUSE_LENGTH]
    try:
        key = UUID(request.form.get("key", ""))
    except ValueError:
        raise Invalid(_("This button is out of date. Load the page again.")) from None
    if work_id is None and cause.startswith(services.UNKNOWN_OUTCOME):
        raise Invalid(_("Look at each of these on the other side first; they cannot be tried all at once."))
    return key, cause, work_id
