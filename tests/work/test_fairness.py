"""Nobody is starved: priorities with ageing, turns between clients, caps, pauses; with the real dispatcher."""

import threading
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.factories import make_client
from tests.work.test_dispatcher import backlog, change, dispatcher, row, rung, upload, work_one  # noqa: F401 - fixture
from webapp import queue
from webapp.database import new_id, tenant, transaction
from webapp.work import registry, services
from webapp.work.dealing import HUNG_SECONDS, WINDOWS
from webapp.work.events import create_stream
from webapp.work.models import Pause
from webapp.work.priority import Priority


def sign_on(many, lane="light"):
    with transaction() as session:
        for number in range(many):
            registry.sign_on(session, f"slot:here:{lane}-{number}", kind="slot", lane=lane)


def pause(client=None, activity=None):
    with tenant(client and client.id), transaction() as session:
        if activity:  # an operator's right, which the owner of these tests lends
            session.execute(text("SELECT set_config('app.user_id', :user, true)"), {"user": str(operator())})
        session.add(
            Pause(id=new_id(), client_id=client and client.id, activity=activity, paused_by_name="Olga", reason="")
        )


def operator() -> UUID:
    from tests.factories import make_user

    return make_user(is_operator=True).id


def claim(client, work_id, owner="slot"):
    with tenant(client.id), transaction() as session:
        return services.claim(session, work_id, owner, 60)


def finish(client, claimed):
    with tenant(client.id), transaction() as session:
        services.finish(session, claimed, "done")


def running(client):
    with tenant(client.id), transaction() as session:
        return session.execute(text("SELECT count(*) FROM work WHERE state = 'running'")).scalar_one()


def phase(client, name, lane="light"):
    """Ready work of one phase, with its bell rung as it came."""
    with tenant(client.id), transaction() as session:
        stream = create_stream(session, client.id, "run")
        args = {"event": {"phase": name}}
        return services.create(
            session, client_id=client.id, stream_id=stream.id, kind="phase", lane=lane, args=args, ready=True
        ).id


# --- priority, turns, ageing ------------------------------------------------------------------------


def test_an_interactive_upload_goes_before_anybodys_bulk(dispatcher):  # noqa: F811
    one, other = make_client(), make_client()
    backlog(one, 20, priority=Priority.BULK)
    backlog(other, 20, priority=Priority.BULK)
    mine = backlog(one, 2, priority=Priority.INTERACTIVE)
    dispatcher.round()
    assert rung()[:2] == mine


def test_what_lost_its_worker_waits_no_longer_than_what_is_urgent(dispatcher, owner):  # noqa: F811
    client = make_client()
    lost = backlog(client, 1, priority=Priority.BULK)
    backlog(client, 40)
    owner.execute("UPDATE work SET crashes = 1 WHERE id = ANY(%s)", [lost])
    backlog(client, 40, priority=Priority.INTERACTIVE)
    dispatcher.round()
    assert rung()[0] == lost[0]


def test_equally_urgent_work_is_dealt_in_turns(dispatcher):  # noqa: F811
    clients = [make_client() for _ in range(3)]
    of = {work_id: client.id for client in clients for work_id in backlog(client, 10)}
    dispatcher.round()
    firsts = [of[work_id] for work_id in rung()[:9]]
    assert [set(firsts[place : place + 3]) for place in (0, 3, 6)] == [{client.id for client in clients}] * 3


def test_what_a_client_has_running_counts_as_its_turn(dispatcher):  # noqa: F811
    busy, idle = make_client(), make_client()
    ids = backlog(busy, 6)
    for work_id in ids[:3]:
        claim(busy, work_id)
    late = backlog(idle, 3)
    dispatcher.round()
    assert rung()[:3] == late


def test_a_flood_that_has_waited_long_does_not_go_before_another_clients_fresh_upload(dispatcher):  # noqa: F811
    flood, fresh = make_client(), make_client()
    for work_id in backlog(flood, 40, priority=Priority.BULK):
        change(flood, work_id, "run_at = now() - interval '1 day'")
    [mine] = backlog(fresh, 1, priority=Priority.INTERACTIVE)
    dispatcher.round()
    assert rung().index(mine) <= 1  # one turn of the flood's, no more


def test_a_clients_own_bulk_is_not_starved_by_its_own_interactive_uploads(dispatcher):  # noqa: F811
    client = make_client()
    [old] = backlog(client, 1, priority=Priority.BULK)
    change(client, old, "run_at = now() - interval '1 hour'")
    backlog(client, WINDOWS["light"] + 10, priority=Priority.INTERACTIVE)
    dispatcher.round()
    assert old in rung()[:1]


def test_bells_that_hang_too_long_are_dealt_anew_so_that_a_newcomer_need_not_wait_behind_them(dispatcher):  # noqa: F811
    sign_on(1, "heavy")
    flood, newcomer = make_client(), make_client()
    ids = backlog(flood, 20, lane="heavy")
    dispatcher.round()
    claim(flood, ids[0])  # the only slot is busy with it for seconds
    [mine] = upload(newcomer, 1, "heavy")
    assert rung("heavy")[-1] == mine
    for client in (flood, newcomer):
        change(client, 0, "id = id")
        with tenant(client.id), transaction() as session:
            session.execute(
                text(
                    "UPDATE work SET dispatched_at = dispatched_at - make_interval(secs => :s)"
                    " WHERE state = 'ready' AND dispatched_at IS NOT NULL"
                ),
                {"s": 2 * HUNG_SECONDS},
            )
    dispatcher.round()
    assert rung("heavy")[0] == mine


def test_bells_are_not_taken_down_where_they_are_answered_at_once(dispatcher):  # noqa: F811
    client = make_client()
    backlog(client, WINDOWS["light"] + 5)
    for _ in range(3):
        dispatcher.round()
        assert len(rung()) >= WINDOWS["light"] - 3
        for _ in range(3):
            work_one("light")


# --- caps -------------------------------------------------------------------------------------------


@pytest.fixture
def capped(app, in_app):
    return make_client(running_cap=2)


def test_a_client_has_no_more_running_than_its_cap_whatever_rings(dispatcher, capped):  # noqa: F811
    ids = upload(capped, 5, "light")
    claimed = [claim(capped, work_id) for work_id in ids]
    assert sum(each is not None for each in claimed) == 2
    assert running(capped) == 2


def test_the_cap_holds_for_all_lanes_together(dispatcher, capped):  # noqa: F811
    for lane in ("heavy", "light", "light"):
        [work_id] = upload(capped, 1, lane)
        claim(capped, work_id)
    assert running(capped) == 2


def test_the_cap_holds_when_many_claim_at_the_same_moment(app, dispatcher, capped):  # noqa: F811
    sign_on(8)
    ids = backlog(capped, 8)
    start = threading.Barrier(8)

    def one(work_id):
        with app.app_context():
            start.wait()
            claim(capped, work_id)

    threads = [threading.Thread(target=one, args=(work_id,)) for work_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert running(capped) == 2


def test_at_the_cap_nothing_is_rung_and_what_ends_makes_room(dispatcher, capped):  # noqa: F811
    sign_on(4)
    other = make_client()
    ids = backlog(capped, 6)
    dispatcher.round()
    assert rung() == ids[:2]
    taken = [claim(capped, work_id) for work_id in ids[:2]]
    queue.bells("light").empty()
    theirs = backlog(other, 1)
    dispatcher.round()
    assert rung() == theirs
    [direct] = upload(capped, 1, "light")
    assert direct not in rung()
    finish(capped, taken[0])
    dispatcher.round()
    assert ids[2] in rung()


def test_a_bell_that_came_too_early_for_the_cap_is_rung_again_later(dispatcher, capped):  # noqa: F811
    first, second, third = backlog(capped, 3)
    taken = [claim(capped, work_id) for work_id in (first, second)]
    change(capped, third, "dispatched_at = now()")
    assert claim(capped, third) is None
    assert row(capped, third).dispatched_at is None
    finish(capped, taken[0])
    dispatcher.round()
    assert rung() == [third]


# --- pauses -----------------------------------------------------------------------------------------


def test_a_paused_client_is_neither_rung_for_nor_claimed_and_others_go_on(dispatcher):  # noqa: F811
    paused, other = make_client(), make_client()
    waiting = backlog(paused, 3)
    pause(client=paused)
    theirs = backlog(other, 2)
    direct = upload(paused, 1, "light")
    dispatcher.round()
    assert rung() == theirs
    for work_id in (*waiting, *direct):
        assert claim(paused, work_id) is None
        assert row(paused, work_id).state == "ready"


def test_a_paused_activity_rests_for_all_clients_and_other_activities_go_on(dispatcher):  # noqa: F811
    clients = [make_client() for _ in range(2)]
    pause(activity="market")
    resting = [phase(client, "market") for client in clients]
    going = [phase(client, "seo") for client in clients]
    dispatcher.round()
    assert sorted(rung()) == going
    assert [claim(client, work_id) for client, work_id in zip(clients, resting, strict=True)] == [None, None]


def test_a_pause_lets_what_runs_end(dispatcher):  # noqa: F811
    client = make_client()
    [work_id] = backlog(client, 1)
    claimed = claim(client, work_id)
    pause(client=client)
    finish(client, claimed)
    assert row(client, work_id).state == "done"


def test_a_bell_that_hangs_when_the_pause_begins_starts_nothing_and_is_rung_after_it(dispatcher, owner):  # noqa: F811
    client = make_client()
    [work_id] = upload(client, 1, "light")
    pause(client=client)
    assert claim(client, work_id) is None
    queue.bells("light").empty()
    dispatcher.round()
    assert rung() == []
    owner.execute("DELETE FROM pauses")
    dispatcher.round()
    assert rung() == [work_id]


def test_a_deep_paused_backlog_does_not_hide_what_may_run(dispatcher):  # noqa: F811
    client = make_client()
    pause(activity="market")
    for _ in range(60):
        phase(client, "market")
    going = phase(client, "seo")
    queue.bells("light").empty()
    change(client, going, "dispatched_at = NULL")
    dispatcher.round()
    assert rung() == [going]
