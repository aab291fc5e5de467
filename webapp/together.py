"""Several reads in one round trip: sent together, answered together (libpq's pipeline mode).

For what is asked hundreds of times a second. Each statement keeps a snapshot of its own, taken in the order in which
they stand, as if they were asked one after the other; there is only no waiting in between, and little of SQLAlchemy's
work per statement.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from time import perf_counter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.orm import Session

from webapp import metrics
from webapp.database import COMMIT, alone_as_tenant, beginning_of, connection_of, has_begun, is_alone
from webapp.statements import heard, prepared_on

Asked = tuple[Executable, Mapping[str, Any]]
"""A statement over columns, made once and asked often, and its parameters."""

_NUMERIC = 1700
"""Type number of `numeric` in Postgres, which SQLAlchemy's numbers want to hear; other types do not listen."""


class _Plan(NamedTuple):
    """A statement as the driver wants it, and how its rows come back."""

    sql: str
    fixed: dict[str, Any]
    binders: Mapping[str, Callable[[Any], Any]]
    converters: tuple[tuple[int, Callable[[Any], Any]], ...]
    make_row: Callable[[Sequence[Any]], Any]


def read_together(session: Session, *asked: Asked) -> list[list[Any]]:
    """The rows of each statement, in the order asked: named tuples, typed as the columns are.

    Outside of any transaction these reads are one of their own, which begins and ends in that same round trip.

    Raises:
        DBAPIError: as `session.execute` would.
    """
    if not is_alone(session):
        return _read(connection_of(session), asked, alone=False)
    with session.get_bind().engine.connect() as connection:
        return _read(connection, asked, alone=True)


def _read(connection: Connection, asked: Sequence[Asked], *, alone: bool) -> list[list[Any]]:
    plans = [_plan(statement, connection.dialect) for statement, _ in asked]
    texts = [
        heard(connection, plan.sql, _bound(plan, parameters))
        for plan, (_, parameters) in zip(plans, asked, strict=True)
    ]
    began = perf_counter()
    try:
        first, last = (alone_as_tenant(), [COMMIT]) if alone else (beginning_of(connection), [])
        together = prepared_on(connection).together([*first, *texts, *last])
        has_begun(connection)
        answers = together.execute(make_row=tuple)
        metrics.QUERY.observe(perf_counter() - began)
        found = answers[len(first) : len(first) + len(plans)]
        return [_rows(plan, rows) for plan, rows in zip(plans, found, strict=True)]
    except BaseException as error:  # whatever it is, SQLAlchemy is to know whether the connection is still good
        connection._handle_dbapi_exception(error, "; ".join(sql for sql, _ in texts), None, None, None)


@lru_cache(maxsize=256)
def _plan(statement: Any, dialect: Dialect) -> _Plan:
    compiled = statement.compile(dialect=dialect)
    columns = compiled._result_columns
    found = [(place, column.type.dialect_impl(dialect)) for place, column in enumerate(columns)]
    processors = [(place, kind.result_processor(dialect, _NUMERIC)) for place, kind in found]
    row = namedtuple("Row", [column.keyname for column in columns])  # type: ignore[misc]
    return _Plan(
        sql=compiled.string,
        fixed=compiled.construct_params(_check=False),
        binders=compiled._bind_processors,
        converters=tuple((place, convert) for place, convert in processors if convert is not None),
        make_row=row._make,
    )


def _bound(plan: _Plan, parameters: Mapping[str, Any]) -> dict[str, Any]:
    values = {**plan.fixed, **parameters}
    for name, bind in plan.binders.items():
        values[name] = bind(values[name])
    return values


def _rows(plan: _Plan, rows: Sequence[Sequence[Any]]) -> list[Any]:
    if not plan.converters:
        return [plan.make_row(row) for row in rows]
    made = []
    for row in rows:
        values = list(row)
        for place, convert in plan.converters:
            values[place] = convert(values[place])
        made.append(plan.make_row(values))
    return made
