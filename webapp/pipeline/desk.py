"""The desk: which runs it shows, and how many there are. A constant number of queries, whatever the number of rows.

What begins with `ask_` gives a statement to be read together with others, and what it reads goes to the function of
the same name without it.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ColumnExpressionArgument,
    CompoundSelect,
    Integer,
    Select,
    bindparam,
    exists,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from webapp.catalog.models import Product
from webapp.pipeline.cards import RUNS, AnyRow, RunCard, cards_of
from webapp.pipeline.models import Run, RunState
from webapp.together import Asked, read_together
from webapp.work.models import Stream

PAGE = 50
MANY = 1001
"""Counts stop here: what is shown is "1000+", and no count reads a whole table."""


class Counts(NamedTuple):
    """Products by the state of their latest run; none above MANY."""

    all: int
    running: int
    completed: int
    review: int
    failed: int
    stopped: int


@cache
def _newest_statement(mine: bool, by_state: bool, older: bool) -> Select[*tuple[Any, ...]]:
    conditions: list[ColumnExpressionArgument[bool]] = [Run.is_latest]
    if mine:
        conditions.append(Run.created_by == bindparam("created_by"))
    if by_state:
        conditions.append(Run.state == bindparam("state", type_=Run.state.type))
    if older:
        conditions.append(Run.id < bindparam("before"))
    return RUNS.where(*conditions).order_by(Run.id.desc()).limit(bindparam("many", type_=Integer))


def ask_newest(*, created_by: UUID | None, state: str | None, before: UUID | None) -> Asked:
    """One page of the newest products' latest runs, and one more. `created_by`: only theirs."""
    statement = _newest_statement(created_by is not None, state is not None, before is not None)
    wanted = {
        "created_by": created_by,
        "state": RunState(state) if state is not None else None,
        "before": before,
        "many": PAGE + 1,
    }
    return statement, {key: value for key, value in wanted.items() if value is not None}


def newest(session: Session, rows: Sequence[AnyRow]) -> tuple[list[RunCard], UUID | None]:
    """The page's cards, and the id to continue before, if there are more."""
    cards = cards_of(session, rows[:PAGE])
    return cards, cards[-1].id if len(rows) > PAGE else None


_later = aliased(Run)


def _recently_changed() -> Select[int]:
    """Of the streams of products' newest runs: the others have no row, and several of one product would leave no room
    for others'."""
    has_later = exists().where(_later.product_id == Run.product_id, _later.number > Run.number)
    return (
        select(Stream.id)
        .join(Run, Run.stream_id == Stream.id)
        .where(Stream.kind == "run", ~has_later)
        .order_by(Stream.changed_at.desc())
        .limit(PAGE)
    )


@cache
def _changed_statement(mine: bool) -> Select[*tuple[Any, ...]]:
    only = [Run.created_by == bindparam("created_by")] if mine else []
    return RUNS.where(Run.stream_id.in_(_recently_changed()), Run.is_latest, *only)


def latest_changed(session: Session, *, created_by: UUID | None) -> list[RunCard]:
    """The runs that changed last: what somebody who was away may have missed."""
    wanted = {"created_by": created_by} if created_by is not None else {}
    [rows] = read_together(session, (_changed_statement(created_by is not None), wanted))
    return cards_of(session, rows)


def latest_removed(session: Session) -> Sequence[AnyRow]:
    """Of the runs that changed last those whose product was removed: `product_id`, `number` and the stream's `seq`."""
    return session.execute(
        select(Run.product_id, Run.number, Stream.seq)
        .join(Stream, Stream.id == Run.stream_id)
        .join(Product, Product.id == Run.product_id)
        .where(Run.stream_id.in_(_recently_changed()), Product.deleted_at.is_not(None))
    ).all()


def _count_of(*only: ColumnElement[bool]) -> CompoundSelect[str, int]:
    return union_all(
        *(
            select(literal(state.value).label("state"), func.count().label("many")).select_from(
                select(Run.id).where(Run.is_latest, Run.state == state, *only).limit(MANY).subquery()
            )
            for state in RunState
        )
    )


_COUNTS_OF_ALL = _count_of()
_COUNTS_OF_ONE = _count_of(Run.created_by == bindparam("created_by"))


def ask_counts(created_by: UUID | None) -> Asked:
    """How many products stand where, by their latest run, each count capped."""
    return (_COUNTS_OF_ONE, {"created_by": created_by}) if created_by else (_COUNTS_OF_ALL, {})


def counts(rows: Sequence[AnyRow]) -> Counts:
    """The numbers by state, and of all."""
    by_state: dict[str, int] = {row.state: row.many for row in rows}
    return Counts(all=min(MANY, sum(by_state.values())), **{state.value: by_state[state.value] for state in RunState})
