"""Work from its making to its end, on real Postgres and Redis."""

import threading
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.factories import make_client
from webapp import queue
from webapp.database import after_commit, db, tenant, transaction
from webapp.work import services, tasks
from webapp.work.events import NewEvent, create_stream, record
from webapp.work.kinds import CONFIG_KEY, Kind
from webapp.work.models import WorkState
from webapp.work.moves import LeaseLost


@pytest.fixture
def client(in_app):
    client = make_client()
    with tenant(client.id):
        yield client


@pytest.fixture
def stream(client):
    with transaction() as session:
        return create_stream(session, client.id, "run")


def make_work(client, stream, **changes):
    settings = {"kind": "phase", "lane": "light", "args": {"label": "Sorting"}, "ready": True} | changes
    with transaction() as session:
        return services.create(session, client_id=client.id, stream_id=stream.id, **settings)


def claimed(work):
    with transaction() as session:
        claim = services.claim(session, work.id, "tester", 15)
    assert claim is not None
    return claim


def row(work):
    with transaction() as session:
        return session.execute(text("SELECT * FROM work WHERE id = :id"), {"id": work.id}).one()


def messages(stream):
    with transaction() as session:
        rows = session.execute(
            text("SELECT seq, message FROM events WHERE stream_id = :id ORDER BY seq"), {"id": stream.id}
        ).all()
    assert [r.seq for r in rows] == list(range(1, len(rows) + 1))
    return [r.message for r in rows]


def test_the_time_in_which_held_work_waits_for_a_person_is_not_its_own(client, stream):
    work = make_work(client, stream)
    claim = claimed(work)
    with transaction() as session:
        services.hold(session, claim, "Needs review")
    held_at = row(work).finished_at
    assert held_at is not None
    with transaction() as session:
        services.release(session, work.id, "Confirmed")
    assert (row(work).state, row(work).finished_at) == ("done", held_at)


def test_the_second_of_two_bells_finds_nothing_to_claim(client, stream):
    work = make_work(client, stream)
    claimed(work)
    with transaction() as session:
        assert services.claim(session, work.id, "late", 15) is None
    assert row(work).attempts == 1


def test_only_one_of_many_that_claim_at_once_gets_the_lease(app, client, stream):
    work = make_work(client, stream)
    wins = []

    def try_it(name):
        with app.app_context(), tenant(client.id):
            with transaction() as session:
                claim = services.claim(session, work.id, name, 15)
            if claim:
                wins.append(name)
            db.session.remove()

    threads = [threading.Thread(target=try_it, args=(f"w{n}",)) for n in range(6)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(wins) == 1


def test_what_a_worker_brings_after_a_stop_is_not_written(client, stream):
    work = make_work(client, stream)
    claim = claimed(work)
    with transaction() as session:
        services.stop(session, work.id, "stopped")
    with pytest.raises(LeaseLost), transaction() as session:
        services.finish(session, claim, "done")
    with pytest.raises(LeaseLost), transaction() as session:
        services.report(session, claim, 50, "half", 15, loud=True)
    assert row(work).state == "stopped"
    assert messages(stream)[-1] == "stopped"


def test_the_old_lease_is_worthless_once_the_work_runs_again(client, stream):
    work = make_work(client, stream)
    first = claimed(work)
    with transaction() as session:
        services.hand_back(session, first)
    second = claimed(work)
    with pytest.raises(LeaseLost), transaction() as session:
        services.finish(session, first, "from the dead")
    with transaction() as session:
        services.finish(session, second, "once")
    assert row(work).state == "done"


def test_an_error_is_tried_again_later_and_fails_after_the_last_attempt(client, stream):
    work = make_work(client, stream)
    for attempt in range(1, 4):
        claim = claimed(work)
        with transaction() as session:
            services.fail(session, claim, "no luck", final=False)
        now = row(work)
        assert now.failures == attempt
        assert now.last_error == "no luck"
        if attempt < 3:
            assert now.state == "waiting"
            with transaction() as session:
                session.execute(text("UPDATE work SET state = 'ready', run_at = now() WHERE id = :i"), {"i": work.id})
    assert row(work).state == "failed"
    with transaction() as session:
        services.restart(session, work.id, WorkState.FAILED, "again")
    assert (row(work).failures, row(work).attempts) == (0, 3)


def test_a_permanent_error_fails_at_once(client, stream):
    work = make_work(client, stream)
    claim = claimed(work)
    with transaction() as session:
        services.fail(session, claim, "never", final=True)
    assert row(work).state == "failed"
    assert messages(stream)[-1] == "Sorting failed: never"


@pytest.mark.parametrize("failures", range(12))
def test_back_off_grows_and_stays_within_its_cap(failures):
    for _ in range(50):
        assert 1 <= services.backoff_seconds(failures) <= min(300, 5 * 2**failures)


def test_events_of_one_stream_have_no_gaps_though_many_write_at_once(app, client, stream):
    def write(name):
        with app.app_context(), tenant(client.id):
            for number in range(10):
                with transaction():
                    record(client.id, stream.id, NewEvent("test", f"{name} {number} a"))
                    record(client.id, stream.id, NewEvent("test", f"{name} {number} b"))
            db.session.remove()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    written = messages(stream)
    assert len(written) == 80
    # The two events of one transaction stand next to each other.
    assert all(written[n][:-1] == written[n + 1][:-1] for n in range(0, 80, 2))


def test_a_rollback_leaves_no_event_and_rings_no_bell(client, stream):
    before = queue.bells("light").count
    with pytest.raises(RuntimeError, match="change of mind"), transaction() as session:
        services.create(
            session, client_id=client.id, stream_id=stream.id, kind="phase", lane="light", args={}, ready=True
        )
        record(client.id, stream.id, NewEvent("test", "never"))
        raise RuntimeError("change of mind")
    with transaction():
        pass
    assert messages(stream) == []
    assert queue.bells("light").count == before


def test_the_bell_rings_after_commit_with_client_and_work(client, stream):
    bells = queue.bells("light")
    bells.empty()
    work = make_work(client, stream)
    assert [queue.read_bell(bell) for bell in bells.job_ids] == [(client.id, work.id)]


def test_a_client_rings_only_a_few_bells_by_itself(client, stream):
    bells = queue.bells("light")
    bells.empty()
    for _ in range(services.RINGS_PER_CLIENT + 3):
        make_work(client, stream)
    assert bells.count == services.RINGS_PER_CLIENT


def test_after_commit_runs_once_after_the_outermost_commit(client):
    order = []
    with transaction():
        with transaction():
            after_commit(lambda: order.append("told"))
        order.append("inner ended")
    assert order == ["inner ended", "told"]


def test_after_commit_outside_of_a_transaction_is_a_mistake(client):
    with pytest.raises(RuntimeError):
        after_commit(lambda: None)


def test_a_redis_that_is_away_stops_no_commit(app, client, stream, monkeypatch):
    monkeypatch.setitem(app.extensions, "lotline_redis", queue.connect("unix:///nowhere/redis.sock"))
    work = make_work(client, stream)
    assert row(work).state == "ready"


def test_work_with_the_same_key_is_made_once_while_it_is_active(client, stream):
    make_work(client, stream, dedup_key="report")
    with pytest.raises(Exception, match="uq_work_dedup_key"):
        make_work(client, stream, dedup_key="report")


def test_ids_are_in_the_order_of_making():
    from webapp.database import new_id

    ids = [new_id() for _ in range(100)]
    assert ids == sorted(ids)
    assert all(isinstance(i, UUID) and i.version == 7 for i in ids)


def test_a_bell_names_work_and_nothing_else_so_that_redis_can_run_no_code(client, stream):
    make_work(client, stream)
    assert queue.redis().keys("rq:job:*") == []
    for strange in ("os.system", "4_os", f"{client.id}_1_2"):
        with pytest.raises(ValueError):
            queue.read_bell(strange)


def test_work_of_a_kind_that_only_a_newer_version_knows_waits_and_says_why(client, stream):
    work = make_work(client, stream)
    with transaction() as session:
        session.execute(text("UPDATE work SET kind = 'telepathy' WHERE id = :id"), {"id": work.id})
    tasks.perform(client.id, work.id)
    found = row(work)
    assert (found.state, found.crashes) == ("waiting", 0)
    assert "does not know how to do 'telepathy'" in found.last_error


told = []


def tell(lease):
    told.append(lease.facts)


def nothing_happens(_session, _moved):
    """The kinds of these tests never fail."""


def what_it_is(session, work_id):
    return session.execute(text("SELECT args->>'label' FROM work WHERE id = :id"), {"id": work_id}).scalar_one()


def nonsense(session, _work_id):
    return session.execute(text("SELECT 1 / 0")).scalar_one()


@pytest.mark.parametrize(("facts", "expected"), [("what_it_is", "Sorting"), ("nonsense", None), ("", None)])
def test_what_work_wants_to_know_comes_with_its_claim_unless_it_cannot_be_read(app, client, stream, facts, expected):
    named = {"perform": f"{__name__}.tell", "failed": f"{__name__}.nothing_happens"}
    kinds = app.config[CONFIG_KEY]
    app.config[CONFIG_KEY] = {**kinds, "curious": Kind(**named, facts=f"{__name__}.{facts}" if facts else "")}
    try:
        client_id, work_id = client.id, make_work(client, stream, kind="curious").id
        told.clear()
        tasks.perform(client_id, work_id)
    finally:
        app.config[CONFIG_KEY] = kinds
    assert told == [expected]
    with transaction() as session:
        kept = session.execute(text("SELECT state, attempts FROM work WHERE id = :id"), {"id": work_id}).one()
    assert kept == ("running", 1)


def takes_all(_lease):
    raise MemoryError


def takes_all_in_an_engine(_lease):
    raise RuntimeError("Non-zero status code returned while running Gelu node. Status Message: std::bad_alloc")


@pytest.mark.parametrize("perform", [takes_all, takes_all_in_an_engine])
def test_work_that_needs_too_much_memory_fails_at_once_and_says_so(app, client, stream, perform):
    named = {"perform": f"{__name__}.{perform.__name__}", "failed": f"{__name__}.nothing_happens"}
    kinds = app.config[CONFIG_KEY]
    app.config[CONFIG_KEY] = {**kinds, "greedy": Kind(**named)}
    try:
        client_id, work_id = client.id, make_work(client, stream, kind="greedy").id
        tasks.perform(client_id, work_id)
    finally:
        app.config[CONFIG_KEY] = kinds
    with transaction() as session:
        asked = text("SELECT state, attempts, last_error, cause FROM work WHERE id = :id")
        kept = session.execute(asked, {"id": work_id}).one()
    assert kept == ("failed", 1, "it needed more memory than a worker may use", "out_of_memory")
