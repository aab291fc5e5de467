"""What the frame around every page shows: who is signed in, and how much waits for review."""

from typing import Any

from flask import Flask, g
from flask_wtf.csrf import generate_csrf
from sqlalchemy import ScalarSelect, func, select
from werkzeug.local import LocalProxy

from webapp.access.models import Role
from webapp.database import db
from webapp.pipeline.models import Run, RunState
from webapp.watching.pauses import Held, here

COUNT_TO = 1000


def _count_of(state: RunState) -> ScalarSelect[int]:
    some = select(Run.id).where(Run.state == state, Run.is_latest).limit(COUNT_TO)
    return select(func.count()).select_from(some.subquery()).scalar_subquery()


_COUNTS = select(_count_of(RunState.REVIEW).label("review"), _count_of(RunState.FAILED).label("failed"))


def init_app(app: Flask) -> None:
    """Give templates `viewer`; `pauses` and the counts of reviews and failures are looked up when a page shows them."""
    app.context_processor(_for_this_request)
    app.jinja_env.globals["csrf_token"] = generate_csrf


def _count(state: str) -> int:
    """How many products are in the state at the viewer's client, up to 1,000. One query per page, none for staff."""
    viewer = g.get("viewer")
    if viewer is None or viewer.role is None or not viewer.role.covers(Role.REVIEWER):
        return 0
    if "shell_counts" not in g:
        g.shell_counts = db.session.execute(_COUNTS).one()._mapping
    count: int = g.shell_counts[state]
    return count


def _pauses() -> list[Held]:
    """What keeps the viewer's client waiting. One query per page that shows it."""
    viewer = g.get("viewer")
    return here(db.session(), viewer.client_id) if viewer and viewer.client_id else []


def _for_this_request() -> dict[str, Any]:
    return {
        "viewer": g.get("viewer"),
        "pauses": LocalProxy(_pauses),
        "review_count": LocalProxy(lambda: _count("review")),
        "failure_count": LocalProxy(lambda: _count("failed")),
    }
