"""The database: one session per request or task, one idea of a transaction, one tenant context.

Entry points (views, tasks, commands) write `with transaction():`; services only flush. What must happen after commit
is registered with `after_commit` and runs once, after the outermost commit. SQLAlchemy's own event of that name fires
when a SAVEPOINT is released too, so it is not used for this.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

from flask_sqlalchemy import SQLAlchemy
from psycopg.pq import ExecStatus
from psycopg.sql import quote
from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    MetaData,
    Numeric,
    Text,
)
from sqlalchemy import Enum as SqlEnum
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import DeclarativeBase, Session, SessionTransaction, registry
from uuid_utils.compat import uuid7

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


def note_begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    """Hears of a transaction that SQLAlchemy takes for begun: it begins with its first statement."""
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


def begin_now(connection: Connection) -> None:
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
