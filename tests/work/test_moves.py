"""Every move between states of work: what the table allows happens, everything else raises and changes nothing."""

import itertools

import pytest
from sqlalchemy import text

from tests.factories import make_client
from webapp.database import tenant, transaction
from webapp.work import services
from webapp.work.events import create_stream
from webapp.work.models import WorkState
from webapp.work.moves import MOVES, Fence, IllegalMove, LeaseLost, move

LEASED = "lease_token = gen_random_uuid(), lease_until = clock_timestamp() + interval '1 minute'"
NEEDS = {"owner": "test", "lease": 15.0, "note": "why", "cause": "because"}


@pytest.fixture
def client(in_app):
    client = make_client()
    with tenant(client.id):
        yield client


def make_work(client, state=WorkState.READY):
    with transaction() as session:
        stream = create_stream(session, client.id, "run")
        work = services.create(
            session, client_id=client.id, stream_id=stream.id, kind="phase", lane="light", args={}, ready=True
        )
        leased = LEASED if state is WorkState.RUNNING else "lease_token = NULL"
        session.execute(text(f"UPDATE work SET state = :s, {leased} WHERE id = :id"), {"s": state, "id": work.id})
    return work


def state_of(work):
    with transaction() as session:
        return WorkState(session.execute(text("SELECT state FROM work WHERE id = :id"), {"id": work.id}).scalar_one())


@pytest.mark.parametrize(("source", "target"), list(itertools.product(WorkState, WorkState)))
def test_a_move_happens_exactly_if_the_table_has_it(client, source, target):
    work = make_work(client, source)
    if target in MOVES[source]:
        with transaction() as session:
            moved = move(session, work.id, target, **NEEDS)
        assert (moved.came_from, moved.state, state_of(work)) == (source, target, target)
        assert (moved.token is not None) == (target is WorkState.RUNNING)
    else:
        with pytest.raises(IllegalMove), transaction() as session:
            move(session, work.id, target, **NEEDS)
        assert state_of(work) is source


@pytest.mark.parametrize("wrong", ["epoch", "token"])
def test_a_fence_needs_both_numbers(client, wrong):
    work = make_work(client)
    with transaction() as session:
        claim = services.claim(session, work.id, "me", 15)
    other = make_work(client)
    with transaction() as session:
        stranger = services.claim(session, other.id, "me", 15)
    fence = {
        "epoch": Fence(claim.fence.epoch + 1, claim.fence.token),
        "token": Fence(claim.fence.epoch, stranger.fence.token),
    }[wrong]
    with pytest.raises(LeaseLost), transaction() as session:
        move(session, work.id, WorkState.DONE, fence=fence)
    assert state_of(work) is WorkState.RUNNING


def test_work_of_another_client_does_not_exist(client):
    work = make_work(client)
    with tenant(make_client().id), pytest.raises(IllegalMove), transaction() as session:
        move(session, work.id, WorkState.STOPPED)
    assert state_of(work) is WorkState.READY


def test_running_without_a_lease_is_refused_by_the_database(client):
    work = make_work(client)
    with pytest.raises(Exception, match="ck_work_lease"), transaction() as session:
        session.execute(text("UPDATE work SET state = 'running' WHERE id = :id"), {"id": work.id})
