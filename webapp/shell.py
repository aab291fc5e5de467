"""What the frame around every page shows: who is signed in, and how much waits for review."""

from typing import Any

from flask import Flask, g
from flask_wtf.csrf import generate_csrf
from sqlalchemy import func, select
from werkzeug.local import LocalProxy

from webapp.access.models import Role
from webapp.database import db
from webapp.pipeline.models import Run, RunState

COUNT_TO = 1000
_waiting = select(Run.id).where(Run.state == RunState.REVIEW, Run.is_latest).limit(COUNT_TO)
_COUNT_WAITING = select(func.count()).select_from(_waiting.subquery())


def init_app(app: Flask) -> None:
    """Give templates `viewer` and `review_count`. The count is asked for when a page shows it: fragments do not."""
    app.context_processor(_for_this_request)
    app.jinja_env.globals["csrf_token"] = generate_csrf


def review_count() -> int:
    """How many products wait for review at the viewer's client, up to 1,000. One query per page, none for staff."""
    viewer = g.get("viewer")
    if viewer is None or viewer.role is None or not viewer.role.covers(Role.REVIEWER):
        return 0
    if "review_count" not in g:
        g.review_count = db.session.scalar(_COUNT_WAITING) or 0
    count: int = g.review_count
    return count


def _for_this_request() -> dict[str, Any]:
    return {"viewer": g.get("viewer"), "review_count": LocalProxy(review_count)}
