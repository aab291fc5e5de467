"""Statements of the hot path: prepared once per connection, then executed by libpq itself, on the session's own
connection and in its transaction.

Measured, CPU per statement in our process: `Session.execute` 100 µs, psycopg's cursor 30 µs, this 10 µs. Where a step
of the pipeline executes nine, that is most of what it costs.
"""

import re
from collections import namedtuple
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import cache, lru_cache
from time import perf_counter
from typing import Any, NamedTuple

from psycopg import OperationalError, generators
from psycopg._preparing import PrepareManager
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import FeatureNotSupported, InvalidSqlStatementName, error_from_result
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, TransactionStatus
from sqlalchemy import Connection, Engine, ExceptionContext, Pool, event, text
from sqlalchemy.dialects import registry
from sqlalchemy.orm import Session

from webapp import metrics
from webapp.database import COMMIT, DriverStatement, alone_as_tenant, beginning_of, connection_of, has_begun, is_alone

_DIALECT = registry.load("postgresql.psycopg")()
_PREPARED = "prepared_statements"


class Statement:
    """A statement of constant text, with parameters named as in `sqlalchemy.text`. Who listens to the engine's
    statements hears of these too."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.named = str(text(sql).compile(dialect=_DIALECT))
        """As the driver takes it."""

    def execute(self, session: Session | Connection, parameters: Mapping[str, Any]) -> list[Any]:
        """Execute it and return its rows, as named tuples; none where it returns nothing. What is pending in the
        session is not flushed.

        Raises:
            DBAPIError: as Session.execute does.
        """
        connection = connection_of(session) if isinstance(session, Session) else session
        return self._execute(connection, parameters, beginning_of(connection))

    def read(self, session: Session, parameters: Mapping[str, Any]) -> list[Any]:
        """`execute` for a statement that changes nothing: outside of any transaction it is one of its own, which begins
        and ends in the same round trip."""
        if not is_alone(session):
            return self.execute(session, parameters)
        with session.get_bind().engine.connect() as connection:
            return self._execute(connection, parameters, alone_as_tenant(), [COMMIT])

    def _execute(
        self,
        connection: Connection,
        parameters: Mapping[str, Any],
        first: Sequence[DriverStatement],
        last: Sequence[DriverStatement] = (),
    ) -> list[Any]:
        named, parameters = heard(connection, self.named, parameters)
        began = perf_counter()
        try:
            prepared = prepared_on(connection)
            if first:
                together = prepared.together([*first, (named, parameters), *last])
                has_begun(connection)
                rows = together.execute()[len(first)]
            else:
                rows = prepared.execute(named, parameters)
            metrics.QUERY.observe(perf_counter() - began)
            return rows
        except BaseException as error:  # whatever it is, SQLAlchemy is to know whether the connection is still good
            connection._handle_dbapi_exception(error, named, dict(parameters), None, None)

    def one_or_none(self, session: Session | Connection, parameters: Mapping[str, Any]) -> Any:
        """Execute it and return its only row, or None."""
        rows = self.execute(session, parameters)
        if len(rows) > 1:
            raise RuntimeError("one row at most was expected")
        return rows[0] if rows else None


def heard(connection: Connection, named: str, parameters: Mapping[str, Any]) -> DriverStatement:
    """As those who listen to the engine's statements would have it."""
    for listener in connection.dispatch.before_cursor_execute:
        named, parameters = listener(connection, None, named, parameters, None, False)
    return named, parameters


def prepared_on(connection: Connection) -> "Prepared":
    """What is prepared on this connection, to execute it."""
    info = connection.info
    found: Prepared = info.get(_PREPARED) or info.setdefault(_PREPARED, Prepared(connection))
    return found


class _Numbered(NamedTuple):
    """A statement as Postgres takes it: with $1, $2."""

    sql: bytes
    names: tuple[str, ...]
    formats: Sequence[PyFormat]


@lru_cache(maxsize=1024)
def _numbered(named: str) -> _Numbered:
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return "%"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    sql = re.sub(r"%\((\w+)\)s|%%", number, named)
    return _Numbered(sql.encode(), tuple(names), [PyFormat.AUTO] * len(names))


def _row_of(result: Any) -> Any:
    columns = [result.fname(column).decode() for column in range(result.nfields)]
    return namedtuple("Row", columns, rename=True)


class Prepared:
    """What one connection has prepared, by text and types of the parameters."""

    def __init__(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        self.driver = driver
        self.server = driver.pgconn
        self._adapter: Any = Transformer.from_context(driver)
        self._names: dict[tuple[str, tuple[int, ...]], bytes] = {}
        self._rows: dict[bytes, Any] = {}
        self._known: set[bytes] = set()
        """Of these names, those that the server is sure to know."""

    def execute(self, named: str, parameters: Mapping[str, Any]) -> list[Any]:
        """The rows of a statement with parameters as the driver names them; it begins a transaction if need be."""
        server = self.server
        if server.transaction_status == TransactionStatus.IDLE and not self.driver.autocommit:
            self._checked(server.exec_(b"BEGIN"))
        name, values, formats = self._prepare(named, parameters)
        return self.loaded(name, server.exec_prepared(name, values, formats))

    def together(self, asked: Sequence[DriverStatement]) -> "Together":
        """Several statements that the server knows now, to be executed in one round trip."""
        return Together(self, [self._prepare(named, parameters) for named, parameters in asked])

    def _prepare(self, named: str, parameters: Mapping[str, Any]) -> tuple[bytes, Any, Any]:
        """Its name on the server, which knows it now, and the parameters' values and formats."""
        server, adapter = self.server, self._adapter
        sql, names, formats = _numbered(named)
        values = adapter.dump_sequence([parameters[name] for name in names], formats)
        types, sent_as = adapter.types, adapter.formats
        name = self._names.setdefault((named, types), b"lotline_%d" % len(self._names))
        if name not in self._known:
            self._checked(server.close_prepared(name))
            self._checked(server.prepare(name, sql, types))
            self._known.add(name)
        return name, values, sent_as

    def loaded(self, name: bytes, result: Any, make_row: Callable[[Sequence[Any]], Any] | None = None) -> list[Any]:
        """The rows of the result of the statement of this name."""
        if not self._checked(result).nfields:
            return []
        adapter = self._adapter
        adapter.set_pgresult(result)
        make_row = make_row or self._rows.get(name) or self._rows.setdefault(name, _row_of(result)._make)
        rows: list[Any] = adapter.load_rows(0, result.ntuples, make_row)
        return rows

    def _checked(self, result: Any) -> Any:
        if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            return result
        # Without a state it is not the server that speaks but libpq, of the connection, whose status may come later.
        if self.server.status == ConnStatus.BAD or not result.error_field(DiagnosticField.SQLSTATE):
            raise OperationalError(result.get_error_message())
        raise error_from_result(result)


class Together:
    """Statements on their way together (libpq's pipeline mode). A transaction is up to them."""

    def __init__(self, prepared: Prepared, ready: Sequence[tuple[bytes, Any, Any]]) -> None:
        self._prepared = prepared
        self._ready = ready

    def execute(self, make_row: Callable[[Sequence[Any]], Any] | None = None) -> list[list[Any]]:
        """The rows of each, as named tuples or by `make_row`. After one that fails none is executed, and its error is
        raised. Other threads go on meanwhile: one of them may hold what the statements wait for."""
        prepared, server = self._prepared, self._prepared.server
        server.enter_pipeline_mode()
        try:
            for name, values, formats in self._ready:
                server.send_query_prepared(name, values, formats)
            server.pipeline_sync()
            results = prepared.driver.wait(self._answers())
            server.exit_pipeline_mode()
        finally:
            if server.pipeline_status:
                prepared.driver.close()  # nobody can tell whose answers are still to come
        names = [name for name, *_ in self._ready]
        return [prepared.loaded(name, result, make_row) for name, result in zip(names, results, strict=True)]

    def _answers(self) -> Generator[Any, Any, list[Any]]:
        # In the driver's own way of waiting: libpq's `PQgetResult` would wait as well, but with Python's lock held.
        server = self._prepared.server
        yield from generators.send(server)
        results = []
        for _ in self._ready:
            result = yield from generators.fetch(server)
            if result is None:
                raise OperationalError(server.get_error_message())
            results.append(result)
            while (yield from generators.fetch(server)) is not None:
                pass
        yield from generators.fetch(server)  # of the sync
        return results


class _Kept(PrepareManager):
    """What the driver itself has prepared on a connection, which it keeps over a rollback, as Postgres does.

    By default the driver forgets it then, and takes from the server what was prepared here with it (DEALLOCATE ALL),
    also where a pooled connection is merely put back: for programs that make tables and roll that back. We do not.
    """

    def clear(self) -> bool:
        """Nothing is to be deallocated."""
        return False


def _keep_prepared(connection: Any, _record: object) -> None:
    connection._prepared = _Kept()


def _prepare_anew(context: ExceptionContext) -> None:
    """What was prepared is not there, or not as it was: after the rollback that follows, all is prepared anew."""
    away = isinstance(context.original_exception, InvalidSqlStatementName | FeatureNotSupported)
    connection = context.connection
    if away and connection is not None and not connection.closed and not connection.invalidated:
        driver: Any = connection.connection.driver_connection
        PrepareManager.clear(driver._prepared)
        connection.info.pop(_PREPARED, None)


event.listen(Pool, "connect", _keep_prepared)
event.listen(Engine, "handle_error", _prepare_anew)


@cache
def update_of(table: str, columns: tuple[str, ...], also: str) -> Statement:
    """Changes columns, by parameters of their names, of the row `:row_id`; `also`: constant SQL of further changes."""
    changes = ", ".join([*(f"{column} = :{column}" for column in columns), also])
    return Statement(f"UPDATE {table} SET {changes} WHERE id = :row_id")  # noqa: S608 - names in the code
