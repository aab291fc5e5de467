"""The record: complete, plain, and never changed."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tests.factories import make_client, make_member
from webapp.access.models import Role
from webapp.audit.services import SYSTEM, Actor, record
from webapp.database import tenant, transaction

ID = UUID(int=7)


@pytest.fixture
def client(in_app):
    return make_client()


def entry(owner, columns):
    return owner.execute(f"SELECT {columns} FROM audit WHERE action = 'tested'").fetchone()


def test_who_what_and_from_where(client, owner):
    user = make_member(client)
    actor = Actor(user_id=user.id, session_id=ID, address="2001:db8::1", user_agent="b" * 1000)
    with tenant(client.id), transaction():
        record(actor, "tested", client_id=client.id, table="things", row_id=ID, details={"n": 1})
    found = entry(owner, "client_id, user_id, session_id, host(address), user_agent, table_name, row_id, details")
    assert found == (client.id, user.id, ID, "2001:db8::1", "b" * 400, "things", str(ID), {"n": 1})
    (seconds,) = entry(owner, "extract(epoch FROM now() - at)::int")
    assert abs(seconds) < 60


def test_which_fields_changed_is_worked_out(client, owner):
    with tenant(client.id), transaction():
        record(SYSTEM, "tested", client_id=client.id, old={"a": 1, "b": 2, "c": 3}, new={"a": 1, "b": 5, "d": 4})
    assert entry(owner, "changed_fields") == (["b", "c", "d"],)


def test_values_of_all_kinds_are_kept_as_plain_json(client, owner):
    old = {
        "id": ID,
        "price": Decimal("9.90"),
        "role": Role.ADMIN,
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "tags": {"x"},
    }
    with tenant(client.id), transaction():
        record(SYSTEM, "tested", client_id=client.id, old=old | {"nested": {"id": ID}})
    kept = {"id": str(ID), "price": "9.90", "role": "admin", "at": "2026-01-02T00:00:00+00:00", "tags": ["x"]}
    assert entry(owner, "old, new, changed_fields") == (kept | {"nested": {"id": str(ID)}}, None, None)


def test_it_is_undone_with_its_transaction(client, owner):
    with pytest.raises(RuntimeError, match="no"), tenant(client.id), transaction():
        record(SYSTEM, "tested", client_id=client.id)
        raise RuntimeError("no")
    assert entry(owner, "id") is None


@pytest.mark.parametrize("change", ["UPDATE audit SET action = 'x'", "DELETE FROM audit", "TRUNCATE audit"])
def test_the_app_cannot_change_what_is_written(client, change):
    with tenant(client.id), pytest.raises(ProgrammingError, match="permission denied"), transaction() as session:
        session.execute(text(change))


def test_a_client_does_not_read_what_concerns_the_installation(client):
    with tenant(client.id), transaction() as session:
        record(SYSTEM, "tested")
        assert session.execute(text("SELECT count(*) FROM audit WHERE client_id IS NULL")).scalar_one() == 0
