"""The dock: the upload form, what it sends, and the sample photos."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import NamedTuple

from flask import Blueprint, current_app, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.access.forms import parse_moment
from webapp.access.guard import current_actor, current_viewer, needs
from webapp.access.models import Role
from webapp.catalog import services as catalog
from webapp.config import Config
from webapp.crashpoints import crash_point
from webapp.database import reading, transaction
from webapp.errors import Invalid
from webapp.intake import forms, pictures, services
from webapp.intake import samples as sample_products
from webapp.intake.forms import IntakeForm
from webapp.intake.pictures import Refusal, Upload
from webapp.intake.services import Order
from webapp.pipeline import queues
from webapp.words import _, counted

bp = Blueprint("intake", __name__)

WANTED = 10
"""Photos wanted on one page of the dock: the camera for the next item stays near."""
MAX_NAMED, MAX_NAME_SHOWN = 5, 60
"""Messages for the next page travel in a cookie, of which browsers keep 4 KB and proxies pass on little more."""


class Limits(NamedTuple):
    """What one upload may be, as the form's script checks it beforehand. Sizes in bytes."""

    max_bytes: int
    max_files: int
    max_total_bytes: int


@dataclass(frozen=True)
class Outcome:
    """What became of an upload, with the files that were not taken."""

    receipt: services.Receipt
    rejected: Sequence[Refusal]


@bp.get("/intake")
@needs(Role.STAFF)
def new() -> ResponseReturnValue:
    """The upload form."""
    return _form_page(IntakeForm())


@bp.post("/intake")
@needs(Role.STAFF)
def create() -> ResponseReturnValue:
    """Photos in; a product with its run going out. Answers the form's script with a fragment, a browser with pages."""
    form = forms.read(request.form, request.files.getlist("photos"))
    if form.errors:
        return _refused(form, [])
    try:
        outcome = _take_in(form)
    except services.NothingTaken as error:
        return _refused(form, error.rejected)
    except services.Duplicates as error:
        return _known_already(form, error)
    except Invalid as error:
        form.errors.update(error.fields or {"": error.message})
        return _refused(form, [])
    return _taken(outcome)


@bp.post("/intake/samples")
@needs(Role.STAFF)
def samples() -> ResponseReturnValue:
    """The sample products, as if somebody had photographed them. Those that are there already stay as they are."""
    drawn, added = sample_products.samples(), 0
    with transaction() as session:
        services.know_samples(session, current_actor(), current_viewer().client_id)
    for sample in drawn:
        form = IntakeForm(
            values={"name": sample.hint or "", "condition": sample.condition or ""},
            uploads=[Upload(file.name, BytesIO(file.data)) for file in sample.files],
            source_data=services.SAMPLE,
        )
        with suppress(services.Duplicates):
            _take_in(form)
            added += 1
    if added:
        one, many = "1 sample product is on its way.", "%(num)s sample products are on their way."
        flash(counted(one, many, added), "success")
    else:
        flash(_("The sample products are here already."), "info")
    return redirect(url_for("pipeline.desk"), HTTPStatus.SEE_OTHER)


def _take_in(form: IntakeForm) -> Outcome:
    """One upload from its bytes to its run. The transaction is opened last, when all that is slow is done."""
    viewer, most = current_viewer(), limits()
    candidates, rejected = pictures.sift(form.uploads, most.max_bytes)
    with reading() as session:
        order = Order(
            actor=current_actor(),
            client_id=viewer.client_id,
            upload_key=services.upload_key(form.upload_key, candidates),
            catalog_id=catalog.catalog_for(session, form.catalog_id),
            hints=form.hints,
            keeps_duplicates=form.keeps_duplicates,
            source_data=form.source_data,
        )
        receipt = services.check(session, order, candidates)
    if receipt:
        return Outcome(receipt, [*rejected, *services.not_kept(receipt, candidates)])
    taken, refused = pictures.normalise(candidates, most.max_files)
    if not taken:
        raise services.NothingTaken([*rejected, *refused])
    with pictures.kept(viewer.client_id, taken) as kept, transaction() as session:
        receipt = services.receive(session, order, kept)
        crash_point("upload.before_commit")
    crash_point("upload.before_answer")
    return Outcome(receipt, [*rejected, *refused])


# --- answers --------------------------------------------------------------------------------------


def _taken(outcome: Outcome) -> ResponseReturnValue:
    receipt, rejected = outcome.receipt, outcome.rejected
    address = url_for("pipeline.product", product_id=receipt.product_id)
    with reading() as session:
        poor = services.poor_shots(session, receipt.product_id)
        no_barcode = services.missing_barcode(session, receipt.product_id)
    to_mend = poor[0].says if poor else no_barcode
    if receipt.is_new and not to_mend:
        one, many = "1 photo is safe. You can put the item down.", "%(num)s photos are safe. You can put the item down."
        flash(counted(one, many, len(receipt.sha256s)), "success")
    elif receipt.is_new and not asks_for_fragment():
        one, many = "1 photo is safe.", "%(num)s photos are safe."
        flash(counted(one, many, len(receipt.sha256s)), "success")
        flash(to_mend, "warning")
    for file_name, reason in rejected[:MAX_NAMED]:
        flash(_("%(name)s was not accepted. %(reason)s", name=file_name[:MAX_NAME_SHOWN], reason=reason), "warning")
    if len(rejected) > MAX_NAMED:
        more = len(rejected) - MAX_NAMED
        flash(counted("1 more file was not accepted.", "%(num)s more files were not accepted.", more), "warning")
    if not asks_for_fragment():
        return redirect(address, HTTPStatus.SEE_OTHER)
    answer = make_response(
        render_template(
            "intake/_result.html",
            product_id=receipt.product_id,
            safe=len(receipt.sha256s),
            rejected=rejected,
            shots=poor,
            no_barcode=no_barcode,
        ),
        HTTPStatus.CREATED if receipt.is_new else HTTPStatus.OK,
    )
    answer.headers["X-Location"] = address
    return answer


def _refused(form: IntakeForm, rejected: Sequence[Refusal]) -> ResponseReturnValue:
    if asks_for_fragment():
        fragment = render_template("intake/_rejected.html", rejected=rejected, form=form)
        return fragment, HTTPStatus.UNPROCESSABLE_ENTITY
    return _form_page(form, rejected=rejected), HTTPStatus.UNPROCESSABLE_ENTITY


def _known_already(form: IntakeForm, error: services.Duplicates) -> ResponseReturnValue:
    duplicates = [
        (
            file_name,
            twin.product_id,
            twin.title,
            url_for("catalog.photo", photo_id=twin.photo_id, variant="thumb"),
            twin.created_at,
        )
        for file_name, twin in error.twins
    ]
    if asks_for_fragment():
        return render_template("intake/_duplicates.html", duplicates=duplicates), HTTPStatus.CONFLICT
    return _form_page(form, duplicates=duplicates), HTTPStatus.CONFLICT


def _form_page(
    form: IntakeForm,
    rejected: Sequence[Refusal] = (),
    duplicates: Sequence[tuple[object, ...]] = (),
) -> str:
    wanted_before = parse_moment(request.args.get("wanted_before", ""))
    with reading() as session:
        catalogs = catalog.choices(session)
        wanted = queues.photos_wanted(session, before=wanted_before, many=WANTED)
    return render_template(
        "intake/new.html",
        form=form,
        upload_key=str(form.upload_key),
        catalogs=catalogs,
        limits=limits(),
        rejected=rejected,
        duplicates=duplicates,
        wanted=wanted,
        wanted_before=wanted_before,
    )


def asks_for_fragment() -> bool:
    """Whether a script asks, which puts the answer into the page that is open."""
    return request.headers.get("X-Requested-With") == "XMLHttpRequest"


def limits() -> Limits:
    """Of one upload, as configured."""
    config: Config = current_app.extensions["lotline_config"]
    return Limits(config.max_photo_bytes, config.max_photos, config.max_request_bytes)
