"""The list of processes that do work or hand it out, for the watching page and for `/ready`."""

import os
import socket

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

_SIGN_ON = text("""
    INSERT INTO workers (id, kind, queue, host, pid) VALUES (:id, :kind, :queue, :host, :pid)
    ON CONFLICT (id) DO UPDATE SET last_seen = clock_timestamp(), doing = :doing
""")
_FORGET = text("DELETE FROM workers WHERE last_seen < clock_timestamp() - interval '1 day'")


def sign_on(
    connection: Connection | Session, name: str, *, kind: str, lane: str | None, doing: int | None = None
) -> None:
    """Say that this process is alive (and what it does); the long silent ones are forgotten."""
    connection.execute(
        _SIGN_ON,
        {"id": name, "kind": kind, "queue": lane, "host": socket.gethostname(), "pid": os.getpid(), "doing": doing},
    )
    connection.execute(_FORGET)


def sign_off(connection: Connection | Session, name: str) -> None:
    """Say that this process ends."""
    connection.execute(text("DELETE FROM workers WHERE id = :id"), {"id": name})
