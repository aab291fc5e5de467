"""The page of a client's models: what they may do, what they may cost, what they did."""

from decimal import Decimal
from typing import NamedTuple
from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from webapp.access import services as access
from webapp.access.forms import Form, parse_id, parse_number
from webapp.access.guard import current_actor, current_viewer, needs
from webapp.access.models import Client, Role
from webapp.ai import configured, services
from webapp.ai.chat import ChatModel
from webapp.database import db, transaction
from webapp.phases.facts import ModelUse

bp = Blueprint("ai", __name__, url_prefix="/models")

MOST_USD, MOST_CAP_USD = 1_000_000, 999_999
"""The second is what its column holds: six digits and four decimals."""


class ModelCard(NamedTuple):
    """A model as the page shows it; its key is not shown to anybody."""

    label: str
    model: str
    host: str
    price_in: Decimal
    price_out: Decimal
    sees_photos: bool


@bp.route("", methods=["GET", "POST"])
@needs(Role.ADMIN)
def show() -> ResponseReturnValue:
    """Models, budget, switches and calls. An admin sets what models may do, an operator what they may cost."""
    viewer = current_viewer()
    client = db.session.get_one(Client, viewer.client_id)
    uses = list(client.model_uses)
    form = Form({"budget": _plain(client.model_budget_usd), "cap": _plain(client.model_cap_usd)})
    if request.method == "POST":
        changes: dict[str, object] = {}
        if "use" in request.form:  # the page sends an empty one with its switches: what it does not send stays
            uses = [use.value for use in ModelUse if use.value in request.form.getlist("use")]
            changes["model_uses"] = uses
        if viewer.is_operator:
            form.values = Form.of(request.form, "budget", "cap").values
            changes["model_budget_usd"] = form.amount("budget", MOST_USD, places=2)
            changes["model_cap_usd"] = form.amount("cap", MOST_CAP_USD, places=4)
        if not form.errors:
            with transaction():
                access.change_client(viewer.client_id, current_actor(), **changes)
            flash(_("Saved."), "success")
            return redirect(url_for("ai.show"), 303)
    session = db.session()
    product_id = parse_id(request.args.get("product", ""))
    cards, next_before = services.calls(
        session, product_id=product_id, before=parse_number(request.args.get("before", ""))
    )
    page = render_template(
        "ai/page.html",
        form=form,
        uses=uses,
        models=[_card(model) for model in configured.configured()],
        spending=services.spending(session),
        budget=client.model_budget_usd,
        sums=services.sums(session),
        calls=cards,
        next_before=next_before,
        product_id=product_id,
        may_set_money=viewer.is_operator,
    )
    return page, 422 if form.errors else 200


def _card(model: ChatModel) -> ModelCard:
    return ModelCard(
        label=model.label,
        model=model.model,
        host=urlsplit(model.endpoint.url).hostname or "",
        price_in=model.price_in,
        price_out=model.price_out,
        sees_photos=model.photo_side > 0,
    )


def _plain(amount: Decimal) -> str:
    """At least two decimals, as money is written, and no more than there are."""
    whole, _mark, decimals = f"{amount.normalize():f}".partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}"
