"""Writing the append-only record."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from webapp.audit.models import AuditEntry
from webapp.database import db

MAX_USER_AGENT = 400
Facts = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acts, and from where: made where the request is known, passed to the services that write it down."""

    user_id: UUID | None = None
    session_id: UUID | None = None
    api_key_id: UUID | None = None
    address: str | None = None
    user_agent: str | None = None


SYSTEM = Actor()
"""The machine itself: a command, a schedule, a worker."""


def record(
    actor: Actor,
    action: str,
    *,
    client_id: UUID | None = None,
    table: str | None = None,
    row_id: object = None,
    old: Facts | None = None,
    new: Facts | None = None,
    details: Facts | None = None,
) -> None:
    """Append one entry in the running transaction.

    `action` is a constant in the past tense, such as `member_removed`. `client_id` is the tenant's, or None for what
    concerns the installation. `old` and `new` are the row before and after, or the part of it that matters; which
    fields changed is worked out from them.
    """
    before, after = _plain(old), _plain(new)
    entry = insert(AuditEntry).values(
        client_id=client_id,
        user_id=actor.user_id,
        api_key_id=actor.api_key_id,
        session_id=actor.session_id,
        action=action,
        table_name=table,
        row_id=None if row_id is None else str(row_id),
        old=before,
        new=after,
        changed_fields=_changed(before, after),
        details=_plain(details),
        address=actor.address,
        user_agent=actor.user_agent and actor.user_agent[:MAX_USER_AGENT],
    )
    # Inline: without RETURNING, which would need the right to read the entry; those of the installation are not ours.
    db.session.execute(entry.inline())


def _changed(old: Facts | None, new: Facts | None) -> list[str] | None:
    if old is None or new is None:
        return None
    return sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))


def _plain(facts: Facts | None) -> dict[str, Any] | None:
    return None if facts is None else {key: _json_value(value) for key, value in facts.items()}


def _json_value(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return _plain(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_json_value(item) for item in value]
    return value
