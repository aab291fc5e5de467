"""Circuits: shared by all processes, decided by Postgres; the work behind them waits and is let through in the end."""

import threading

import pytest
from sqlalchemy import text

from tests.factories import make_client
from tests.work.test_dispatcher import dispatcher  # noqa: F401 - fixture
from webapp.database import db, tenant, transaction
from webapp.errors import CircuitOpen
from webapp.work import circuits, services
from webapp.work.circuits import Circuit
from webapp.work.events import create_stream
from webapp.work.models import WorkState
from webapp.work.moves import IllegalMove

SHOP = Circuit("shop", "The shop", threshold=3, first_probe_seconds=100, longest_probe_seconds=1000)


@pytest.fixture
def client(in_app):
    client = make_client()
    with tenant(client.id):
        yield client


def admit(circuit=SHOP):
    with transaction() as session:
        return circuits.admit(session, circuit)


def fail(admission, circuit=SHOP, **how):
    with transaction() as session:
        return circuits.failed(session, circuit, admission, "it hangs up", **how)


def succeed(admission, circuit=SHOP):
    with transaction() as session:
        circuits.succeeded(session, circuit, admission)


def now():
    with transaction() as session:
        return session.execute(
            text(
                "SELECT state, failures, probes, round(extract(epoch FROM next_probe_at - clock_timestamp())) AS wait"
                " FROM circuits"
            )
        ).one()


def later():
    """The time of the next probe has come, and whoever probed is silent for long."""
    with transaction() as session:
        session.execute(text("UPDATE circuits SET next_probe_at = now(), probe_until = now()"))


def open_it():
    for _ in range(SHOP.threshold):
        fail(admit())


def test_it_opens_after_a_few_failures_in_a_row(client):
    opened = [fail(admit()) for _ in range(3)]
    assert opened == [False, False, True]
    with pytest.raises(CircuitOpen) as caught:
        admit()
    assert caught.value.circuit == "shop"
    assert 95 <= now().wait <= 100


def test_a_success_in_between_starts_the_count_anew(client):
    fail(admit())
    fail(admit())
    succeed(admit())
    assert not fail(admit())
    assert now().failures == 1


def test_one_that_asks_to_be_left_alone_is_at_once(client):
    assert fail(admit(), after_seconds=500)
    assert 495 <= now().wait <= 500


def test_it_is_open_for_everybody(client):
    open_it()
    other = make_client()
    with tenant(other.id), pytest.raises(CircuitOpen):
        admit()


def test_exactly_one_of_many_probes(client, app):
    open_it()
    later()
    admitted, start = [], threading.Barrier(8)

    def come():
        with app.app_context(), tenant(client.id):
            start.wait()
            try:
                admitted.append(admit())
            except CircuitOpen:
                pass
            finally:
                db.session.remove()

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(admitted) == 1
    assert admitted[0].probe is not None


def test_a_probe_that_succeeds_closes_it(client):
    open_it()
    later()
    probe = admit()
    with pytest.raises(CircuitOpen):
        admit()
    succeed(probe)
    assert now().state == "closed"
    assert admit().probe is None


def test_each_probe_that_fails_doubles_the_wait_up_to_a_limit(client):
    open_it()
    waits = []
    for _ in range(5):
        later()
        assert fail(admit())
        waits.append(float(now().wait))
    assert waits == pytest.approx([200, 400, 800, 1000, 1000], abs=5)


def test_a_prober_that_died_leaves_its_place_to_the_next(client):
    open_it()
    later()
    dead = admit()
    later()
    alive = admit()
    assert alive.probe not in (None, dead.probe)
    succeed(dead)  # it woke up: nobody listens any more
    assert now().state == "half_open"
    fail(dead)
    assert now().state == "half_open"
    succeed(alive)
    assert now().state == "closed"


def test_a_late_failure_does_not_postpone_the_next_probe(client):
    early = admit()
    open_it()
    before = now()
    assert fail(early)
    assert now().wait == pytest.approx(float(before.wait), abs=1)


def test_a_person_can_have_it_tried_now(client):
    with transaction() as session:
        assert not circuits.probe_now(session, "shop")
    open_it()
    with transaction() as session:
        assert circuits.probe_now(session, "shop")
        assert not circuits.probe_now(session, "shop")
    assert admit().probe is not None


# --- the work behind it -----------------------------------------------------------------------------


def waiting(client, many=1, *, at_most_seconds=None, **changes):
    """Work that found the circuit open."""
    with tenant(client.id), transaction() as session:
        stream = create_stream(session, client.id, "run")
        settings = {"kind": "phase", "lane": "light", "args": {"label": "Sorting"}, "ready": True} | changes
        ids = [services.create(session, client_id=client.id, stream_id=stream.id, **settings).id for _ in range(many)]
        for work_id in ids:
            behind(session, work_id, at_most_seconds)
    return ids


def behind(session, work_id, at_most_seconds=None):
    claim = services.claim(session, work_id, "tester", 15)
    services.wait_behind(session, claim, "shop", "The shop does not answer", at_most_seconds=at_most_seconds)


def states(ids):
    with transaction() as session:
        found = session.execute(text("SELECT id, state FROM work WHERE id = ANY(:ids)"), {"ids": ids}).all()
    return {row.id: row.state for row in found}


def ready(ids):
    return {work_id for work_id, state in states(ids).items() if state == "ready"}


def let_through(dispatcher):  # noqa: F811
    dispatcher._let_through()


def test_waiting_behind_it_costs_no_attempt(client):
    open_it()
    (work_id,) = waiting(client)
    with transaction() as session:
        row = session.execute(text("SELECT * FROM work WHERE id = :id"), {"id": work_id}).one()
    assert (row.state, row.failures, row.last_error, row.waits_for) == ("waiting", 0, None, "shop")


def test_nothing_moves_while_it_is_open(client, dispatcher):  # noqa: F811
    open_it()
    ids = waiting(client, 3)
    dispatcher.round()
    let_through(dispatcher)
    assert ready(ids) == set()


def test_one_of_each_client_goes_to_probe_when_its_time_has_come(client, dispatcher):  # noqa: F811
    open_it()
    ours, theirs = waiting(client, 5), waiting(make_client(), 5)
    later()
    let_through(dispatcher)
    let_through(dispatcher)
    with tenant(client.id):
        assert len(ready(ours)) == 1
    assert len(dispatcher_sees(dispatcher, "ready")) == 2
    assert theirs


def dispatcher_sees(dispatcher, state):  # noqa: F811
    with dispatcher._engine.connect() as connection:
        return connection.execute(text("SELECT id FROM work WHERE state = :state"), {"state": state}).scalars().all()


def test_the_next_probe_is_made_by_another(client, dispatcher):  # noqa: F811
    open_it()
    ids = waiting(client, 3)
    probers = []
    for _ in range(3):
        later()
        let_through(dispatcher)
        (prober,) = ready(ids)
        probers.append(prober)
        with transaction() as session:
            behind(session, prober)
    assert sorted(probers) == ids


def test_once_it_is_closed_all_go_on_but_not_all_at_once(client, dispatcher):  # noqa: F811
    open_it()
    ids = waiting(client, circuits.WINDOW_PER_CLIENT + 5)
    later()
    succeed(admit())
    let_through(dispatcher)
    let_through(dispatcher)
    first = ready(ids)
    assert len(first) == circuits.WINDOW_PER_CLIENT
    with transaction() as session:
        for work_id in list(first)[:3]:
            services.finish(session, services.claim(session, work_id, "tester", 15), "done")
    let_through(dispatcher)
    assert len(ready(ids)) == circuits.WINDOW_PER_CLIENT
    assert list(states(ids).values()).count("waiting") == 2


def test_once_it_is_closed_the_more_urgent_go_first(client, dispatcher):  # noqa: F811
    open_it()
    waiting(client, circuits.WINDOW_PER_CLIENT)
    urgent = waiting(client, priority=1)
    later()
    succeed(admit())
    let_through(dispatcher)
    assert ready(urgent) == set(urgent)


def test_patience_ends_by_itself_and_is_counted_from_the_first_wait(client, dispatcher):  # noqa: F811
    open_it()
    (work_id,) = waiting(client, at_most_seconds=1000)

    def goes_on_in():
        with transaction() as session:
            return session.execute(
                text("SELECT extract(epoch FROM run_at - clock_timestamp()) FROM work WHERE id = :id"), {"id": work_id}
            ).scalar_one()

    assert goes_on_in() == pytest.approx(1000, abs=5)
    with transaction() as session:
        session.execute(text("UPDATE work SET waits_since = waits_since - interval '900 seconds'"))
    later()
    let_through(dispatcher)
    with transaction() as session:
        behind(session, work_id, 1000)
    assert goes_on_in() == pytest.approx(100, abs=5)
    with transaction() as session:
        session.execute(text("UPDATE work SET run_at = now()"))
    dispatcher.round()
    assert ready([work_id]) == {work_id}


def test_who_is_told_of_it_sees_what_waits_of_their_own(client):
    open_it()
    waiting(client, 2)
    waiting(make_client(), 3)
    with transaction() as session:
        (view,) = circuits.overview(session)
    assert (view.label, view.reason, view.waiting) == ("The shop", "it hangs up", 2)


def test_the_system_sees_all_that_waits(client, dispatcher):  # noqa: F811
    open_it()
    waiting(client, 2)
    waiting(make_client(), 3)
    with dispatcher._engine.connect() as connection:
        (view,) = circuits.overview(connection)
    assert view.waiting == 5


def test_stopped_work_waits_for_nothing(client, dispatcher):  # noqa: F811
    open_it()
    (work_id,) = waiting(client)
    with transaction() as session:
        services.stop(session, work_id, "stopped")
    later()
    succeed(admit())
    let_through(dispatcher)
    assert states([work_id]) == {work_id: WorkState.STOPPED}
    with pytest.raises(IllegalMove), transaction() as session:
        services.restart(session, work_id, WorkState.WAITING, "no")
