"""The dispatcher, round by round, on real Postgres and Redis."""

import pytest
from sqlalchemy import text

from tests.factories import make_client
from webapp import queue
from webapp.database import tenant, transaction
from webapp.work import services
from webapp.work.dispatcher import EPOCH_KEY, WINDOWS, Dispatcher
from webapp.work.events import create_stream


@pytest.fixture
def dispatcher(app, in_app):
    queue.redis().flushdb()
    dispatcher = Dispatcher(app)
    dispatcher.round()
    return dispatcher


def backlog(client, many, lane="light", **changes):
    """Ready work whose bells nobody has rung."""
    with tenant(client.id), transaction() as session:
        stream = create_stream(session, client.id, "run")
        ids = [
            services.create(
                session,
                client_id=client.id,
                stream_id=stream.id,
                kind="phase",
                lane=lane,
                args={},
                ready=True,
                **changes,
            ).id
            for _ in range(many)
        ]
        session.execute(text("UPDATE work SET dispatched_at = NULL WHERE id = ANY(:ids)"), {"ids": ids})
    queue.bells(lane).empty()
    return ids


def rung(lane="light"):
    return [queue.read_bell(bell)[1] for bell in queue.bells(lane).job_ids]


def upload(client, many, lane):
    """Ready work as it comes in; the first bells are rung at once."""
    with tenant(client.id), transaction() as session:
        stream = create_stream(session, client.id, "run")
        settings = {"kind": "phase", "lane": lane, "args": {}, "ready": True}
        return [services.create(session, client_id=client.id, stream_id=stream.id, **settings).id for _ in range(many)]


def work_one(lane):
    """Do what the first bell rings for, as the lane's only slot would."""
    bells = queue.bells(lane)
    bell = bells.job_ids[0]
    bells.remove(bell)
    client_id, work_id = queue.read_bell(bell)
    with tenant(client_id), transaction() as session:
        services.finish(session, services.claim(session, work_id, "slot", 15), "done")
    return work_id


def change(client, work_id, what):
    with tenant(client.id), transaction() as session:
        session.execute(text(f"UPDATE work SET {what} WHERE id = :id"), {"id": work_id})


def row(client, work_id):
    with tenant(client.id), transaction() as session:
        return session.execute(text("SELECT * FROM work WHERE id = :id"), {"id": work_id}).one()


def test_it_rings_for_ready_work_and_only_as_much_as_the_window_holds(dispatcher):
    ids = backlog(make_client(), WINDOWS["light"] + 5)
    dispatcher.round()
    assert rung() == ids[: WINDOWS["light"]]
    dispatcher.round()
    assert len(rung()) == WINDOWS["light"]


def test_a_small_client_does_not_wait_behind_a_large_one(dispatcher):
    backlog(make_client(), 100)
    small = backlog(make_client(), 2)
    dispatcher.round()
    assert set(small) <= set(rung()[:4])


def test_urgent_work_goes_first_within_a_client(dispatcher):
    client = make_client()
    backlog(client, 5)
    urgent = backlog(client, 1, priority=1)
    dispatcher.round()
    assert rung()[0] == urgent[0]


def test_what_waited_long_overtakes_fresh_urgent_work_of_others(dispatcher):
    old, new = make_client(), make_client()
    [patient] = backlog(old, 1, priority=9)
    change(old, patient, "run_at = now() - interval '1 hour'")
    backlog(new, 1, priority=1)
    dispatcher.round()
    assert rung()[0] == patient


def test_what_a_client_brings_later_does_not_overtake_what_it_brought_first(dispatcher):
    client = make_client()
    first = upload(client, 8, "heavy")
    done = []
    for _ in range(8):
        done.append(work_one("heavy"))
        upload(client, 1, "heavy")
        dispatcher.round()
    assert done == first


def test_clients_that_ring_without_end_do_not_keep_another_waiting_for_ever(dispatcher):
    waiting, busy = make_client(), [make_client() for _ in range(2)]
    [old] = backlog(waiting, 1, lane="heavy")
    change(waiting, old, "run_at = now() - interval '1 minute'")
    for client in busy:
        upload(client, 4, "heavy")
    done = []
    for number in range(12):
        done.append(work_one("heavy"))
        upload(busy[number % 2], 1, "heavy")
        dispatcher._rerung_at = 0
        dispatcher.round()
    assert old in done


def lose_work(client):
    """Work whose worker was lost, as the next round will find."""
    [work_id] = backlog(client, 1, lane="heavy")
    with tenant(client.id), transaction() as session:
        services.claim(session, work_id, "slot", 15)
    change(client, work_id, "lease_until = now() - interval '1 second'")
    return work_id


def test_an_expired_lease_makes_the_work_ready_and_counts_a_crash(dispatcher):
    client = make_client()
    [work_id] = backlog(client, 1)
    with tenant(client.id), transaction() as session:
        services.claim(session, work_id, "soon dead", 15)
    dispatcher.round()
    assert row(client, work_id).state == "running"
    change(client, work_id, "lease_until = now() - interval '1 second'")
    dispatcher.round()
    found = row(client, work_id)
    assert (found.state, found.crashes, found.lease_token) == ("ready", 1, None)
    assert work_id in rung()
    with tenant(client.id), transaction() as session:
        last = session.execute(
            text("SELECT level, message FROM events ORDER BY stream_id DESC, seq DESC LIMIT 1")
        ).one()
    assert last.level == "warning"
    assert "stopped answering" in last.message


@pytest.mark.parametrize("silent", [False, True])
def test_what_a_worker_lost_is_rung_for_beside_its_lane_too(dispatcher, silent):
    client = make_client()
    lost = lose_work(client)
    if silent:
        round_without_redis(dispatcher)
    dispatcher.round()
    assert rung(queue.front("heavy")) == [lost]
    dispatcher.round()
    assert rung(queue.front("heavy")) == [lost]


def test_interrupted_work_is_rung_for_again_when_who_took_its_bell_was_lost_as_well(dispatcher):
    client = make_client()
    lost = lose_work(client)
    dispatcher.round()
    front = queue.bells(queue.front("heavy"))
    front.empty()  # somebody took it
    dispatcher._rerung_at = float("inf")  # not yet
    dispatcher.round()
    assert rung(front.name) == []
    dispatcher._rerung_at = 0
    dispatcher.round()
    assert rung(front.name) == [lost]
    dispatcher._rerung_at = 0
    dispatcher.round()
    assert rung(front.name) == [lost]
    front.empty()
    with tenant(client.id), transaction() as session:
        services.claim(session, lost, "slot", 15)
    dispatcher._rerung_at = 0
    dispatcher.round()
    assert rung(front.name) == []


def test_another_dispatcher_rings_for_what_was_interrupted_when_the_first_is_lost_with_the_bell(app, dispatcher):
    client = make_client()
    lost = lose_work(client)
    dispatcher.round()
    queue.redis().flushdb()
    other = Dispatcher(app)
    other.round()
    assert rung(queue.front("heavy")) == [lost]
    other._rerung_at = 0
    other.round()
    assert rung(queue.front("heavy")) == [lost], "it hangs there already"


def test_interrupted_work_that_nobody_may_take_is_rung_for_a_while_and_no_longer(app, dispatcher):
    client = make_client()
    lost = lose_work(client)
    dispatcher.round()
    dispatcher._interrupted[lost].good_until = 0
    queue.bells(queue.front("heavy")).empty()
    for _ in range(2):
        dispatcher._rerung_at = 0
        dispatcher.round()
    assert rung(queue.front("heavy")) == []


def test_what_a_worker_lost_keeps_its_place_before_what_came_later(dispatcher):
    client = make_client()
    [lost] = backlog(client, 1, lane="heavy")
    with tenant(client.id), transaction() as session:
        services.claim(session, lost, "slot", 15)
    backlog(client, 20, lane="heavy")
    change(client, lost, "lease_until = now() - interval '1 second'")
    dispatcher.round()
    assert rung("heavy")[0] == lost


def test_waiting_work_wakes_when_its_time_has_come(dispatcher):
    client = make_client()
    late, early = backlog(client, 2)
    change(client, late, "state = 'waiting', run_at = now() - interval '1 second'")
    change(client, early, "state = 'waiting', run_at = now() + interval '1 hour'")
    dispatcher.round()
    assert (row(client, late).state, row(client, early).state) == ("ready", "waiting")


def test_when_redis_forgot_everything_all_bells_are_rung_again(dispatcher):
    ids = backlog(make_client(), 3)
    dispatcher.round()
    queue.redis().flushdb()
    dispatcher.round()
    assert rung() == ids
    assert queue.redis().get(EPOCH_KEY)


def test_a_first_dispatcher_rings_for_what_an_empty_redis_has_forgotten(app, dispatcher):
    ids = backlog(make_client(), 3)
    dispatcher.round()
    queue.redis().flushdb()
    Dispatcher(app).round()
    assert rung() == ids


def test_what_was_rung_for_while_redis_was_silent_is_rung_for_again(dispatcher):
    round_without_redis(dispatcher)
    ids = upload(make_client(), 3, "light")
    queue.bells("light").empty()
    dispatcher.round()
    assert rung() == ids


def test_nothing_is_dealt_while_redis_is_silent(dispatcher):
    client = make_client()
    [work_id] = backlog(client, 1)
    round_without_redis(dispatcher)
    assert row(client, work_id).dispatched_at is None
    dispatcher.round()
    assert rung() == [work_id]


def round_without_redis(dispatcher):
    """A round of a dispatcher whose Redis has nobody listening."""
    there, dispatcher._redis = dispatcher._redis, queue.connect("redis://127.0.0.1:1")
    dispatcher.round()
    dispatcher._redis = there


def test_a_single_lost_bell_is_rung_again_after_a_lease(dispatcher):
    client = make_client()
    [work_id] = backlog(client, 1)
    dispatcher.round()
    queue.bells("light").empty()
    dispatcher._rerung_at = 0
    dispatcher.round()
    assert rung() == []
    change(client, work_id, "dispatched_at = now() - interval '20 seconds'")
    dispatcher._rerung_at = 0
    dispatcher.round()
    assert rung() == [work_id]


def test_bells_that_still_hang_are_not_doubled_however_old(dispatcher):
    client = make_client()
    [work_id] = backlog(client, 1)
    dispatcher.round()
    change(client, work_id, "dispatched_at = now() - interval '1 hour'")
    dispatcher._rerung_at = 0
    dispatcher.round()
    assert rung() == [work_id]


def test_two_copies_ring_each_bell_once(app, dispatcher):
    ids = backlog(make_client(), 10)
    other = Dispatcher(app)
    dispatcher.round()
    other.round()
    assert sorted(rung()) == ids


def test_it_signs_on_as_a_dispatcher(dispatcher):
    with transaction() as session:
        kinds = session.execute(text("SELECT kind FROM workers")).scalars().all()
    assert "dispatcher" in kinds
