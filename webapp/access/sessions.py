"""Signed-in browsers: begun, recognised, ended. The browser has a token, the database its hash."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, text, update

from webapp.access.models import Role, UserSession
from webapp.access.tokens import digest, new_token
from webapp.audit.services import MAX_USER_AGENT, Actor
from webapp.database import after_commit, db
from webapp.engines import system_engine
from webapp.live.bus import publish_revoked
from webapp.statements import Statement

SEEN_EVERY_SECONDS = 60
"""How exactly it is known when a session was last seen; each request more exact would be a write more."""

FORGET_DAYS = 90


class Place(NamedTuple):
    """A client that a person works for."""

    id: UUID
    name: str
    role: Role


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who holds a valid session, perhaps without a client to work for."""

    id: UUID
    session_id: UUID
    name: str
    email: str
    is_operator: bool
    time_zone: str | None
    """IANA name; None: the device's."""
    clients: tuple[Place, ...]
    role: Role | None = None
    client_id: UUID | None = None
    client_name: str | None = None
    worked_for: UUID | None = None
    """The client that the session names, which the user may have left."""

    @property
    def user_id(self) -> UUID:
        """The same as `id`, for readers to whom a viewer is more than a user."""
        return self.id


@dataclass(frozen=True, kw_only=True)
class Viewer(Person):
    """A person at the client that the session works for now."""

    role: Role
    client_id: UUID
    client_name: str


class Recognised(NamedTuple):
    """Whose token it was, and whether `touch` is due."""

    person: Person
    is_stale: bool


# Asked as the system login: before it is known who asks, there is no tenant to ask as. One round trip, no transaction
# that would stay open while a large body arrives.
_RECOGNISE = Statement(
    """
    SELECT s.id AS session_id, s.client_id AS works_for,
           s.last_seen_at < now() - make_interval(secs => :seen_every) AS is_old,
           u.id AS user_id, u.name, u.email, u.is_operator, u.time_zone,
           c.id AS place_id, c.name AS place_name, m.role
    FROM sessions s
    JOIN users u ON u.id = s.user_id AND u.is_active
    LEFT JOIN (memberships m JOIN clients c ON c.id = m.client_id AND c.is_active) ON m.user_id = u.id
    WHERE s.token_hash = :token_hash AND s.revoked_at IS NULL AND s.expires_at > now()
    ORDER BY c.name, c.id
    """
)


def recognise(token: str) -> Recognised | None:
    """Who holds this token, or None if it is not valid (any more). One query."""
    with system_engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        rows = _RECOGNISE.execute(connection, {"token_hash": digest(token), "seen_every": SEEN_EVERY_SECONDS})
    if not rows:
        return None
    session_id, working_for, is_old, user_id, name, email, is_operator, time_zone, *_ = rows[0]
    places = tuple(Place(row[8], row[9], Role(row[10])) for row in rows if row[8])
    person = Person(
        id=user_id,
        session_id=session_id,
        name=name,
        email=email,
        is_operator=is_operator,
        time_zone=time_zone or None,
        clients=places,
        worked_for=working_for,
    )
    place = next((place for place in places if place.id == working_for), places[0] if places else None)
    if place is None:
        return Recognised(person, is_old or working_for is not None)
    viewer = Viewer(**vars(person) | {"role": place.role, "client_id": place.id, "client_name": place.name})
    return Recognised(viewer, is_old or place.id != working_for)


def touch(person: Person, days: int) -> None:
    """Write that the session was seen, put off its end, and keep which client it works for."""
    with db.engine.begin() as connection:
        connection.execute(
            update(UserSession)
            .where(UserSession.id == person.session_id, UserSession.revoked_at.is_(None))
            .values(last_seen_at=func.now(), expires_at=_in_days(days))
        )
        if person.client_id != person.worked_for:
            # Only where it still stands as it was read: a switch to another client at this very moment wins.
            connection.execute(
                update(UserSession)
                .where(
                    UserSession.id == person.session_id,
                    UserSession.client_id.is_not_distinct_from(person.worked_for),
                )
                .values(client_id=person.client_id)
            )


def begin(user_id: UUID, actor: Actor, days: int, client_id: UUID | None = None) -> str:
    """Make a session and give its token, which is kept nowhere else.

    Without a `client_id` it works for the client that the user worked for last. The user's sessions that ended long
    ago are forgotten.
    """
    token = new_token()
    last_client = (
        select(UserSession.client_id)
        .where(UserSession.user_id == user_id)
        .order_by(UserSession.last_seen_at.desc())
        .limit(1)
    )
    session = UserSession(
        token_hash=digest(token),
        user_id=user_id,
        client_id=client_id or db.session.scalar(last_client),
        expires_at=_in_days(days),
        address=actor.address,
        user_agent=actor.user_agent and actor.user_agent[:MAX_USER_AGENT],
    )
    db.session.add(session)
    db.session.flush()
    ended_at = func.least(UserSession.expires_at, UserSession.revoked_at)
    db.session.execute(delete(UserSession).where(UserSession.user_id == user_id, ended_at < _in_days(-FORGET_DAYS)))
    return token


def work_for(person: Person, client_id: UUID) -> None:
    """Let the session work for another of the person's clients."""
    db.session.execute(update(UserSession).where(UserSession.id == person.session_id).values(client_id=client_id))
    _tell_sockets([person.session_id])


def revoke(user_id: UUID, *, only: UUID | None = None, but: UUID | None = None) -> list[UUID]:
    """End the user's sessions: all, `only` one, or all `but` one. Gives the ids of those that ended."""
    ending = update(UserSession).where(UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
    if only is not None:
        ending = ending.where(UserSession.id == only)
    if but is not None:
        ending = ending.where(UserSession.id != but)
    ended = list(db.session.scalars(ending.values(revoked_at=func.now()).returning(UserSession.id)))
    _tell_sockets(ended)
    return ended


def send_away(user_id: UUID, client_id: UUID) -> None:
    """What the user may do at this client changed: sockets opened under the old rights close and ask again."""
    working_here = select(UserSession.id).where(
        UserSession.user_id == user_id, UserSession.client_id == client_id, UserSession.revoked_at.is_(None)
    )
    _tell_sockets(db.session.scalars(working_here).all())


def open_sessions(user_id: UUID) -> list[UserSession]:
    """The user's valid sessions, the one seen last first."""
    valid = (UserSession.revoked_at.is_(None), UserSession.expires_at > func.now())
    return list(
        db.session.scalars(
            select(UserSession)
            .where(UserSession.user_id == user_id, *valid)
            .order_by(UserSession.last_seen_at.desc(), UserSession.id)
        )
    )


_LIVE = text(
    """
    SELECT s.id, s.client_id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:clients AS uuid[])) AS held(id, client_id)
    JOIN sessions s ON s.id = held.id AND s.client_id = held.client_id
    JOIN users u ON u.id = s.user_id AND u.is_active
    JOIN memberships m ON m.user_id = s.user_id AND m.client_id = s.client_id
    JOIN clients c ON c.id = m.client_id AND c.is_active
    WHERE s.revoked_at IS NULL AND s.expires_at > now()
    """
)


def live_sessions(held: Collection[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Those pairs of session and client for which a socket may stay: the session is valid and works for that client
    now, its user is active and a member there. Asked for all clients at once, as the system login."""
    if not held:
        return set()
    ids, clients = zip(*held, strict=True)
    with system_engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        rows = connection.execute(_LIVE, {"ids": list(ids), "clients": list(clients)})
        return {(row.id, row.client_id) for row in rows}


def _in_days(days: int) -> ColumnElement[datetime]:
    return func.now() + func.make_interval(0, 0, 0, days)


def _tell_sockets(session_ids: Collection[UUID]) -> None:
    if session_ids:
        after_commit(lambda: publish_revoked(session_ids))
