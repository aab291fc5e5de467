"""What is paused, as pages tell it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from webapp.access.models import Client
from webapp.together import Asked
from webapp.work.models import Pause

ROWS = 100


class Held(NamedTuple):
    """A pause: of a client, or of an activity for all clients."""

    id: UUID
    client_id: UUID | None
    client: str | None
    activity: str | None
    reason: str
    paused_at: datetime
    paused_by_name: str


_PAUSES = (
    select(
        Pause.id,
        Pause.client_id,
        Client.name.label("client"),
        Pause.activity,
        Pause.reason,
        Pause.paused_at,
        Pause.paused_by_name,
    )
    .join_from(Pause, Client, Client.id == Pause.client_id, isouter=True)
    .order_by(Pause.paused_at)
    .limit(ROWS)
)


def pauses(asked: Session | Connection) -> list[Held]:
    """What is paused, as far as the asking login may know, the oldest first."""
    return [Held(*row) for row in asked.execute(_PAUSES)]


def ask_here() -> Asked:
    """A statement that is read together with others; `here` takes its rows."""
    return _PAUSES, {}


def here(rows: Iterable[Sequence[Any]], client_id: UUID) -> list[Held]:
    """What keeps this client's work from starting. (Operators may know of other clients' pauses.)"""
    return [held for held in map(Held._make, rows) if held.client_id in (None, client_id)]
