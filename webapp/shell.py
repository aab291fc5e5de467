"""What the frame around every page shows: who is signed in, and how much waits for review, mending or a decision."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Flask, g
from flask_wtf.csrf import generate_csrf
from sqlalchemy import ScalarSelect, Select, func, select
from werkzeug.local import LocalProxy

from webapp.access.models import Role
from webapp.access.sessions import Person, Viewer
from webapp.database import db
from webapp.learning.models import Rule, RuleState
from webapp.pipeline.models import Run, RunState
from webapp.together import read_together
from webapp.watching.pauses import Held, ask_here, here

COUNT_TO = 1000


def _count_of(ids: Select[*tuple[Any, ...]]) -> ScalarSelect[int]:
    return select(func.count()).select_from(ids.limit(COUNT_TO).subquery()).scalar_subquery()


def _runs(state: RunState) -> ScalarSelect[int]:
    return _count_of(select(Run.id).where(Run.state == state, Run.is_latest))


_COUNTS = select(_runs(RunState.REVIEW).label("review"), _runs(RunState.FAILED).label("failed"))
_ADMINS_COUNTS = _COUNTS.add_columns(
    _count_of(select(Rule.id).where(Rule.state == RuleState.PROPOSED)).label("proposed")
)


def init_app(app: Flask) -> None:
    """Give templates `viewer`; `pauses` and the counts are looked up when a page shows them."""
    app.context_processor(_for_this_request)
    app.jinja_env.globals["csrf_token"] = generate_csrf


class _Facts(NamedTuple):
    """What the frame shows of the viewer's client."""

    pauses: list[Held]
    counts: Mapping[str, int]
    """Of products by state, for those who review, and of proposed rules, for those who decide on them: up to 1,000."""


def _facts() -> _Facts:
    """One query per page that shows any of them."""
    if "shell_facts" not in g:
        viewer: Person | None = g.get("viewer")
        g.shell_facts = _look_up(viewer) if isinstance(viewer, Viewer) else _Facts([], {})
    facts: _Facts = g.shell_facts
    return facts


def _look_up(viewer: Viewer) -> _Facts:
    asked = [ask_here()]
    if viewer.role.covers(Role.REVIEWER):
        asked.append((_ADMINS_COUNTS if viewer.role.covers(Role.ADMIN) else _COUNTS, {}))
    paused, *counts = read_together(db.session(), *asked)
    return _Facts(here(paused, viewer.client_id), counts[0][0]._asdict() if counts else {})


def _for_this_request() -> dict[str, Any]:
    return {
        "viewer": g.get("viewer"),
        "pauses": LocalProxy(lambda: _facts().pauses),
        "review_count": LocalProxy(lambda: _facts().counts.get("review", 0)),
        "failure_count": LocalProxy(lambda: _facts().counts.get("failed", 0)),
        "proposal_count": LocalProxy(lambda: _facts().counts.get("proposed", 0)),
    }
