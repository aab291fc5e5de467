"""Pricing rules of catalogs: set by admins, tried on the catalog's own products before they hold."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from webapp.access.forms import Form, parse_id
from webapp.access.guard import current_actor, current_viewer, needs
from webapp.access.models import Client, Role
from webapp.catalog import pricing
from webapp.catalog.pricing import Ruled
from webapp.database import db, transaction
from webapp.errors import NotFound
from webapp.pricing import floors, forms, preview

bp = Blueprint("pricing", __name__, url_prefix="/pricing")


@bp.app_template_global("too_low")
def too_low(product_id: UUID) -> floors.TooLow | None:
    """For pages with a product's price: what speaks against it."""
    return floors.too_low(db.session(), product_id)


@bp.get("")
@needs(Role.ADMIN)
def rules() -> ResponseReturnValue:
    """The rules of one catalog, the default one unless named, and what they make of its products."""
    catalogs = pricing.catalogs(db.session())
    chosen = _chosen(catalogs, request.args.get("catalog", ""))
    return _page(catalogs, chosen, forms.filled(chosen.rules))


@bp.post("/preview")
@needs(Role.ADMIN)
def try_out() -> ResponseReturnValue:
    """The same page with rules that are typed, but not kept."""
    catalogs = pricing.catalogs(db.session())
    chosen = _chosen(catalogs, request.form.get("catalog", ""))
    return _page(catalogs, chosen, Form.of(request.form, *forms.FIELDS))


@bp.post("")
@needs(Role.ADMIN)
def save() -> ResponseReturnValue:
    """Keep the rules that are typed."""
    catalogs = pricing.catalogs(db.session())
    chosen = _chosen(catalogs, request.form.get("catalog", ""))
    form = Form.of(request.form, *forms.FIELDS)
    wanted = forms.read(form, _currency())
    if form.errors:
        return _page(catalogs, chosen, form)
    with transaction() as session:
        pricing.set_rules(session, chosen.id, wanted, current_actor())
    flash(_("Saved. It holds for listings that are written from now on."), "success")
    return redirect(url_for("pricing.rules", catalog=chosen.id), 303)


def _page(catalogs: list[Ruled], chosen: Ruled, form: Form) -> ResponseReturnValue:
    tried = forms.read(form, _currency())
    session = db.session()
    samples = [] if form.errors else preview.samples(session, chosen.id, chosen.rules, tried)
    page = render_template(
        "pricing/rules.html",
        catalogs=catalogs,
        chosen=chosen,
        form=form,
        samples=samples,
        currency=_currency(),
        is_kept=tried == chosen.rules,
        shown=preview.SHOWN,
    )
    return page, 422 if form.errors else 200


def _chosen(catalogs: list[Ruled], typed: str) -> Ruled:
    wanted: UUID | None = parse_id(typed) if typed else None
    for catalog in catalogs:
        if catalog.id == wanted or not typed:
            return catalog
    raise NotFound(_("There is no such catalog."))


def _currency() -> str:
    return db.session.get_one(Client, current_viewer().client_id).currency
