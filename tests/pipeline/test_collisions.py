"""Two at once: people and machine at the same run, in the order that hurts most."""

import threading
import time
from concurrent.futures import Future

import pytest
from sqlalchemy import text

from tests.pipeline.conftest import answer_bells, fresh
from tests.pipeline.engines import unsure
from tests.pipeline.test_services import do, states, use, work_id
from webapp.database import db, tenant, transaction
from webapp.errors import Conflict
from webapp.pipeline import services
from webapp.pipeline.models import PhaseName, Run, RunState
from webapp.pipeline.tasks import run_phase
from webapp.work import tasks
from webapp.work.lease import Lease
from webapp.work.services import claim

SETTLED = {"name": "Kettle K1", "brand": None, "model": None, "condition": None, "gtin": None}


@pytest.fixture
def meanwhile(app, client):
    """`meanwhile(f)`: somebody else does it, in a transaction of their own, and by now waits for us or is through."""

    def start(act):
        outcome = Future()

        def run():
            with app.app_context(), tenant(client.id):
                try:
                    with transaction() as session:
                        done = act(session)
                    outcome.set_result(done)
                except Exception as error:
                    outcome.set_exception(error)
                finally:
                    db.session.remove()

        threading.Thread(target=run, daemon=True).start()
        until_it_waits(outcome)
        return outcome

    return start


def until_it_waits(outcome, many=1):
    """Wait until so many of our sessions wait for a lock, or it is over."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    end = time.monotonic() + 5
    while not outcome.done() and time.monotonic() < end:
        with db.engine.connect() as connection:
            if connection.execute(waiting).scalar_one() >= many:
                return
        time.sleep(0.01)


def to_the_last_phase(run):
    """All done but the last phase, whose claim this gives."""
    answer_bells(3)
    with transaction() as session:
        return claim(session, work_id(run, 4), "tester", 15)


def test_a_run_that_ends_while_its_product_is_removed_has_ended(client, make_run, meanwhile):
    run = make_run()
    held = to_the_last_phase(run)
    with transaction():
        run_phase(Lease(held, 15, tasks.draining))  # joins this transaction: ended, not yet committed
        removal = meanwhile(lambda session: services.remove_product(session, run.product_id, None))
    removal.result(10)
    assert states(run) == ["done"] * 4
    assert fresh(Run, run.id).state is RunState.COMPLETED
    with transaction() as session:
        services.put_back(session, run.product_id)
    with transaction() as session:
        services.run_again(session, run.product_id, None)


def test_the_second_who_starts_a_run_again_is_told_that_it_runs(client, make_run, meanwhile):
    run = make_run()
    answer_bells()
    with transaction() as session:
        services.run_again(session, run.product_id, None)
        second = meanwhile(lambda session: services.run_again(session, run.product_id, None))
    with pytest.raises(Conflict, match="already"):
        second.result(10)


def test_removing_and_starting_again_at_the_same_moment_do_not_block_each_other(client, make_run, meanwhile):
    run = make_run()
    answer_bells()
    with transaction() as session:
        session.execute(text("SELECT FROM products WHERE id = :id FOR UPDATE"), {"id": run.product_id})
        again = meanwhile(lambda session: services.run_again(session, run.product_id, None))
        services.remove_product(session, run.product_id, None)
    with pytest.raises(Conflict):
        again.result(10)
    assert fresh(Run, run.id).is_latest is False


def test_what_was_started_again_meanwhile_is_not_removed_by_half(client, make_run, meanwhile):
    run = make_run()
    answer_bells()
    with transaction() as session:
        again = services.run_again(session, run.product_id, None)
        removal = meanwhile(lambda session: services.remove_product(session, run.product_id, None))
    with pytest.raises(Conflict):
        removal.result(10)
    assert fresh(Run, again.id).is_latest


def test_a_confirmation_and_a_stop_of_what_follows_do_not_block_each_other(app, client, make_run, meanwhile):
    use(app, PhaseName.ANALYSIS, unsure)
    run = make_run()
    answer_bells()
    with transaction() as session:
        session.execute(text("SELECT FROM work WHERE id = :id FOR UPDATE"), {"id": work_id(run, 2)})
        confirmation = meanwhile(lambda session: services.confirm(session, run.id, SETTLED, by_name="Ann"))
        with pytest.raises(Conflict):
            do(services.stop_phase, run, 2)
    confirmation.result(10)
    assert states(run)[:2] == ["done", "ready"]
