"""The watching page: queues, slots, waiting, speed, and what may be done about them.

An admin watches the own client's work and may pause the own client. An operator watches the whole installation, and may
pause an activity or any client, and drain slots.
"""

from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp import metrics
from webapp.access.forms import parse_id
from webapp.access.guard import current_actor, current_viewer, needs
from webapp.access.models import Role
from webapp.access.sessions import Viewer
from webapp.database import db, transaction
from webapp.engines import system_engine
from webapp.errors import Forbidden, Invalid, NotFound
from webapp.lib.text import clean
from webapp.pipeline.models import PhaseName
from webapp.together import read_together
from webapp.watching import pauses, services, state, verdict
from webapp.watching.picture import bars
from webapp.words import _
from webapp.work import circuits

bp = Blueprint("watching", __name__, url_prefix="/watching")

MAX_REASON = 200
MAX_WORKER_ID = 200


@bp.get("")
@needs(Role.ADMIN)
def page() -> ResponseReturnValue:
    """Everything at one look."""
    return render_template(
        "watching/page.html",
        **_now(),
        circuits=circuits.overview(db.session()),
        phases=[name.value for name in PhaseName],
        reason_most=MAX_REASON,
    )


@bp.get("/now")
@needs(Role.ADMIN)
def now() -> ResponseReturnValue:
    """The moving part of the page, which asks for it every few seconds."""
    return _fresh("watching/_state.html", **_now())


@bp.get("/paused")
@needs(Role.STAFF)
def paused() -> ResponseReturnValue:
    """What is paused here and by whom, as a fragment of the desk and of products."""
    [rows] = read_together(db.session(), pauses.ask_here())
    return _fresh("watching/_paused.html", pauses=pauses.here(rows, current_viewer().client_id))


@bp.post("/pauses")
@needs(Role.ADMIN)
def pause() -> ResponseReturnValue:
    """Pause a client or an activity."""
    viewer = current_viewer()
    client_id, activity = _subject(viewer, request.form.get("subject", ""))
    reason = clean(request.form.get("reason", ""))
    if len(reason) > MAX_REASON:
        raise Invalid(_("Use at most %(most)s characters for the reason.", most=MAX_REASON))
    with transaction() as session:
        services.pause(
            session, current_actor(), by_name=viewer.name, reason=reason, client_id=client_id, activity=activity
        )
    flash(_("Paused. What runs already runs to its end."), "success")
    return _back()


@bp.post("/pauses/<uuid:pause_id>/end")
@needs(Role.ADMIN)
def resume(pause_id: UUID) -> ResponseReturnValue:
    """End a pause."""
    viewer = current_viewer()
    with transaction() as session:
        held = services.find(session, pause_id)
        if held.client_id != viewer.client_id:
            _operators_only(viewer)
        services.resume(session, current_actor(), held)
    flash(_("Resumed. What waited goes on."), "success")
    return _back()


@bp.post("/slots/drain")
@needs(Role.ADMIN)
def drain() -> ResponseReturnValue:
    """Ask a slot to take no new work."""
    viewer = current_viewer()
    _operators_only(viewer)
    with transaction() as session:
        name = services.drain(session, current_actor(), _worker_id(), viewer.name)
    flash(_("%(slot)s takes no new work, and starts afresh when it has finished.", slot=name), "success")
    return _back()


@bp.post("/slots/work")
@needs(Role.ADMIN)
def let_work() -> ResponseReturnValue:
    """Let a drained slot take work again."""
    _operators_only(current_viewer())
    with transaction() as session:
        name = services.let_work(session, current_actor(), _worker_id())
    flash(_("%(slot)s takes work again.", slot=name), "success")
    return _back()


def _now() -> dict[str, object]:
    viewer = current_viewer()
    if viewer.is_operator:
        with system_engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            seen = state.look(connection, everything=True)
    else:
        seen = state.look(db.session(), everything=False)
    speeds = _speeds() if viewer.is_operator else []
    return {
        "speeds": speeds,
        "state": seen,
        "reasons": verdict.reasons(seen),
        "bars": bars(seen.minutes),
        "count_to": state.COUNT_TO,
    }


def _speeds() -> list[tuple[str, state.Percentiles | None]]:
    """Of this machine's processes since they were started, all clients together."""
    found = list(metrics.collected().collect())
    names = (
        (_("A page, from request to answer"), "lotline_http_seconds"),
        (_("News, from commit to the live hub"), "lotline_push_seconds"),
        (_("A statement in the database"), "lotline_query_seconds"),
    )
    return [(says, metrics.percentiles(found, name)) for says, name in names]


def _fresh(template: str, **context: object) -> Response:
    answer = Response(render_template(template, **context))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _subject(viewer: Viewer, subject: str) -> tuple[UUID | None, str | None]:
    """What a form names: `client:<id>` or `activity:<name>`; only operators name what is not their client."""
    word, _colon, name = subject.partition(":")
    if word == "client" and (client_id := parse_id(name)) is not None:
        if client_id != viewer.client_id:
            _operators_only(viewer)
            _require_client(client_id)
        return client_id, None
    if word == "activity" and name in set(PhaseName):
        _operators_only(viewer)
        return None, name
    raise Invalid(_("Choose what to pause."))


def _require_client(client_id: UUID) -> None:
    with system_engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not state.is_client(connection, client_id):
            raise NotFound(_("There is no such client."))


def _operators_only(viewer: Viewer) -> None:
    if not viewer.is_operator:
        raise Forbidden(_("Only an operator of this installation can do this."))


def _worker_id() -> str:
    return request.form.get("worker_id", "").replace("\x00", "")[:MAX_WORKER_ID]


def _back() -> ResponseReturnValue:
    page = url_for("watching.page")
    if request.headers.get("HX-Request"):
        return Response(headers={"HX-Redirect": page})
    return redirect(page, 303)
