"""One client never sees or touches another's rows, whatever the code above the database does.

The tables are found in the database itself, so a new one without a policy fails here.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from tests import servers
from tests.architecture.rows import RowMaker, insert

NOT_OWNED = {
    "users", "sessions", "sign_in_links", "workers", "circuits", "exchange_rates", "reference_catalogs",
    "reference_products", "alembic_version",
}  # fmt: skip
"""Belong to the installation. Sessions and links name a client, but are their user's."""

TENANTS = "clients"
"""A client is itself: its key is `id`."""

SYSTEM_READS = {"clients", "memberships", "streams", "events", "work", "pauses"}
"""What the dispatcher and the renderer see of all clients, and nothing else."""

REFUSED = psycopg.errors.InsufficientPrivilege


@pytest.fixture
def tables(app, owner) -> list[str]:
    """All tables."""
    found = owner.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1"
    )
    return [name for (name,) in found]


@pytest.fixture
def owned(tables) -> list[str]:
    """Tables of which each row belongs to a client."""
    return [table for table in tables if table not in NOT_OWNED]


@pytest.fixture
def ours(owner, owned) -> RowMaker:
    """Client A, with a row in each table."""
    return filled(owner, owned)


@pytest.fixture
def theirs(owner, owned) -> RowMaker:
    """Client B, with a row in each table."""
    return filled(owner, owned)


def filled(owner, owned) -> RowMaker:
    maker = RowMaker(owner, uuid4())
    for table in owned:
        maker.row(table)
    return maker


@contextmanager
def signed_in(app, login: str, **context: UUID | None) -> Iterator[psycopg.Connection]:
    """A connection as the app (or the system), with the settings of a tenant."""
    url = getattr(app.extensions["lotline_config"], f"database_{login}_url")
    with servers.as_owner(url) as connection:
        for name, value in context.items():
            connection.execute("SELECT set_config(%s, %s, false)", (f"app.{name}", str(value or "")))
        yield connection


def key_of(table: str) -> sql.Identifier:
    return sql.Identifier("id" if table == TENANTS else "client_id")


def clients_seen(connection, table) -> set[UUID]:
    rows = connection.execute(sql.SQL("SELECT DISTINCT {} FROM {}").format(key_of(table), sql.Identifier(table)))
    return {client_id for (client_id,) in rows}


def test_every_table_is_owned_or_named_as_not_owned(owner, tables, owned):
    assert set(tables) >= NOT_OWNED
    with_client = owner.execute(
        "SELECT attrelid::regclass::text FROM pg_attribute WHERE attname = 'client_id' AND NOT attisdropped"
    )
    with_client = {table for (table,) in with_client}
    assert [table for table in owned if table not in with_client] == [TENANTS]


def test_every_owned_table_has_its_wall(owner, owned):
    walled = owner.execute(
        "SELECT relname FROM pg_class c WHERE relrowsecurity AND NOT relforcerowsecurity"
        " AND EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = c.oid)"
    )
    assert sorted(set(owned) - {table for (table,) in walled}) == []


def test_a_client_sees_its_own_rows_only(app, owned, ours, theirs):
    with signed_in(app, "app", client_id=ours.client_id) as connection:
        assert {table: clients_seen(connection, table) for table in owned} == {
            table: {ours.client_id} for table in owned
        }


@pytest.mark.parametrize("context", [{}, {"client_id": None, "user_id": None}, {"client_id": UUID(int=0)}])
def test_without_a_context_there_is_nothing(app, owned, ours, context):
    with signed_in(app, "app", **context) as connection:
        assert {table: clients_seen(connection, table) for table in owned} == {table: set() for table in owned}


def test_a_member_sees_who_they_are_before_choosing_a_client(app, owner, owned, ours, theirs):
    user_id = theirs.row("memberships")["user_id"]
    with signed_in(app, "app", user_id=user_id) as connection:
        seen = {table for table in owned if clients_seen(connection, table)}
        assert clients_seen(connection, "memberships") == clients_seen(connection, TENANTS) == {theirs.client_id}
    assert seen == {"memberships", TENANTS}


def test_no_row_is_written_for_another_client(app, owned, ours, theirs):
    with signed_in(app, "app", client_id=ours.client_id) as connection:
        for table in owned:
            values = RowMaker(theirs.owner, theirs.client_id, dict(theirs.made)).values(table)
            if table == TENANTS:
                values |= {"id": uuid4()}
            with pytest.raises(REFUSED):
                connection.execute(insert(table, values), values)


def test_another_clients_rows_are_neither_changed_nor_deleted(app, owner, owned, ours, theirs):
    with signed_in(app, "app", client_id=ours.client_id) as connection:
        for table in owned:
            name, key = sql.Identifier(table), key_of(table)
            for change in (
                sql.SQL("UPDATE {} SET {} = {} WHERE {} = %s").format(name, key, key, key),
                sql.SQL("DELETE FROM {} WHERE {} = %s").format(name, key),
            ):
                with suppress(REFUSED):  # some may not be changed by anybody
                    assert connection.execute(change, (theirs.client_id,)).rowcount == 0, table
    counts = [owner.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))) for table in owned]
    assert [count.fetchone() for count in counts] == [(2,)] * len(owned)


def test_no_row_is_given_to_another_client(app, owned, ours, theirs):
    with signed_in(app, "app", client_id=ours.client_id) as connection:
        for table in owned:
            give = sql.SQL("UPDATE {} SET {} = %s").format(sql.Identifier(table), key_of(table))
            with pytest.raises(REFUSED):
                connection.execute(give, (theirs.client_id,))


def test_keys_between_owned_tables_hold_the_client(owner, owned):
    """A plain foreign key would let one client's photo point at another's product."""
    keys = owner.execute(
        "SELECT conrelid::regclass::text, confrelid::regclass::text, pg_get_constraintdef(oid)"
        " FROM pg_constraint WHERE contype = 'f'"
    ).fetchall()
    between = [(here, text) for here, there, text in keys if here in owned and there in owned and there != TENANTS]
    assert len(between) > 10
    plain = [(here, text) for here, text in between if not text.startswith("FOREIGN KEY (client_id, ")]
    assert plain == []


def test_search_finds_ones_own_only(app, owner, ours, theirs):
    """These functions run as another role, so they keep the wall themselves."""
    functions = owner.execute(
        "SELECT proname, pg_get_function_identity_arguments(oid), proconfig FROM pg_proc WHERE prosecdef"
        " AND pronamespace = 'public'::regnamespace ORDER BY 1"
    ).fetchall()
    assert [name for name, _, _ in functions] == ["search_offers", "search_products"]
    assert all("search_path=pg_catalog, public, pg_temp" in settings for _, _, settings in functions)
    owner.execute("UPDATE products SET name = 'same words'; UPDATE offers SET title = 'same words'")
    for table in ("products", "offers"):
        search = f"SELECT id FROM search_{table}('same words', 50)"
        with signed_in(app, "app", client_id=ours.client_id) as connection:
            assert connection.execute(search).fetchall() == [(ours.row(table)["id"],)]
        with signed_in(app, "app") as connection:
            assert connection.execute(search).fetchall() == []


def test_the_system_login_sees_streams_and_little_else(app, tables, ours, theirs):
    with signed_in(app, "system") as connection:
        reads = set()
        for table in tables:
            try:
                rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall()
            except REFUSED:
                continue
            if table not in NOT_OWNED:
                assert len(rows) == 2, table
                reads.add(table)
    assert reads == SYSTEM_READS


def test_the_app_is_not_the_owner(app, tables):
    with signed_in(app, "app") as connection:
        for table in tables:
            with pytest.raises(REFUSED):
                connection.execute(sql.SQL("ALTER TABLE {} DISABLE ROW LEVEL SECURITY").format(sql.Identifier(table)))


def test_a_table_without_a_policy_would_be_noticed(owner, tables):
    with owner.transaction(force_rollback=True):
        owner.execute("CREATE TABLE leaky (id bigint PRIMARY KEY, client_id uuid NOT NULL REFERENCES clients)")
        with pytest.raises(AssertionError):
            test_every_owned_table_has_its_wall(owner, [*tables, "leaky"])
