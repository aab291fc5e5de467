"""Circuits of outside services on pages: what is away, since when, when it is tried next, and "try now"."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from webapp.access.guard import current_actor, current_viewer, needs
from webapp.access.models import Role
from webapp.audit import services as audit
from webapp.database import db, transaction
from webapp.errors import NotFound
from webapp.work import circuits

bp = Blueprint("providers", __name__, url_prefix="/circuits")


@bp.get("")
@needs(Role.REVIEWER)
def overview() -> ResponseReturnValue:
    """The circuits that are not closed, with the client's own work behind them, as a fragment."""
    return render_template("providers/_circuits.html", circuits=circuits.overview(db.session()))


@bp.get("/<name>/next-try")
@needs(Role.STAFF)
def next_try(name: str) -> ResponseReturnValue:
    """When a service is tried next, as a fragment that a waiting product shows."""
    circuit = circuits.find(db.session(), name)
    if circuit is None:
        raise NotFound("There is no such service.")
    return render_template(
        "providers/_next_try.html",
        circuit=name,
        label=circuit.label,
        next_try_at=circuit.next_probe_at,
    )


@bp.post("/<name>/probe")
@needs(Role.ADMIN)
def probe(name: str) -> ResponseReturnValue:
    """Try a service now instead of at its time. One product that waits does it; twice is once."""
    with transaction() as session:
        circuit = circuits.find(session, name)
        if circuit is None:
            raise NotFound("There is no such service.")
        if circuits.probe_now(session, name):
            client_id = current_viewer().client_id
            audit.record(current_actor(), "circuit_probed", client_id=client_id, table="circuits", row_id=name)
    if request.headers.get("HX-Request"):
        return overview()
    flash(_("%(service)s is being tried.", service=circuit.label), "success")
    return redirect(url_for("failures.overview"), 303)
