"""Connections are kept: making one costs Postgres a process and both sides an exchange of keys."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import event, text

from webapp.database import db
from webapp.engines import system_engine
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
