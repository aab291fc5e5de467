"""The rules that people's corrections propose: seen by reviewers, decided by admins."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from webapp.access.forms import parse_number
from webapp.access.guard import current_actor, current_viewer, needs
from webapp.access.models import Role
from webapp.database import db, transaction
from webapp.errors import Conflict
from webapp.learning import rules as listed
from webapp.learning import services
from webapp.learning.models import RuleState

bp = Blueprint("learning", __name__, url_prefix="/rules")


@bp.get("")
@needs(Role.REVIEWER)
def rules() -> ResponseReturnValue:
    """Rules, the newest first, of one state or of all."""
    raw = request.args.get("state", "")
    state = RuleState(raw) if raw in set(RuleState) else None
    cards, before = listed.page(db.session(), state, parse_number(request.args.get("before", "")))
    return render_template(
        "rules/page.html",
        rules=cards,
        next_before=before,
        state=state.value if state else None,
        counts=listed.counts(db.session()),
        times=services.TIMES,
    )


@bp.post("/<int:rule_id>/acceptance")
@needs(Role.ADMIN)
def accept(rule_id: int) -> ResponseReturnValue:
    """The rule holds from now on."""
    return _decide(rule_id, RuleState.ACCEPTED, _("Accepted. It holds for products whose analysis ends from now on."))


@bp.post("/<int:rule_id>/refusal")
@needs(Role.ADMIN)
def refuse(rule_id: int) -> ResponseReturnValue:
    """The rule is not proposed again."""
    return _decide(rule_id, RuleState.REFUSED, _("Refused. It will not be proposed again."))


@bp.post("/<int:rule_id>/return")
@needs(Role.ADMIN)
def take_back(rule_id: int) -> ResponseReturnValue:
    """An accepted rule holds no more."""
    return _decide(rule_id, RuleState.WITHDRAWN, _("Taken back. What it changed so far stays as it is."))


@bp.post("/<int:rule_id>/proposal")
@needs(Role.ADMIN)
def reopen(rule_id: int) -> ResponseReturnValue:
    """A refused rule is proposed again."""
    return _decide(rule_id, RuleState.PROPOSED, _("It is proposed again."))


def _decide(rule_id: int, state: RuleState, says: str) -> ResponseReturnValue:
    try:
        with transaction() as session:
            services.decide_rule(session, rule_id, state, user_id=current_viewer().user_id, actor=current_actor())
    except Conflict as conflict:
        flash(conflict.message, "warning")
    else:
        flash(says, "success")
    return redirect(url_for("learning.rules"), 303)
