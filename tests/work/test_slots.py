"""Real slot processes: killed, frozen, asked to end, stopped in the middle. The work is done once all the same."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rq.exceptions import StopRequested
from sqlalchemy import select, text

from tests import servers
from tests.pipeline.conftest import client, fresh, make_run  # noqa: F401 - fixtures
from tests.waiting import wait_until
from webapp import queue
from webapp.database import db, transaction
from webapp.pipeline import services
from webapp.pipeline.models import Phase, Run, RunState
from webapp.work import registry, slots
from webapp.work import services as work
from webapp.work.dispatcher import Dispatcher
from webapp.work.models import Event, Work, WorkState

LEASE, BEAT = 4.0, 0.5
PATIENCE_SECONDS = 60


@pytest.fixture
def dispatcher(app, client):  # noqa: F811
    """A dispatcher that makes its rounds while the test runs; its reaping follows the database's clock."""
    stop, copy = threading.Event(), Dispatcher(app)
    thread = threading.Thread(target=copy.run, args=(stop,), daemon=True)
    thread.start()
    yield copy
    stop.set()
    thread.join(5)


@pytest.fixture
def start_slot(app, dispatcher):
    """Starts slot processes on the test's database; all are gone afterwards."""
    config = app.extensions["lotline_config"]
    env = os.environ | servers.environment(replace(config, lease_seconds=LEASE, beat_seconds=BEAT))
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.work.slow_slot", "heavy", "light"]
        started.append(subprocess.Popen(command, env=env))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def first_phase(run: Run) -> Work:
    db.session.expire_all()
    work = db.session.execute(
        select(Work).join(Phase, Phase.work_id == Work.id).where(Phase.run_id == run.id, Phase.number == 1)
    ).scalar_one()
    db.session.commit()
    return work


def in_hand(run: Run) -> bool:
    return first_phase(run).state is WorkState.RUNNING and first_phase(run).progress >= 10


def ended(run: Run) -> bool:
    found = fresh(Run, run.id).state is RunState.COMPLETED
    db.session.commit()
    return found


def times(run: Run, kind: str) -> int:
    found = db.session.execute(select(Event.data).where(Event.stream_id == run.stream_id, Event.kind == kind)).scalars()
    many = sum(1 for data in found if data.get("phase") == "analysis")
    db.session.commit()
    return many


def test_a_killed_slots_work_is_taken_up_by_another_and_done_once(make_run, start_slot):  # noqa: F811
    run = make_run()
    slot = start_slot()
    wait_until(lambda: in_hand(run))
    slot.kill()
    start_slot()
    wait_until(lambda: ended(run))
    assert (first_phase(run).crashes, first_phase(run).attempts) == (1, 2)
    assert times(run, "work.done") == 1


def test_a_slot_that_was_drained_before_it_waited_takes_no_bell(app, client, monkeypatch):  # noqa: F811
    queue.ring("heavy", [(client.id, 1)])
    monkeypatch.setattr(slots, "_leave", threading.Event())
    slots._leave.set()
    with pytest.raises(StopRequested):
        slots.Slot(["heavy"], connection=queue.redis()).dequeue_job_and_maintain_ttl(1)
    assert queue.bells("heavy").count == 1


def test_a_slot_answers_bells_beside_any_of_its_lanes_before_its_lanes(app, client):  # noqa: F811
    queue.redis().flushdb()
    for lane, number in (("heavy", 1), ("light", 2), (queue.front("light"), 3), (queue.front("heavy"), 4)):
        queue.ring(lane, [(client.id, number)])
    slot = slots.Slot(["heavy", "light"], connection=queue.redis())
    answered = [slot.dequeue_job_and_maintain_ttl(1) for _ in range(4)]
    assert [queue.read_bell(bell.decode())[1] for bell, _ in answered] == [4, 3, 1, 2]


def test_what_lost_its_worker_is_done_before_what_a_slot_would_do_first(make_run, start_slot):  # noqa: F811
    others, lost = [make_run(), make_run()], make_run()
    # In the second of the slot's lanes, while bells hang in the first.
    work_id = first_phase(lost).id
    with transaction() as session:
        session.execute(text("UPDATE work SET queue = 'light' WHERE id = :id"), {"id": work_id})
        work.claim(session, work_id, "gone at once", 0.01)
    wait_until(lambda: first_phase(lost).crashes == 1)
    start_slot()
    wait_until(lambda: in_hand(lost))
    assert [times(run, "work.running") for run in others] == [0, 0]


def test_a_slot_that_is_asked_to_end_hands_its_work_back(make_run, start_slot):  # noqa: F811
    run = make_run()
    slot = start_slot()
    wait_until(lambda: in_hand(run))
    slot.terminate()
    assert slot.wait(PATIENCE_SECONDS) == 0
    assert first_phase(run).state is WorkState.READY
    start_slot()
    wait_until(lambda: ended(run))
    assert first_phase(run).crashes == 0


def test_work_that_does_not_report_is_handed_back_all_the_same(make_run, start_slot, monkeypatch):  # noqa: F811
    monkeypatch.setenv("DEAF", "1")
    monkeypatch.setattr(sys.modules[__name__], "LEASE", 10.0)  # on a busy machine a short one is lost meanwhile
    run = make_run()
    slot = start_slot()
    wait_until(lambda: first_phase(run).state is WorkState.RUNNING)
    slot.terminate()
    assert slot.wait(PATIENCE_SECONDS) == 0
    assert (first_phase(run).state, first_phase(run).crashes) == (WorkState.READY, 0)


def test_a_frozen_slot_that_wakes_up_writes_nothing(make_run, start_slot):  # noqa: F811
    run = make_run()
    frozen = start_slot()
    wait_until(lambda: in_hand(run))
    frozen.send_signal(signal.SIGSTOP)
    start_slot()
    wait_until(lambda: ended(run))
    finished = first_phase(run).finished_at
    frozen.send_signal(signal.SIGCONT)
    time.sleep(3 * BEAT)
    assert times(run, "work.done") == 1
    assert first_phase(run).finished_at == finished
    with transaction() as session:
        epochs = session.execute(
            text("SELECT count(*) FROM analysis_findings f JOIN phases p ON p.id = f.phase_id WHERE f.epoch = :epoch"),
            {"epoch": first_phase(run).epoch},
        ).scalar_one()
    assert epochs == 1


def test_a_stop_reaches_the_slot_which_lives_on_for_the_next(make_run, start_slot):  # noqa: F811
    run = make_run()
    slot = start_slot()
    wait_until(lambda: in_hand(run))
    with transaction() as session:
        services.stop_phase(session, run.id, 1)
    following = make_run()
    wait_until(lambda: ended(following))
    assert slot.poll() is None
    assert first_phase(run).state is WorkState.STOPPED
    assert fresh(Run, run.id).state is RunState.STOPPED
    assert times(run, "work.done") == 0


def drained(ask) -> str:
    """Ask the only slot to drain, or to work again."""
    with transaction() as session:
        worker_id = session.execute(text("SELECT id FROM workers WHERE kind = 'slot'")).scalar_one()
        return ask(session, worker_id)


def test_a_drained_slot_ends_what_it_does_takes_nothing_new_and_works_again_when_let(make_run, start_slot):  # noqa: F811
    run = make_run()
    slot = start_slot()
    wait_until(lambda: in_hand(run))
    drained(lambda session, worker_id: registry.drain(session, worker_id, "Olga"))
    wait_until(lambda: first_phase(run).state is WorkState.DONE)
    assert (first_phase(run).attempts, first_phase(run).crashes) == (1, 0)
    time.sleep(2 * slots.SEEN_EVERY_SECONDS)
    following = make_run()
    time.sleep(2 * slots.SEEN_EVERY_SECONDS)
    assert first_phase(following).state is WorkState.READY
    assert slot.poll() is None
    drained(registry.let_work)
    wait_until(lambda: ended(following))
    wait_until(lambda: ended(run))


def test_a_drained_slot_that_stands_by_ends_when_asked(start_slot, make_run):  # noqa: F811
    slot = start_slot()
    wait_until(lambda: slot_is_known())
    drained(lambda session, worker_id: registry.drain(session, worker_id, "Olga"))
    # Started afresh, it listens to SIGTERM from the first; to SIGUSR1 only once it works.
    wait_until(lambda: catches(slot.pid, signal.SIGTERM) and not catches(slot.pid, signal.SIGUSR1))
    time.sleep(3 * slots.SEEN_EVERY_SECONDS)
    assert slot.poll() is None
    slot.terminate()
    assert slot.wait(PATIENCE_SECONDS) == 0
    assert not slot_is_known()


def test_a_slot_that_has_done_nothing_yet_ends_when_asked(start_slot):
    slot = start_slot()
    wait_until(lambda: slot_is_known())
    time.sleep(2 * slots.SEEN_EVERY_SECONDS)
    slot.terminate()
    assert slot.wait(PATIENCE_SECONDS) == 0


def slot_is_known() -> bool:
    with transaction() as session:
        return session.execute(text("SELECT count(*) FROM workers WHERE kind = 'slot'")).scalar_one() == 1


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process handles a signal (proc_pid_status(5), SigCgt)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16) >> (number - 1) & 1)


def test_a_heavy_slot_may_use_so_much_memory_and_no_more(start_slot):
    limits = Path(f"/proc/{start_slot().pid}/limits")
    most = str(slots.HEAVY_MEMORY_BYTES)
    wait_until(lambda: most in re.search(r"Max data size.*", limits.read_text())[0], PATIENCE_SECONDS)
