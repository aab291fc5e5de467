"""Statements of the hot path: sent by the driver itself, on the session's own connection and in its transaction.

`Session.execute` costs three to four times what the driver does for the same statement. Where a step of the pipeline
executes a dozen, that is most of what it costs.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from psycopg import Error
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import psycopg as dialect
from sqlalchemy.orm import Session

_DIALECT = dialect.dialect()


class Answer(NamedTuple):
    """What a statement gave back, and how many rows it touched."""

    rows: list[Any]
    """Named tuples; empty where the statement returns nothing."""
    count: int

    def one_or_none(self) -> Any:
        """The row, or None; a second one is an error of the statement."""
        if len(self.rows) > 1:
            raise RuntimeError("one row at most was expected")
        return self.rows[0] if self.rows else None


class Statement:
    """A statement of constant text, with parameters named as in `sqlalchemy.text`. Who listens to the engine's
    statements hears of these too."""

    def __init__(self, sql: str) -> None:
        self._sql = str(text(sql).compile(dialect=_DIALECT))

    def execute(self, session: Session | Connection, parameters: Mapping[str, Any]) -> Answer:
        """Execute it; what is pending in the session is not flushed.

        Raises:
            DBAPIError: as Session.execute does.
        """
        connection = session.connection() if isinstance(session, Session) else session
        sql = self._sql
        for listener in connection.dispatch.before_cursor_execute:
            sql, parameters = listener(connection, None, sql, parameters, None, False)
        driver: Any = connection.connection.driver_connection
        try:
            with driver.cursor(row_factory=namedtuple_row) as cursor:
                cursor.execute(sql, parameters)
                return Answer(cursor.fetchall() if cursor.description else [], cursor.rowcount)
        except Error as error:
            connection._handle_dbapi_exception(error, sql, dict(parameters), None, None)
