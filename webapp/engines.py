"""Engines: how the database is reached, by the app's login and by the one that sees all clients' streams and work."""

import select
from time import perf_counter
from typing import Any

import msgspec
import psycopg
from flask import Flask, current_app
from sqlalchemy import Connection, Engine, Pool, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from webapp import metrics
from webapp.config import Config
from webapp.database import begin_now, db, note_begin
from webapp.errors import ConfigError

_SYSTEM_ENGINE = "lotline_system_engine"
_REFUSED = "lotline_refused"
"""Of a place in a pool: that the connection which was there was found closed, and made anew."""
STATEMENT_TIMEOUT_MS = 30_000
MIN_IDLE_SECONDS = 5.0
_GOING_DOWN_OR_COMING_UP = "57P"
"""SQLSTATEs of a server that ends a connection or does not take one now (57P01 to 57P05)."""


def init_app(app: Flask, config: Config) -> None:
    """Bind the session to the app's own login and prepare the system login's engine (neither connects yet)."""
    app.config["SQLALCHEMY_DATABASE_URI"] = config.database_app_url
    options = _engine_options(config.database_pool, config.lease_seconds)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    db.init_app(app)
    if not event.contains(Session, "after_begin", note_begin):
        event.listen(Session, "after_begin", note_begin)
        event.listen(Pool, "checkout", _refuse_closed)
        _count_connections()
    app.extensions[_SYSTEM_ENGINE] = create_engine(config.database_system_url, **options)


def _count_connections() -> None:
    is_open, is_busy = metrics.CONNECTIONS.labels("open"), metrics.CONNECTIONS.labels("busy")
    event.listen(Pool, "connect", lambda *_: is_open.inc())
    event.listen(Pool, "close", lambda *_: is_open.dec())
    event.listen(Pool, "checkout", lambda *_: is_busy.inc())
    event.listen(Pool, "checkin", lambda *_: is_busy.dec())
    event.listen(Engine, "before_cursor_execute", _begin_query)
    event.listen(Engine, "after_cursor_execute", _end_query)


def _begin_query(
    connection: Connection, _cursor: object, _sql: object, _values: object, context: Any, _many: bool
) -> None:
    if context is not None:  # else it goes to the driver directly, and is timed there
        begin_now(connection)
        context.began = perf_counter()


def _end_query(_connection: object, _cursor: object, _sql: object, _values: object, context: Any, _many: bool) -> None:
    metrics.QUERY.observe(perf_counter() - context.began)


def _engine_options(pool_size: int, lease_seconds: float) -> dict[str, Any]:
    # A process that is frozen, or whose machine is gone, in the middle of a transaction keeps its locks: nobody else
    # can take its work, or add to its stream. The server lets go of them by the time the lease has run out.
    idle_ms = round(idle_seconds(lease_seconds) * 1000)
    return {
        "pool_size": pool_size,
        "max_overflow": 3,
        "pool_use_lifo": True,  # the one used last has its statements prepared
        "pool_timeout": 10,
        "json_deserializer": msgspec.json.decode,  # a desk decodes a hundred small ones
        "connect_args": {
            "connect_timeout": 5,
            # A server that vanished without a word is noticed in half a minute, not in the system's two hours.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
            "options": (
                f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c idle_in_transaction_session_timeout={idle_ms}"
            ),
        },
    }


def idle_seconds(lease_seconds: float) -> float:
    """How long a transaction in which nothing happens may stay open."""
    return max(lease_seconds, MIN_IDLE_SECONDS)


def _refuse_closed(driver: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """A server that ended a connection at rest has left its last word, or the end, to be read: no answer is awaited, so
    anything there means that the connection is to be made anew. This costs no round trip, as a ping would.

    Raises:
        InvalidatePoolError: the pool then drops what it has of that age and connects again.
        psycopg.OperationalError: it has just connected again, and that connection was ended as well.
    """
    known: Any = record.record_info
    was_refused = known.pop(_REFUSED, False)
    if driver.closed or _anything_to_read(driver.pgconn.socket):
        if was_refused:
            raise psycopg.OperationalError("the server ends the connections that it gives")
        known[_REFUSED] = True
        raise InvalidatePoolError


def _anything_to_read(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def system_engine() -> Engine:
    """Engine of the login that sees streams and work of all clients, and little else: dispatcher and renderer."""
    engine: Engine = current_app.extensions[_SYSTEM_ENGINE]
    return engine


def is_outage(error: DBAPIError) -> bool:
    """Whether the server is away or going away, rather than refusing what was asked."""
    if error.connection_invalidated:
        return True
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    state = getattr(error.orig, "sqlstate", None)  # None: it never came to a connection
    return state is None or state.startswith(_GOING_DOWN_OR_COMING_UP)


def refuse_privileged_login() -> None:
    """Stop a process whose login could walk around row-level security.

    Raises:
        ConfigError: the app's login is a superuser, has BYPASSRLS or owns the tables.
    """
    with db.engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT rolsuper OR rolbypassrls OR EXISTS (SELECT 1 FROM pg_class c WHERE c.relname = 'work'"
                " AND c.relkind = 'r' AND pg_has_role(current_user, c.relowner, 'MEMBER')), current_user"
                " FROM pg_roles WHERE rolname = current_user"
            )
        ).one()
    if row[0]:
        raise ConfigError(
            f"the database login {row[1]!r} could bypass row-level security; give the app a login of its own"
            " (leave DATABASE_APP_URL unset to use the one that migrations make)"
        )
