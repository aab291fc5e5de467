"""What the frame around every page shows: who is signed in, and how much waits for review, mending or a decision."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Flask, g, request
from flask_wtf.csrf import generate_csrf
from sqlalchemy import ScalarSelect, Select, func, select
from werkzeug.local import LocalProxy

from webapp.access.models import Role
from webapp.access.sessions import Person, Viewer
from webapp.catalog.models import Product
from webapp.database import db
from webapp.learning.models import Rule, RuleState
from webapp.pipeline import queues
from webapp.pipeline.models import Run, RunState
from webapp.together import read_together
from webapp.watching.pauses import Held, ask_here, here

COUNT_TO = 1000


def _count_of(ids: Select[*tuple[Any, ...]]) -> ScalarSelect[int]:
    return select(func.count()).select_from(ids.limit(COUNT_TO).subquery()).scalar_subquery()


# In the order of the index of them, which a planner that knows nothing of the table yet would else pass by.
_UPLOADERS_COUNTS = select(
    _count_of(queues.PHOTOS_WANTED.order_by(Product.photo_wanted_at)).label("photos_wanted"),
)
_COUNTS = _UPLOADERS_COUNTS.add_columns(
    _count_of(select(Run.id).where(*queues.WAITING)).label("review"),
    _count_of(select(Run.id).where(Run.state == RunState.FAILED, Run.is_latest)).label("failed"),
)
_ADMINS_COUNTS = _COUNTS.add_columns(
    _count_of(select(Rule.id).where(Rule.state == RuleState.PROPOSED)).label("proposed")
)
_COUNTS_OF = ((Role.ADMIN, _ADMINS_COUNTS), (Role.REVIEWER, _COUNTS))


def init_app(app: Flask) -> None:
    """Give templates `viewer`; `pauses` and the counts are looked up when a page shows them."""
    app.context_processor(_for_this_request)
    app.jinja_env.globals["csrf_token"] = generate_csrf


class _Facts(NamedTuple):
    """What the frame shows of the viewer's client."""

    pauses: list[Held]
    counts: Mapping[str, int]
    """Of photos wanted, for everybody, of products by state, for those who review, and of proposed rules, for those who
    decide on them: up to 1,000."""


def _facts() -> _Facts:
    """One query per page that shows any of them."""
    if "shell_facts" not in g:
        viewer: Person | None = g.get("viewer")
        g.shell_facts = _look_up(viewer) if isinstance(viewer, Viewer) else _Facts([], {})
    facts: _Facts = g.shell_facts
    return facts


def _look_up(viewer: Viewer) -> _Facts:
    counts = next((statement for role, statement in _COUNTS_OF if viewer.role.covers(role)), _UPLOADERS_COUNTS)
    paused, [counted] = read_together(db.session(), ask_here(), (counts, {}))
    return _Facts(here(paused, viewer.client_id), counted._asdict())


def _photos_wanted() -> int:
    """How many photos are wanted. Staff are told on the desk and at the dock, which look up what is paused anyway: for
    them no other page waits for the database once more."""
    viewer: Person | None = g.get("viewer")
    is_asked = request.endpoint == "pipeline.desk" or request.blueprint == "intake"
    if not is_asked and isinstance(viewer, Viewer) and viewer.role is Role.STAFF:
        return 0
    return _facts().counts.get("photos_wanted", 0)


def _for_this_request() -> dict[str, Any]:
    return {
        "viewer": g.get("viewer"),
        "pauses": LocalProxy(lambda: _facts().pauses),
        "photos_wanted_count": LocalProxy(_photos_wanted),
        "review_count": LocalProxy(lambda: _facts().counts.get("review", 0)),
        "failure_count": LocalProxy(lambda: _facts().counts.get("failed", 0)),
        "proposal_count": LocalProxy(lambda: _facts().counts.get("proposed", 0)),
    }
