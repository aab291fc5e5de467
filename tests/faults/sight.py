"""A look into the database that outlives every outage: as the owner, who sees all clients' rows."""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

PATIENCE_SECONDS = 60.0


class Sight:
    """One connection, made anew when it was lost. Not for several threads at once."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: psycopg.Connection[Any] | None = None

    def rows(self, sql: str, values: Sequence[Any] | None = None) -> list[Any]:
        """All rows; waits while the database is away."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                cursor = self.connection().execute(sql, values)  # type: ignore[arg-type]
                return cursor.fetchall() if cursor.description else []
            except (psycopg.OperationalError, psycopg.InterfaceError):
                self.close()
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def one(self, sql: str, values: Sequence[Any] | None = None) -> Any:
        """The first column of the first row, or None."""
        found = self.rows(sql, values)
        return found[0][0] if found else None

    def connection(self) -> psycopg.Connection[Any]:
        """The connection; its statements take effect at once."""
        if self._connection is None:
            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
        return self._connection

    def close(self) -> None:
        """Let go of it."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None
