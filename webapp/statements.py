"""Statements of the hot path: sent by the driver itself, on the session's own connection and in its transaction.

`Session.execute` costs three to four times what the driver does for the same statement. Where a step of the pipeline
executes a dozen, that is most of what it costs.
"""

from collections.abc import Mapping
from functools import cache
from time import perf_counter
from typing import Any

from psycopg import Error
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, text
from sqlalchemy.dialects import registry
from sqlalchemy.orm import Session

from webapp import metrics

_DIALECT = registry.load("postgresql.psycopg")()


class Statement:
    """A statement of constant text, with parameters named as in `sqlalchemy.text`. Who listens to the engine's
    statements hears of these too."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self._sent = str(text(sql).compile(dialect=_DIALECT))

    def execute(self, session: Session | Connection, parameters: Mapping[str, Any]) -> list[Any]:
        """Execute it and return its rows, as named tuples; none where it returns nothing. What is pending in the
        session is not flushed.

        Raises:
            DBAPIError: as Session.execute does.
        """
        connection = session.connection() if isinstance(session, Session) else session
        sql = self._sent
        for listener in connection.dispatch.before_cursor_execute:
            sql, parameters = listener(connection, None, sql, parameters, None, False)
        driver: Any = connection.connection.driver_connection
        began = perf_counter()
        try:
            with driver.cursor(row_factory=namedtuple_row) as cursor:
                cursor.execute(sql, parameters)
                metrics.QUERY.observe(perf_counter() - began)
                return list(cursor.fetchall()) if cursor.description else []
        except Error as error:
            connection._handle_dbapi_exception(error, sql, dict(parameters), None, None)

    def one_or_none(self, session: Session | Connection, parameters: Mapping[str, Any]) -> Any:
        """Execute it and return its only row, or None."""
        rows = self.execute(session, parameters)
        if len(rows) > 1:
            raise RuntimeError("one row at most was expected")
        return rows[0] if rows else None


@cache
def update_of(table: str, columns: tuple[str, ...], also: str) -> Statement:
    """Changes columns, by parameters of their names, of the row `:row_id`; `also`: constant SQL of further changes."""
    changes = ", ".join([*(f"{column} = :{column}" for column in columns), also])
    return Statement(f"UPDATE {table} SET {changes} WHERE id = :row_id")  # noqa: S608 - names in the code
