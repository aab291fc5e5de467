"""Postgres goes away and comes back."""

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from tests.pipeline.conftest import client, make_run  # noqa: F401 - fixtures
from webapp.database import db, transaction
from webapp.engines import is_outage
from webapp.pipeline.models import Phase
from webapp.work import tasks
from webapp.work.models import Work


@pytest.fixture
def away(in_app):
    """`away(3)`: the next three connections are refused. Gives the list of the refusals."""
    refused = []

    def begin(many):
        def refuse(*_):
            if len(refused) < many:
                refused.append(True)
                raise psycopg.OperationalError("connection refused")

        event.listen(db.engine, "do_connect", refuse)
        listening.append(refuse)
        db.session.remove()
        db.engine.dispose()
        return refused

    listening = []
    yield begin
    for refuse in listening:
        event.remove(db.engine, "do_connect", refuse)


def first_work(run):
    with transaction() as session:
        return session.query(Work).join(Phase, Phase.work_id == Work.id).filter_by(run_id=run.id, number=1).one()


def test_a_bell_that_rings_while_the_database_is_away_is_answered_when_it_is_back(
    monkeypatch,
    client,  # noqa: F811
    make_run,  # noqa: F811
    away,
):
    monkeypatch.setattr(tasks, "OUTAGE_PAUSE_SECONDS", 0.01)
    work = first_work(make_run())
    refused = away(3)
    tasks.perform(client.id, work.id)
    assert len(refused) == 3
    with transaction() as session:
        assert session.execute(text("SELECT state FROM work WHERE id = :id"), {"id": work.id}).scalar_one() == "done"


def test_connections_that_the_server_ended_at_rest_are_made_anew(in_app):
    with db.engine.connect() as other:
        with transaction() as session:
            before = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
        other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": before})
    with transaction() as session:
        assert session.execute(text("SELECT pg_backend_pid()")).scalar_one() != before


def test_a_connection_that_lives_is_used_again(in_app):
    pids = set()
    for _ in range(3):
        with transaction() as session:
            pids.add(session.execute(text("SELECT pg_backend_pid()")).scalar_one())
    assert len(pids) == 1


def test_what_the_server_refuses_is_no_outage(in_app):
    with pytest.raises(DBAPIError) as refused, transaction() as session:
        session.execute(text("SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)"))
    assert not is_outage(refused.value)


def test_a_connection_that_was_ended_is_an_outage(in_app):
    with pytest.raises(DBAPIError) as ended, transaction() as session:
        session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert is_outage(ended.value)


def test_a_frozen_process_keeps_its_locks_no_longer_than_its_lease(app, in_app):
    with transaction() as session:
        limit = session.execute(
            text("SELECT extract(epoch FROM current_setting('idle_in_transaction_session_timeout')::interval)")
        ).scalar_one()
    assert limit <= app.extensions["lotline_config"].lease_seconds
