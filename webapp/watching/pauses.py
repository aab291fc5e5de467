"""What is paused, as pages tell it."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from webapp.statements import Statement

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


_PAUSES = Statement("""
    SELECT pauses.id, client_id, clients.name AS client, activity, reason, paused_at, paused_by_name
    FROM pauses LEFT JOIN clients ON clients.id = client_id ORDER BY paused_at LIMIT :rows
""")


def pauses(asked: Session | Connection) -> list[Held]:
    """What is paused, as far as the asking login may know, the oldest first."""
    return [Held(*row) for row in _PAUSES.execute(asked, {"rows": ROWS})]


def here(asked: Session | Connection, client_id: UUID) -> list[Held]:
    """What keeps this client's work from starting. (Operators may know of other clients' pauses.)"""
    return [held for held in pauses(asked) if held.client_id in (None, client_id)]
