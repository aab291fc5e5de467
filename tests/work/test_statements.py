"""Statements past the session: the same transaction, the same tenant, the same errors."""

import pytest
from sqlalchemy import Engine, bindparam, event, literal, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from tests.factories import make_client
from webapp.database import db, tenant, transaction
from webapp.engines import is_outage
from webapp.statements import Statement
from webapp.together import read_together

MAKE = Statement("INSERT INTO streams (client_id, kind) VALUES (:client, :kind) RETURNING id, kind")
END = Statement("SELECT pg_terminate_backend(pg_backend_pid())")
COUNT = Statement("SELECT count(*) AS many FROM streams WHERE kind = :kind")


def many(kind):
    with transaction() as session:
        return COUNT.execute(session, {"kind": kind})[0].many


def test_what_it_writes_commits_and_rolls_back_with_the_transaction(in_app):
    client = make_client()
    with tenant(client.id):
        with transaction() as session:
            assert MAKE.one_or_none(session, {"client": client.id, "kind": "kept"}).kind == "kept"
        with pytest.raises(ZeroDivisionError), transaction() as session:
            MAKE.execute(session, {"client": client.id, "kind": "gone"})
            raise ZeroDivisionError
        assert (many("kept"), many("gone")) == (1, 0)


def test_it_sees_its_tenants_rows_only(in_app):
    client, other = make_client(), make_client()
    with tenant(client.id), transaction() as session:
        MAKE.execute(session, {"client": client.id, "kind": "ours"})
    with tenant(other.id):
        assert many("ours") == 0
        with pytest.raises(DBAPIError), transaction() as session:
            MAKE.execute(session, {"client": client.id, "kind": "theirs"})


def test_a_refusal_is_the_error_that_the_session_would_raise(in_app):
    client = make_client()
    twice = Statement("INSERT INTO clients (id, name, slug) SELECT id, name, slug FROM clients WHERE id = :id")
    with tenant(client.id), pytest.raises(IntegrityError) as refused, transaction() as session:
        twice.execute(session, {"id": client.id})
    assert not is_outage(refused.value)


def test_a_connection_that_its_server_ended_is_an_outage_and_is_not_used_again(in_app):
    with tenant(make_client().id):
        with pytest.raises(DBAPIError) as lost, transaction() as session:
            END.execute(session, {})
        assert is_outage(lost.value)
        assert many("any") == 0


def test_it_goes_on_after_what_was_rolled_back(in_app):
    """The driver deallocates what was prepared, by whomever, when something is rolled back."""
    client = make_client()
    with tenant(client.id):
        for fails in (False, True, False):
            for _ in range(8):  # from the sixth on, the driver has a statement of its own prepared
                assert many("gone") == 0
                with transaction() as session:
                    assert session.execute(text("SELECT 7")).scalar_one() == 7
            with pytest.raises(ZeroDivisionError), transaction() as session:
                MAKE.execute(session, {"client": client.id, "kind": "gone"})
                if fails:
                    with pytest.raises(DBAPIError), session.begin_nested():
                        MAKE.execute(session, {"client": None, "kind": "refused"})
                assert COUNT.execute(session, {"kind": "gone"})[0].many == 1
                raise ZeroDivisionError


def test_it_goes_on_on_a_connection_that_was_put_back_in_the_middle(in_app):
    """Reads end so: nobody commits, and the pool rolls back without a word."""
    for _ in range(3):
        for _ in range(8):  # from the sixth on, the driver has a statement of its own prepared
            with db.engine.begin() as connection:
                assert connection.execute(text("SELECT 8")).scalar_one() == 8
        with db.engine.connect() as connection:
            assert COUNT.execute(connection, {"kind": "none"})[0].many == 0


def test_what_was_taken_from_the_server_is_prepared_anew(in_app):
    """By whomever; one transaction fails, the next does not."""
    with db.engine.connect() as connection:
        for _ in range(8):
            assert COUNT.execute(connection, {"kind": "none"})[0].many == 0
            assert connection.execute(text("SELECT 9")).scalar_one() == 9
        connection.commit()
        for again in range(3):
            connection.connection.driver_connection.pgconn.exec_(b"DEALLOCATE ALL")
            with pytest.raises(DBAPIError):
                if again % 2:
                    connection.execute(text("SELECT 9"))
                COUNT.execute(connection, {"kind": "none"})
            connection.rollback()
            for _ in range(8):
                assert COUNT.execute(connection, {"kind": "none"})[0].many == 0
                assert connection.execute(text("SELECT 9")).scalar_one() == 9
            connection.commit()


def test_a_read_among_several_that_fails_leaves_the_connection_as_good_as_before(in_app):
    good, bad = (select(literal(number) / bindparam("by")) for number in (8, 9))
    with db.engine.connect() as connection, Session(connection) as session:
        for number in range(12):
            by = number % 3
            if by:
                read_together(session, (good, {"by": 1}), (bad, {"by": by}), (good, {"by": 1}))
            else:
                with pytest.raises(DBAPIError):
                    read_together(session, (good, {"by": 1}), (bad, {"by": 0}), (good, {"by": 1}))
                session.rollback()
        for _ in range(8):
            assert [row[0][0] for row in read_together(session, (good, {"by": 2}), (bad, {"by": 3}))] == [4, 3]


def test_who_listens_to_statements_hears_it_and_may_change_it(in_app):
    heard = []

    def listen(_connection, _cursor, statement, parameters, *_rest):
        heard.append(statement)
        return statement.replace("count(*)", "count(*) + 7"), parameters

    with tenant(make_client().id):
        event.listen(Engine, "before_cursor_execute", listen, retval=True)
        try:
            assert many("any") == 7
        finally:
            event.remove(Engine, "before_cursor_execute", listen)
    assert any("kind = %(kind)s" in statement for statement in heard)
    db.session.remove()
