"""The database: one session per request or task, one idea of a transaction, one tenant context.

Entry points (views, tasks, commands) write `with transaction():`; services only flush. What must happen after commit
is registered with `after_commit` and runs once, after the outermost commit. SQLAlchemy's own event of that name fires
when a SAVEPOINT is released too, so it is not used for this.
"""

import logging
import select
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from time import perf_counter
from typing import Any
from uuid import UUID

import msgspec
from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from psycopg.pq import ExecStatus
from psycopg.sql import quote
from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Engine,
    MetaData,
    Numeric,
    Pool,
    Text,
    create_engine,
    event,
    text,
)
from sqlalchemy import Enum as SqlEnum
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, SessionTransaction, registry
from uuid_utils.compat import uuid7

from webapp import metrics
from webapp.config import Config
from webapp.errors import ConfigError

log = logging.getLogger(__name__)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of all models: text without length limits, times with zone, money as exact numbers."""

    # On the registry, not as class attributes: flask-sqlalchemy derives its own base from this one.
    registry = registry(
        metadata=MetaData(naming_convention=NAMING),
        type_annotation_map={
            str: Text,
            int: BigInteger,
            datetime: DateTime(timezone=True),
            Decimal: Numeric(14, 2),
            UUID: PgUUID(as_uuid=True),
            dict[str, Any]: JSONB,
            list[Any]: JSONB,
        },
    )


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): unique, and in the order of making, which keeps indexes tight and pages in order."""
    return uuid7()


def text_enum(kind: type[StrEnum], name: str) -> SqlEnum:
    """Column type for a StrEnum: its values as text under a CHECK, so that a new value is a plain migration."""
    return SqlEnum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )


# --- tenant context -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tenant:
    """Under whose eyes the database is read: a client, perhaps a user and the user's role there."""

    client_id: UUID | None = None
    user_id: UUID | None = None
    role: str = ""


_tenant: ContextVar[Tenant | None] = ContextVar("tenant", default=None)
DriverStatement = tuple[str, Mapping[str, Any]]
"""A statement as the driver takes it, with its parameters."""

BEGIN: DriverStatement = ("BEGIN", {})
COMMIT: DriverStatement = ("COMMIT", {})
_CONNECTION = "connection"
_TO_BEGIN = "lotline_to_begin"
"""Of a connection: the tenant under whom its transaction has yet to begin, which is when something is asked in it."""
_SET_CONTEXT = (
    "SELECT set_config('app.client_id', %(client)s, true), set_config('app.user_id', %(user)s, true),"
    " set_config('app.role', %(role)s, true)"
)


def current_tenant() -> Tenant | None:
    """The tenant that queries run under now, or None: then row-level security shows nothing."""
    return _tenant.get()


@contextmanager
def tenant(client_id: UUID | None, user_id: UUID | None = None, role: str = "") -> Iterator[None]:
    """Run queries as this client (and user). A transaction that is already open changes over too, and back."""
    token = _tenant.set(Tenant(client_id, user_id, role))
    session = db.session()
    try:
        if session.in_transaction():
            _set_context(session.connection())
        yield
    except BaseException:
        session.rollback()
        raise
    finally:
        _tenant.reset(token)
        if session.in_transaction():
            _set_context(session.connection())


def alone_as_tenant() -> list[DriverStatement]:
    """What begins a transaction of its own under the current tenant."""
    return [BEGIN, _context_statement(_tenant.get() or Tenant())]


def _context_statement(context: Tenant) -> DriverStatement:
    client, user = str(context.client_id or ""), str(context.user_id or "")
    return _SET_CONTEXT, {"client": client, "user": user, "role": context.role}


def _set_context(connection: Connection) -> None:
    connection.exec_driver_sql(*_context_statement(_tenant.get() or Tenant()))


def _on_begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    if transaction.nested:
        return
    session.info[_CONNECTION] = transaction, connection
    context = _tenant.get()
    if context is not None:
        vars(connection)[_TO_BEGIN] = context


def is_alone(session: Session) -> bool:
    """Whether what is read now is part of no transaction, neither one that is open nor one that was asked for."""
    return not session.in_transaction() and not session.info.get(_DEPTH)


def beginning_of(connection: Connection) -> list[DriverStatement]:
    """What is to be sent before the first statement of the session's transaction, so that it begins, as the tenant: in
    the same round trip, by those who can send several together, and who say so by `has_begun`."""
    context: Tenant | None = vars(connection).get(_TO_BEGIN)
    return [BEGIN, _context_statement(context)] if context else []


def has_begun(connection: Connection) -> None:
    """What `beginning_of` told is sent."""
    vars(connection).pop(_TO_BEGIN, None)


def _begin(connection: Connection) -> None:
    """For all others: BEGIN and the tenant in one round trip of their own. Whatever goes wrong there is said by the
    plain statement."""
    context: Tenant | None = vars(connection).pop(_TO_BEGIN, None)
    if context is not None:
        driver: Any = connection.connection.driver_connection
        if driver.pgconn.exec_(_begin_as(context)).status != ExecStatus.TUPLES_OK:
            _set_context(connection)


def connection_of(session: Session) -> Connection:
    """The connection of the session's transaction, which begins if need be. `session.connection()` finds the same, at
    the cost of a statement."""
    transaction, connection = session.info.get(_CONNECTION, (None, None))
    if connection is None or transaction is not session.get_transaction() or session.in_nested_transaction():
        return session.connection()
    found: Connection = connection
    return found


@lru_cache(maxsize=1024)
def _begin_as(context: Tenant) -> bytes:
    client, user = str(context.client_id or ""), str(context.user_id or "")
    return (
        f"BEGIN; SELECT set_config('app.client_id', {quote(client)}, true),"
        f" set_config('app.user_id', {quote(user)}, true), set_config('app.role', {quote(context.role)}, true)"
    ).encode()


# --- transactions ---------------------------------------------------------------------------------

_DEPTH, _BEFORE, _AFTER = "transaction_depth", "before_commit", "after_commit"


@contextmanager
def transaction() -> Iterator[Session]:
    """One unit of work: commits at the end of the outermost block, rolls all of it back on any exception."""
    session = db.session()
    if session.info.get(_DEPTH):
        yield session
        return
    session.info.update({_DEPTH: 1, _BEFORE: {}, _AFTER: []})
    try:
        yield session
        session.flush()
        for hook in session.info[_BEFORE].values():
            hook(session)
        session.commit()
    except BaseException:
        session.rollback()
        raise
    else:
        callbacks: list[Callable[[], object]] = session.info[_AFTER]
    finally:
        session.info.clear()  # what was only pending dies with its transaction
    for callback in callbacks:
        try:
            callback()
        except Exception:
            # What follows a commit may only be a doorbell or a clean-up: the commit stands.
            log.exception("after_commit_failed")


@contextmanager
def reading() -> Iterator[Session]:
    """A look-up that leaves no transaction open behind it; inside a transaction it is simply part of that."""
    session = db.session()
    alone = not session.info.get(_DEPTH)
    try:
        yield session
    except BaseException:
        if alone:
            session.rollback()
        raise
    if alone:
        session.commit()  # a rollback would expire what was read, and the next look at it open a transaction again


def after_commit(callback: Callable[[], object]) -> None:
    """Run `callback` once, after the outermost commit; never after a rollback."""
    session = db.session()
    _require_transaction(session)
    session.info[_AFTER].append(callback)


def before_commit(key: str, hook: Callable[[Session], object]) -> None:
    """Run `hook(session)` last in the transaction. The same key registers once: the first hook stays."""
    session = db.session()
    _require_transaction(session)
    session.info[_BEFORE].setdefault(key, hook)


def _require_transaction(session: Session) -> None:
    if not session.info.get(_DEPTH):
        raise RuntimeError("no transaction is open: wrap the caller in `with transaction():`")


# --- engines --------------------------------------------------------------------------------------

_SYSTEM_ENGINE = "lotline_system_engine"
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
    if not event.contains(Session, "after_begin", _on_begin):
        event.listen(Session, "after_begin", _on_begin)
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
        _begin(connection)
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


def _refuse_closed(driver: Any, _record: object, _proxy: object) -> None:
    """A server that ended a connection at rest has left its last word, or the end, to be read: no answer is awaited, so
    anything there means that the connection is to be made anew. This costs no round trip, as a ping would.

    Raises:
        InvalidatePoolError: the pool then drops what it has of that age and connects again.
    """
    if driver.closed or _anything_to_read(driver.pgconn.socket):
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
