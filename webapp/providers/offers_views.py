"""Where offers come from, and files of offers and own sales taken in by admins."""

import hashlib
from datetime import UTC, datetime
from pathlib import PurePath

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from webapp.access.forms import Form
from webapp.access.guard import current_actor, current_viewer, needs
from webapp.access.models import Client, Role
from webapp.database import db, reading
from webapp.lib.text import cut
from webapp.limits import limit, viewer_key
from webapp.phases.offers_csv import OffersFile, TableError
from webapp.providers import files, rates, sources
from webapp.providers.files import Kind
from webapp.providers.reasons import by_reason
from webapp.work import circuits

bp = Blueprint("offers", __name__, url_prefix="/offers")

NAME_LENGTH = 200


@bp.get("")
@needs(Role.ADMIN)
def overview() -> ResponseReturnValue:
    """The sources, the form for a file, and the files that were taken in last."""
    return _page(Form({"kind": Kind.OFFERS.value, "source": ""}))


@bp.post("")
@needs(Role.ADMIN)
@limit("60/hour", viewer_key)
def take_in() -> ResponseReturnValue:
    """Take in a file: its good rows, with the bad ones named. With `only_check` nothing is written. `checked`: what was
    checked before, of which this is to be the very same."""
    form = Form.of(request.form, "kind", "source")
    try:
        kind = Kind(form.values["kind"])
    except ValueError:
        form.errors["kind"] = _("Choose what the file holds.")
        return _page(form)
    sent = request.files.get("file")
    name = cut(PurePath((sent.filename or "") if sent else "").name, NAME_LENGTH)
    if sent is None or not name:
        form.errors["file"] = _("Choose a file.")
        return _page(form)
    viewer = current_viewer()
    with reading() as session:  # and nothing stays open while the file is read
        currency = session.get_one(Client, viewer.client_id).currency
    source = cut(form.values["source"], NAME_LENGTH) or PurePath(name).stem
    data = sent.read()
    mark = _mark(kind, source, data)
    if request.form.get("checked", mark) != mark:
        form.errors["file"] = _("This is not what was checked: the file or what is said about it has changed.")
        return _page(form)
    try:
        found = files.read(kind, data, datetime.now(UTC), source, currency)
    except TableError as error:
        form.errors["file"] = str(error)
        return _page(form)
    only_check = bool(request.form.get("only_check"))
    tally = files.take_in(viewer.client_id, kind, name, found, current_actor(), rehearse=only_check)
    unrated = files.unrated(found, currency)
    if only_check or found.problem_count or unrated.rows:
        # The file is still chosen where the browser did not leave the page.
        still_chosen = only_check and bool(request.headers.get("HX-Request"))
        return _page(
            form,
            found=found,
            tally=tally,
            file_name=name,
            only_check=only_check,
            checked=mark if still_chosen else "",
            reasons=by_reason(found.problems),
            unrated=unrated,
            currency=currency,
        )
    flash(ngettext("%(num)s row was taken in.", "%(num)s rows were taken in.", found.rows_read), "success")
    return redirect(url_for("offers.overview"), 303)


def _mark(kind: Kind, source: str, data: bytes) -> str:
    """The same for the same file with the same words about it."""
    return hashlib.sha256(f"{kind}\n{source}\n".encode() + data).hexdigest()


def _page(form: Form, found: OffersFile | None = None, **result: object) -> ResponseReturnValue:
    session = db.session()
    newest_rate = rates.newest_day(session)
    page = render_template(
        "providers/offers.html",
        form=form,
        found=found,
        result=result,
        sources=sources.configured(),
        away={circuit.name for circuit in circuits.overview(session)},
        newest_rate=newest_rate,
        rates_are_old=newest_rate is not None and (datetime.now(UTC).date() - newest_rate).days > rates.REACH_DAYS,
        latest=files.latest(session),
        limit_mb=2,
    )
    return page, 422 if form.errors else 200
