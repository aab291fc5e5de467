"""What failed, grouped by its cause, and trying it again: one, or all of a group.

Callers hold a `transaction()`. A constant number of queries, whatever has failed.
"""

import re
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from webapp.errors import NotFound
from webapp.failures.models import Retried, Retry
from webapp.lib.fingerprint import fingerprint
from webapp.pipeline.cards import photo_url
from webapp.pipeline.models import Phase, Run, RunState
from webapp.work import calls
from webapp.work import services as work
from webapp.work.models import Work, WorkState
from webapp.work.priority import Priority

GROUPS = 50
EXAMPLES = 3
RETRIES = 5
BATCH = 200
"""How many products are tried again in one transaction."""
UNKNOWN_OUTCOME = "outcome_unknown:"


class Example(NamedTuple):
    """One failed product of a group."""

    work_id: int
    product_id: UUID
    title: str | None
    thumb_url: str | None
    phase: str
    failed_at: datetime


class Group(NamedTuple):
    """Failures of one cause. `needs_a_look`: they hang on calls of which nobody knows whether they happened, so they
    are tried again one by one, by somebody who has made sure that they did not. `key`: for ids in the page."""

    cause: str
    key: str
    says: str
    many: int
    newest_at: datetime
    needs_a_look: bool
    examples: tuple[Example, ...]


class Progress(NamedTuple):
    """What became of products that somebody tried again together."""

    id: UUID
    says: str
    by_name: str
    created_at: datetime
    many: int
    done: int
    failed: int
    going: int
    waiting: int


_GROUPS = text("""
    SELECT work.cause, count(*) AS many, max(work.finished_at) AS newest_at
    FROM work JOIN phases ON phases.work_id = work.id JOIN runs ON runs.id = phases.run_id
    WHERE work.state = 'failed' AND runs.is_latest AND work.cause IS NOT NULL
    GROUP BY work.cause ORDER BY newest_at DESC, work.cause LIMIT :many
""")
_EXAMPLES = text("""
    SELECT causes.cause, one.* FROM unnest(CAST(:causes AS text[])) AS causes(cause) CROSS JOIN LATERAL (
        SELECT work.id AS work_id, work.last_error, work.finished_at, work.args->'event'->>'phase' AS phase,
               runs.product_id, coalesce(products.name, runs.hints->>'name', found.product_name) AS title,
               photos.id AS photo_id
        FROM work
        JOIN phases ON phases.work_id = work.id
        JOIN runs ON runs.id = phases.run_id
        JOIN products ON products.id = runs.product_id
        LEFT JOIN photos ON photos.product_id = products.id AND photos.is_primary
        LEFT JOIN phases first ON first.run_id = runs.id AND first.number = 1
        LEFT JOIN analysis_findings found ON found.phase_id = first.id
        WHERE work.state = 'failed' AND work.cause = causes.cause AND runs.is_latest
        ORDER BY work.finished_at DESC, work.id DESC LIMIT :many
    ) AS one
""")


def groups(session: Session) -> list[Group]:
    """The causes for which something has failed and not been tried again since, the newest first."""
    found = session.execute(_GROUPS, {"many": GROUPS}).all()
    examples: dict[str, list[Example]] = {row.cause: [] for row in found}
    errors: dict[str, str] = {}
    rows = session.execute(_EXAMPLES, {"causes": list(examples), "many": EXAMPLES}) if found else ()
    for row in rows:
        errors.setdefault(row.cause, row.last_error or "")
        examples[row.cause].append(
            Example(
                work_id=row.work_id,
                product_id=row.product_id,
                title=row.title,
                thumb_url=photo_url(row.photo_id, "thumb") if row.photo_id else None,
                phase=row.phase or "",
                failed_at=row.finished_at,
            )
        )
    return [
        Group(
            cause=row.cause,
            key=fingerprint(row.cause)[:12],
            says=in_words(row.cause, errors.get(row.cause, "")),
            many=row.many,
            newest_at=row.newest_at,
            needs_a_look=row.cause.startswith(UNKNOWN_OUTCOME),
            examples=tuple(examples[row.cause]),
        )
        for row in found
    ]


def in_words(cause: str, error: str) -> str:
    """A cause as a sentence begins. What is our own fault is said so; the rest speaks for itself."""
    kind, _, name = cause.partition(":")
    if cause == "crash_loop":
        return "The worker broke down each time it did this"
    if kind == "unexpected" and re.fullmatch(r"\w+", name):
        return f"Lotline itself went wrong ({name})"
    if kind == "database" and re.fullmatch(r"\w+", name):
        return f"The database refused what was to be written ({name})"
    error = (error or cause).rstrip(".")
    first = error.split(" ", 1)[0]
    return error[0].upper() + error[1:] if first.islower() else error  # “eBay” stays


_PROGRESS = text("""
    SELECT retries.id, retries.says, coalesce(users.name, '') AS by_name, retries.created_at, count(work.id) AS many,
           count(*) FILTER (WHERE work.state IN ('done', 'held')) AS done,
           count(*) FILTER (WHERE work.state IN ('failed', 'stopped')) AS failed,
           count(*) FILTER (WHERE work.state IN ('ready', 'running')) AS going,
           count(*) FILTER (WHERE work.state = 'waiting') AS waiting
    FROM (SELECT * FROM retries WHERE created_at > clock_timestamp() - interval '1 day'
          ORDER BY created_at DESC LIMIT :many) AS retries
    JOIN retried ON retried.retry_id = retries.id
    JOIN work ON work.id = retried.work_id
    LEFT JOIN users ON users.id = retries.created_by
    GROUP BY retries.id, retries.says, users.name, retries.created_at ORDER BY retries.created_at DESC
""")


def progress(session: Session) -> list[Progress]:
    """What was tried again lately, the newest first, and what became of it."""
    return [Progress(*row) for row in session.execute(_PROGRESS, {"many": RETRIES})]


_FORGET = text("""
    DELETE FROM retries WHERE client_id = :client_id AND created_at < clock_timestamp() - make_interval(days => :days)
""")
KEPT_DAYS = 30
"""The page tells of a retry for a day; who has it open for longer can still press its button twice."""


def begin(session: Session, retry_id: UUID, client_id: UUID, cause: str, user_id: UUID | None) -> bool:
    """Note that somebody tries a group again. False: this press has been noted already.

    Raises:
        NotFound: nothing has failed for this cause, or not any more.
    """
    if session.get(Retry, retry_id) is not None:
        return False
    newest = session.execute(
        select(Work.last_error).where(*_failed_of(cause)).order_by(Work.finished_at.desc()).limit(1)
    ).first()
    if newest is None:
        raise NotFound("Nothing of this kind is failed any more. Somebody may have tried it again.")
    says = in_words(cause, newest.last_error or "")
    values = {"id": retry_id, "client_id": client_id, "cause": cause, "says": says, "created_by": user_id}
    session.execute(_FORGET, {"client_id": client_id, "days": KEPT_DAYS})
    noted = session.execute(insert(Retry).values(values).on_conflict_do_nothing().returning(Retry.id))
    return noted.first() is not None


def retry_some(session: Session, retry_id: UUID, client_id: UUID, cause: str, *, limit: int = BATCH) -> int:
    """Set up to `limit` failed products of a cause going again, as bulk work; how many there were.

    What somebody else holds at this moment is left out.
    """
    # Whoever starts a run anew locks it too, so a run that is locked here stays its product's latest.
    rows = session.execute(
        select(Work.id, Run.id.label("run_id"))
        .join(Phase, Phase.work_id == Work.id)
        .join(Run, Run.id == Phase.run_id)
        .where(*_failed_of(cause), Run.is_latest, Run.state == RunState.FAILED)
        .order_by(Work.id)
        .limit(limit)
        .with_for_update(of=[Work, Run], skip_locked=True)
    ).all()
    runs = {row.id: row.run_id for row in rows}
    phases = select(Phase.work_id).where(Phase.run_id.in_(runs.values()))
    session.execute(
        update(Work)
        .where(Work.id.in_(phases), Work.state == WorkState.BLOCKED)
        .values(priority=Priority.BULK.value)
        .execution_options(synchronize_session=False)
    )
    _set_going(session, retry_id, client_id, runs, Priority.BULK)
    return len(rows)


def retry_one(session: Session, retry_id: UUID, client_id: UUID, cause: str, work_id: int) -> int:
    """Set one failed product of a cause going again. For a call whose outcome is unknown this is a person's word that
    it did not happen: it will be made anew."""
    row = session.execute(
        select(Work.id, Run.id.label("run_id"))
        .join(Phase, Phase.work_id == Work.id)
        .join(Run, Run.id == Phase.run_id)
        .where(*_failed_of(cause), Work.id == work_id, Run.is_latest, Run.state == RunState.FAILED)
        .with_for_update(of=[Work, Run])
    ).one_or_none()
    if row is None:
        raise NotFound("This product is not failed any more. Somebody may have tried it again.")
    if cause.startswith(UNKNOWN_OUTCOME):
        calls.call_again(session, work_id)
    _set_going(session, retry_id, client_id, {row.id: row.run_id})
    return 1


def _failed_of(cause: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Work.state == WorkState.FAILED, Work.cause == cause


def _set_going(
    session: Session, retry_id: UUID, client_id: UUID, runs: dict[int, UUID], priority: Priority | None = None
) -> None:
    if not runs:
        return
    values = [{"retry_id": retry_id, "work_id": work_id, "client_id": client_id} for work_id in runs]
    session.execute(insert(Retried).values(values).on_conflict_do_nothing())
    session.execute(
        update(Run)
        .where(Run.id.in_(runs.values()))
        .values(state=RunState.RUNNING, changed_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )
    work.restart_all(session, client_id, list(runs), "tried again by a person", priority=priority)
