"""What people say of the offers among a product's findings, and the market research that goes by it."""

from uuid import UUID

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from webapp.access.guard import current_actor, current_viewer, needs
from webapp.access.models import Role
from webapp.database import db, transaction
from webapp.errors import Invalid, NotFound
from webapp.pipeline import cards, parts, verdicts
from webapp.pipeline.models import PhaseName

bp = Blueprint("verdicts", __name__)

_WORDS = {"same": True, "another": False, "": None}


@bp.post("/runs/<uuid:run_id>/offers/<uuid:offer_id>")
@needs(Role.REVIEWER)
def say(run_id: UUID, offer_id: UUID) -> ResponseReturnValue:
    """Say `same` or `another` of an offer; empty: take back what was said. `?seen=`: what had been said before."""
    is_same, seen = _word(request.form.get("says")), _word(request.args.get("seen"))
    viewer = current_viewer()
    with transaction() as session:
        verdicts.say(
            session,
            run_id,
            offer_id,
            is_same,
            seen=seen,
            by=viewer.user_id,
            by_name=viewer.name,
            actor=current_actor(),
        )
    card = cards.card(db.session(), run_id)
    if card is None:
        raise NotFound("There is no such product.")
    if request.headers.get("HX-Request"):
        return parts.found(db.session(), card).panel(card.phases[PhaseName.MARKET.number - 1])
    where = url_for("pipeline.product", product_id=card.product_id, run=card.number, _anchor=f"offers-{run_id}")
    return redirect(where, 303)


@bp.post("/products/<uuid:product_id>/market")
@needs(Role.REVIEWER)
def research_again(product_id: UUID) -> ResponseReturnValue:
    """Have the market of the product researched with what was said."""
    viewer = current_viewer()
    with transaction() as session:
        is_new = verdicts.research_again(
            session, product_id, by=viewer.user_id, by_name=viewer.name, actor=current_actor()
        )
    if is_new:
        flash(_("The market is being researched with what was said of the offers."), "success")
    else:
        flash(_("This product is on the line already: its market research goes by what was said."), "success")
    return redirect(url_for("pipeline.product", product_id=product_id), 303)


def _word(raw: str | None) -> bool | None:
    if raw not in _WORDS:
        raise Invalid(_("This button is out of date. Load the page again."))
    return _WORDS[raw]
