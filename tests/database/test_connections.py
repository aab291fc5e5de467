"""Connections are kept: making one costs Postgres a process and both sides an exchange of keys."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import psycopg
import pytest
from psycopg.pq import ExecStatus
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import DBAPIError

from webapp.database import db
from webapp.engines import is_outage, system_engine
from webapp.statements import prepared_on
from webapp.supervisor.gunicorn_conf import threads as THREADS


@pytest.mark.parametrize("engine_of", [lambda: db.engine, system_engine], ids=["app", "system"])
def test_as_many_connections_are_kept_as_a_web_process_has_threads(app, in_app, engine_of):
    engine = engine_of()
    made = []
    event.listen(engine, "connect", lambda *_: made.append(1))

    def ask(barrier: Barrier) -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            barrier.wait(10)  # all at the same time

    with ThreadPoolExecutor(THREADS) as threads:
        for _ in range(3):
            list(threads.map(ask, [Barrier(THREADS)] * THREADS))
    assert len(made) <= THREADS


def test_a_server_that_ends_what_it_has_just_given_is_away(app, in_app):
    """As in the moment in which it dies: it is told as an outage, not as an error of ours."""
    engine = create_engine(app.extensions["lotline_config"].database_app_url, pool_size=1, max_overflow=0)
    with engine.connect() as first:
        ended = first.execute(text("SELECT pg_backend_pid()")).scalar_one()
    ending = create_engine(app.extensions["lotline_config"].database_app_url)

    def end(pid: int) -> None:
        with ending.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    def end_at_once(connection: Any, _record: object) -> None:
        end(connection.info.backend_pid)

    end(ended)
    event.listen(engine, "connect", end_at_once)
    with pytest.raises(DBAPIError) as caught:
        engine.connect()
    assert is_outage(caught.value)
    event.remove(engine, "connect", end_at_once)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()
    ending.dispose()


def test_an_error_without_a_state_is_the_connections(app, in_app):
    """libpq itself says that the server closed the connection, at times before the connection's status does."""
    with db.engine.connect() as connection:
        prepared = prepared_on(connection)
        failed = prepared.server.make_empty_result(ExecStatus.FATAL_ERROR)
        with pytest.raises(psycopg.OperationalError):
            prepared._checked(failed)
