"""The desk, a product's page, and what people do to its run."""

from decimal import Decimal
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from webapp.access.forms import Form
from webapp.access.guard import current_actor, current_viewer, needs
from webapp.access.models import Client, Role
from webapp.audit import services as audit
from webapp.catalog import pricing
from webapp.database import db, transaction
from webapp.errors import Conflict, NotFound
from webapp.phases.listing import edited
from webapp.phases.listing.specifics import BULLETS
from webapp.pipeline import cards, findings, listing_texts, live, log, parts, services, subjects, verdicts
from webapp.pipeline import desk as desks
from webapp.pipeline.models import Run, RunState
from webapp.together import read_together

bp = Blueprint("pipeline", __name__)

SCOPES = ("all", "mine")


@bp.get("/")
@needs(Role.STAFF)
def desk() -> ResponseReturnValue:
    """All products by their latest run, newest first."""
    viewer, scope = current_viewer(), _scope()
    state = request.args.get("state", "all")
    if state not in ("all", *RunState):
        state = "all"
    owner = viewer.user_id if scope == "mine" else None
    before = _uuid(request.args.get("before"))
    session = db.session()
    wanted = desks.ask_newest(created_by=owner, state=None if state == "all" else state, before=before)
    rows, numbers = read_together(session, wanted, desks.ask_counts(owner))
    runs, next_before = desks.newest(session, rows)
    return render_template(
        "pipeline/desk.html",
        rows=[parts.row(run) for run in runs],
        counts=desks.counts(numbers),
        scope=scope,
        state=state,
        before=str(before) if before else None,
        next_before=str(next_before) if next_before else None,
        topic=live.desk_topic(viewer.client_id, owner),
    )


@bp.get("/live/desk")
@needs(Role.STAFF)
def desk_live() -> ResponseReturnValue:
    """The desk's fragments, for pages whose socket is down."""
    viewer = current_viewer()
    return _fragments(live.desk_topic(viewer.client_id, viewer.user_id if _scope() == "mine" else None))


@bp.get("/products/<uuid:product_id>")
@needs(Role.STAFF)
def product(product_id: UUID) -> ResponseReturnValue:
    """A product with its photos, its run (the latest, or `?run=2`) and everything found."""
    session = db.session()
    products, *of_runs, photo_rows = read_together(
        session, subjects.ask_product(product_id), *cards.ask_product(product_id), subjects.ask_photos(product_id)
    )
    view, photos = subjects.product_of(products), subjects.photos_of(photo_rows)
    runs = cards.cards_of(session, *of_runs)
    if view is None or not runs:
        gone = subjects.removed(session, product_id)
        if gone is None:
            raise NotFound("There is no such product.")
        return render_template("pipeline/removed.html", product=gone)
    number = request.args.get("run", type=int)
    run = next((card for card in runs if card.number == number), runs[0])
    asked = log.ask_lines(run.stream_id)
    event_rows, versions, said = read_together(session, asked, findings.ask_versions(run.id), verdicts.ask(product_id))
    events, has_more = log.lines(asked, event_rows)
    found = parts.Found(session, run, photos, findings.versions(versions), verdicts.by_offer(said))
    return render_template(
        "pipeline/product.html",
        product=view,
        run=run,
        runs=runs,
        head=parts.head(run),
        photos=found.photos(),
        panels=[found.panel(phase) for phase in run.phases],
        lines=[parts.line(run.id, event) for event in events],
        has_more=has_more,
        topic=live.run_topic(run.id),
    )


@bp.get("/products/<uuid:product_id>/listing")
@needs(Role.STAFF)
def listing(product_id: UUID) -> ResponseReturnValue:
    """The listing to copy from, or to print."""
    session = db.session()
    view = subjects.product(session, product_id)
    runs = cards.cards_of_product(session, product_id)
    if view is None or not runs:
        raise NotFound("There is no such product.")
    found = parts.found_of(session, runs[0].id)["listing"]
    if found is None:
        raise NotFound("This product's listing is not written yet.")
    return render_template(
        "pipeline/listing.html",
        product=view,
        run=runs[0],
        listing=found,
        photos=subjects.photos(session, product_id),
    )


@bp.route("/products/<uuid:product_id>/listing/texts", methods=["GET", "POST"])
@needs(Role.REVIEWER)
def edit_listing(product_id: UUID) -> ResponseReturnValue:
    """Title, bullet points, description, price and category, to be written by a person."""
    session, viewer = db.session(), current_viewer()
    view, runs = subjects.product(session, product_id), cards.cards_of_product(session, product_id)
    seen = listing_texts.version(session, runs[0].id) if runs else ""  # before its texts: those may be newer, not older
    found = parts.found_of(session, runs[0].id)["listing"] if view is not None and runs else None
    if found is None:
        raise NotFound("This product's listing is not written yet.")
    currency = session.get_one(Client, viewer.client_id).currency
    now = {
        "title": found.title,
        "price": found.price or "" if found.currency == currency else "",
        "category": found.category or "",
        "bullets": "\n".join(found.bullets),
        "description": found.description,
    }
    form, theirs, status = Form(dict(now)), {}, 200
    if request.method == "POST":
        form = Form.of(request.form, "title", "bullets", "description", "category")
        texts, errors = edited.read(**form.values)
        form.values |= Form.of(request.form, "price").values
        form.errors = errors
        status = 422
        price = form.optional_amount("price", Decimal("0.01"))
        if price is not None and (found.price is None or price != Decimal(found.price) or currency != found.currency):
            texts["price"] = f"{price:.2f}"
        if not form.errors:
            looked_at = request.form.get("seen", "")
            try:
                with transaction() as writing:
                    changed = listing_texts.edit(
                        writing, product_id, texts, current_actor(), viewer.name, currency, looked_at
                    )
            except Conflict as error:
                form.refuse(error)
                status = 409
                theirs = {name: value for name, value in now.items() if value.split() != form.values[name].split()}
            else:
                flash(_("Saved. Later runs keep it.") if changed else _("Nothing was changed."), "success")
                return redirect(url_for("pipeline.listing", product_id=product_id), 303)
    page = render_template(
        "pipeline/listing_texts.html",
        product=view,
        form=form,
        title_limit=edited.TITLE_LIMIT,
        lines=BULLETS,
        currency=currency,
        seen=seen,
        theirs=theirs,
    )
    return page, status


@bp.post("/products/<uuid:product_id>/cost")
@needs(Role.REVIEWER)
def set_cost(product_id: UUID) -> ResponseReturnValue:
    """Say what the product cost, in the client's currency; an empty field: nobody knows."""
    form = Form.of(request.form, "cost")
    cost = form.optional_amount("cost", Decimal(0))
    if form.errors:
        flash(form.errors["cost"], "warning")
    else:
        with transaction() as session:
            currency = session.get_one(Client, current_viewer().client_id).currency
            pricing.set_cost(session, product_id, cost, currency, current_actor())
        flash(_("Saved. The margin counts from the next listing on."), "success")
    return redirect(url_for("pipeline.product", product_id=product_id), 303)


@bp.post("/products/<uuid:product_id>/runs")
@needs(Role.STAFF)
def run_again(product_id: UUID) -> ResponseReturnValue:
    """Start a new run of the product."""
    with transaction() as session:
        run = services.run_again(session, product_id, current_viewer().user_id)
        _audit("run_started_again", run)
    return redirect(url_for("pipeline.product", product_id=product_id), 303)


@bp.post("/products/<uuid:product_id>/removal")
@needs(Role.STAFF)
def remove(product_id: UUID) -> ResponseReturnValue:
    """Take the product off the desk; the page that follows offers to put it back."""
    with transaction() as session:
        run = services.remove_product(session, product_id, current_viewer().user_id)
        _audit("product_removed", run)
    return redirect(url_for("pipeline.product", product_id=product_id), 303)


@bp.post("/products/<uuid:product_id>/return")
@needs(Role.STAFF)
def put_back(product_id: UUID) -> ResponseReturnValue:
    """Undo a removal."""
    with transaction() as session:
        run = services.put_back(session, product_id)
        _audit("product_put_back", run)
    return redirect(url_for("pipeline.product", product_id=product_id), 303)


@bp.get("/runs/<uuid:run_id>/live")
@needs(Role.STAFF)
def run_live(run_id: UUID) -> ResponseReturnValue:
    """A run's fragments, for pages whose socket is down."""
    return _fragments(live.run_topic(run_id))


@bp.post("/runs/<uuid:run_id>/phases/<int:number>/stop")
@needs(Role.STAFF)
def stop_phase(run_id: UUID, number: int) -> ResponseReturnValue:
    """Stop the phase that the run is at."""
    with transaction() as session:
        run = services.stop_phase(session, run_id, number)
        _audit("phase_stopped", run, number)
    return _after(run)


@bp.post("/runs/<uuid:run_id>/phases/<int:number>/resume")
@needs(Role.STAFF)
def resume_phase(run_id: UUID, number: int) -> ResponseReturnValue:
    """Set a stopped phase going again."""
    with transaction() as session:
        run = services.resume_phase(session, run_id, number)
        _audit("phase_resumed", run, number)
    return _after(run)


@bp.post("/runs/<uuid:run_id>/phases/<int:number>/retry")
@needs(Role.STAFF)
def retry_phase(run_id: UUID, number: int) -> ResponseReturnValue:
    """Try a failed or waiting phase again, now."""
    with transaction() as session:
        run = services.retry_phase(session, run_id, number)
        _audit("phase_retried", run, number)
    return _after(run)


def _after(run: Run) -> ResponseReturnValue:
    """The run as it is now to htmx, the product's page to a form."""
    if request.headers.get("HX-Request"):
        card = cards.card(db.session(), run.id)
        if card is None:
            abort(404)
        return parts.head(card)
    return redirect(f"{url_for('pipeline.product', product_id=run.product_id)}?{urlencode({'run': run.number})}", 303)


def _audit(action: str, run: Run, number: int | None = None) -> None:
    audit.record(
        current_actor(),
        action,
        client_id=run.client_id,
        table="runs",
        row_id=run.id,
        details={"run": run.number, "phase": number},
    )


def _fragments(topic: str) -> ResponseReturnValue:
    if not live.may_watch(current_viewer(), topic):
        raise NotFound("There is no such page.")
    answer = Response(live.html(topic))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _scope() -> str:
    scope = request.args.get("scope", "all")
    return scope if scope in SCOPES else "all"


def _uuid(raw: str | None) -> UUID | None:
    try:
        return UUID(raw) if raw else None
    except ValueError:
        return None
