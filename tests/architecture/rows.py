"""Makes a row of any table from what the database itself says about it, so that a new table is covered unasked."""

import itertools
import re
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, NULL), a.attnotnull
    FROM pg_attribute a
    WHERE a.attrelid = %(table)s::regclass AND a.attnum > 0 AND NOT a.attisdropped
      AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = ''
    ORDER BY a.attnum
"""
KEYS = """
    SELECT confrelid::regclass::text,
           ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY k(n, i)
                 JOIN pg_attribute ON attrelid = conrelid AND attnum = n ORDER BY i),
           ARRAY(SELECT attname::text FROM unnest(confkey) WITH ORDINALITY k(n, i)
                 JOIN pg_attribute ON attrelid = confrelid AND attnum = n ORDER BY i)
    FROM pg_constraint WHERE contype = 'f' AND conrelid = %(table)s::regclass
"""
CHECKS = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c' AND conrelid = %(table)s::regclass"

_numbers = itertools.count(1)
PLAIN: dict[str, Any] = {
    "bigint": 1,
    "integer": 1,
    "smallint": 1,
    "numeric": 1,
    "real": 1,
    "double precision": 1,
    "boolean": False,
    "jsonb": Jsonb({}),
    "timestamp with time zone": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "text[]": ["x"],
    "inet": "127.0.0.1",
}
BY_NAME: dict[str, Any] = {"currency": "USD"}


@dataclass
class RowMaker:
    """Makes rows of one client, and whatever they point at. `owner`: a connection that sees all."""

    owner: psycopg.Connection
    client_id: UUID
    made: dict[str, dict[str, Any]] = field(default_factory=dict)

    def row(self, table: str) -> dict[str, Any]:
        """The one row of `table` that this maker has made, all columns."""
        if table not in self.made:
            values = self.values(table)
            self.made[table] = self._insert(table, values)
        return self.made[table]

    def values(self, table: str) -> dict[str, Any]:
        """What a new row of `table` needs: its keys, and what must not be empty."""
        columns = {name: (kind, needed) for name, kind, needed in self._ask(COLUMNS, table)}
        values: dict[str, Any] = {"id": self.client_id} if table == "clients" else {}
        if "client_id" in columns:
            values["client_id"] = self.client_id
        for target, here, there in self._ask(KEYS, table):
            # A key that may be empty stays so, but for the client's own.
            needed = [name for name in here if columns.get(name, ("", False))[1] and name != "client_id"]
            if needed or target == "clients":
                values |= {name: self.row(target)[other] for name, other in zip(here, there, strict=True)}
        checks = " ".join(check for (check,) in self._ask(CHECKS, table))
        for name, (kind, needed) in columns.items():
            if needed and name not in values:
                values[name] = self._value(name, kind, checks)
        return values

    def _value(self, name: str, kind: str, checks: str) -> Any:
        if name in BY_NAME:
            return BY_NAME[name]
        choices = re.search(rf"\({name}\)?(?:::text)? = ANY \(+ARRAY\['([^']+)'", checks)
        if choices:
            return choices[1]
        if kind == "uuid":
            return uuid4()
        if kind in ("text", "character varying"):
            return f"x{next(_numbers)}"
        return PLAIN[kind]

    def _insert(self, table: str, values: dict[str, Any]) -> dict[str, Any]:
        if table == "clients":
            self.owner.execute(insert(table, values, "ON CONFLICT DO NOTHING"), values)
            found = self.owner.execute("SELECT * FROM clients WHERE id = %s", (self.client_id,))
        else:
            found = self.owner.execute(insert(table, values, "RETURNING *"), values)
        names = [column.name for column in found.description or ()]
        return dict(zip(names, found.fetchone() or (), strict=True))

    def _ask(self, query: str, table: str) -> list[tuple[Any, ...]]:
        return self.owner.execute(query, {"table": table}).fetchall()


def insert(table: str, values: dict[str, Any], ending: str = "") -> sql.Composed:
    """An INSERT with named placeholders."""
    return sql.SQL("INSERT INTO {} ({}) VALUES ({}) {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(map(sql.Placeholder, values)),
        sql.SQL(ending),
    )
