"""Processes that die at the worst instants. After a restart everything is done, and done once."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from tests import factories, payments, servers
from tests.ai import chat_server
from tests.ai.conftest import TEXTS, set_terms
from tests.faults import invariants
from tests.faults.people import Person, draw
from tests.pipeline.conftest import answer_bells
from tests.running import CLONE, free_port
from webapp import queue
from webapp.access import sessions
from webapp.audit.services import Actor
from webapp.config import Config
from webapp.crashpoints import EXIT_CODE, VARIABLE
from webapp.database import transaction
from webapp.pipeline.models import PhaseName
from webapp.work import services
from webapp.work.dispatcher import Dispatcher

PATIENCE_SECONDS = 60
SLOT = ("-m", "tests.bench.empty", "heavy", "light")
ASKING_SLOT = ("-m", "tests.ai.asking_slot", "heavy", "light")
PAYING_SLOT = ("-m", "tests.work.paying_slot", "heavy", "light")
DISPATCHER = ("worker.py", "dispatcher")
WEB = ("-m", "gunicorn", "-c", "webapp/supervisor/gunicorn_conf.py", "webapp.wsgi:app")

UPLOADING = (
    "photo.half_written",
    "photo.half_written:3",
    "photo.before_rename",
    "upload.before_commit",
    "bell.before_ring",
    "upload.before_answer",
)
DECIDING = ("decision.before_commit", "bell.before_ring", "decision.before_answer")
WORKING = (
    "claim.before_commit",
    "claim.after_commit",
    "claim.after_commit:3",
    "finish.before_commit",
    "bell.before_ring",
    "finish.after_commit",
    "finish.after_commit:4",
)
CALLING = ("call.after_intent", "call.after_call", "call.after_memo")
ASKING = ("model.after_reserve", "model.before_settle", *CALLING)
RINGING = ("dispatch.before_ring",)
REAPING = ("reap.before_commit", "reap.after_commit")


@pytest.fixture
def quick(app, monkeypatch) -> Config:
    """Short leases, for what runs in this process and for all that it starts."""
    short = replace(app.extensions["lotline_config"], lease_seconds=1.5, beat_seconds=0.3)
    monkeypatch.setitem(app.extensions, "lotline_config", short)
    return short


@pytest.fixture
def start(quick, client) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """`start(command, crash_at="", **env)`: a process of the app on the test's database; gone afterwards."""
    started: list[subprocess.Popen[bytes]] = []

    def go(command: tuple[str, ...], crash_at: str = "", **more: str) -> subprocess.Popen[bytes]:
        full = {**os.environ, **servers.environment(quick), VARIABLE: crash_at, **more}
        started.append(subprocess.Popen([sys.executable, *command], cwd=CLONE, env=full))
        return started[-1]

    yield go
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def at_web(app, client, start) -> Iterator[Callable[..., Person]]:
    """`at_web(role, crash_at="")`: somebody at a web server of their own; the one before it is ended."""
    running: list[subprocess.Popen[bytes]] = []

    def enter(role: str, crash_at: str = "") -> Person:
        end()
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        running.append(start(WEB, crash_at, PORT=str(port), BASE_URL=url, WEB_WORKERS="1"))
        wait_for(lambda: answers(url))
        user = factories.make_member(client, role)
        with transaction():
            token = sessions.begin(user.id, Actor(user_id=user.id), 30, client.id)
        return Person(url, app.config["ACCESS_COOKIE"], token)

    def end() -> None:
        for server in running:
            server.kill()  # its workers go with it
            server.wait()
        running.clear()

    yield enter
    end()


@pytest.fixture
def finish_all(app, owner, start) -> Iterator[Callable[[], None]]:
    """Start what works, wait until all runs are completed, and hold everything against the invariants."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def finish(slot: tuple[str, ...] = SLOT, **env: str) -> None:
        threads.append(threading.Thread(target=Dispatcher(app).run, args=(stop,), daemon=True))
        threads[-1].start()
        start(slot, **env)
        wait_for(lambda: owner.execute("SELECT array_agg(DISTINCT state) FROM runs").fetchone() == (["completed"],))
        assert invariants.broken(owner) == {}

    yield finish
    stop.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=5).ok
    except requests.RequestException:
        return False


def crashes(process: subprocess.Popen[bytes]) -> bool:
    """Whether it comes to the armed point."""
    return process.wait(PATIENCE_SECONDS) == EXIT_CODE


def count(owner, table: str) -> int:
    return owner.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_every_crash_point_of_the_code_is_tried_and_every_tried_one_is_there():
    pattern = re.compile(r'crash_point\("([\w.]+)"\)')
    there = {name for file in Path(CLONE, "webapp").rglob("*.py") for name in pattern.findall(file.read_text())}
    tried = {point.partition(":")[0] for point in (*UPLOADING, *DECIDING, *WORKING, *ASKING, *RINGING, *REAPING)}
    assert there == tried


def test_without_the_variable_nothing_ends():
    said = subprocess.run(
        [sys.executable, "-c", "from webapp.crashpoints import crash_point as c; c('x'); print('alive')"],
        env={**os.environ, VARIABLE: ""},
        cwd=CLONE,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "alive\n"


@pytest.mark.parametrize("point", UPLOADING)
def test_an_upload_whose_web_process_dies_is_sent_again_and_makes_one_product(point, at_web, finish_all, owner, app):
    key, photos = uuid4(), {"front.jpg": draw(1), "back.jpg": draw(2)}
    with pytest.raises(requests.ConnectionError):
        at_web("staff", point).upload(key, photos)
    committed = count(owner, "products")
    assert committed == (point in ("bell.before_ring", "upload.before_answer"))
    answer = at_web("staff").upload(key, photos)
    assert answer.status_code == (200 if committed else 201)
    assert (count(owner, "products"), count(owner, "runs"), count(owner, "photos")) == (1, 1, 2)
    finish_all()


@pytest.mark.parametrize("point", DECIDING)
def test_a_decision_whose_web_process_dies_is_there_or_can_be_made_again(
    point,
    app,
    make_run,
    at_web,
    finish_all,
    owner,
):
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = "tests.pipeline.engines.unsure"
    run = make_run()
    answer_bells()
    decision = {"name": "Kettle K1"}
    with pytest.raises(requests.ConnectionError):
        at_web("reviewer", point).press(f"/reviews/{run.id}/decision", decision)
    committed = point != "decision.before_commit"
    answer = at_web("reviewer").press(f"/reviews/{run.id}/decision", decision)
    assert answer.status_code == (409 if committed else 303)
    assert owner.execute("SELECT decision FROM reviews").fetchall() == [("corrected",)]
    finish_all()


@pytest.mark.parametrize("point", WORKING)
def test_work_whose_slot_dies_is_done_once_by_the_next(point, app, make_run, start, finish_all, owner):
    make_run()
    slot = start(SLOT, point)
    with_bells(app, lambda: slot.poll() is not None)
    assert crashes(slot)
    finish_all()


@pytest.mark.parametrize("point", CALLING)
@pytest.mark.parametrize("bank_knows_keys", [True, False])
def test_a_payment_in_whose_middle_the_slot_dies_is_made_once(point, bank_knows_keys, app, make_run, start, finish_all):
    make_run()
    with payments.running() as bank:
        bank.knows_keys = bank_knows_keys
        env = {"BANK": bank.url, "REPEAT": "idempotent" if bank_knows_keys else "once", "LOOKS_UP": "yes"}
        slot = start(PAYING_SLOT, point, **env)
        with_bells(app, lambda: slot.poll() is not None)
        assert crashes(slot)
        assert len(bank.payments) == (point != "call.after_intent")
        finish_all(PAYING_SLOT, **env)
        assert len(bank.payments) == 1


def test_work_kills_only_so_many_workers_before_it_has_failed(app, make_run, start, owner):
    make_run()
    for _ in range(services.MAX_CRASHES):
        slot = start(SLOT, "finish.before_commit")
        with_bells(app, lambda slot=slot: slot.poll() is not None)
        assert crashes(slot)
    start(SLOT)
    with_bells(app, lambda: owner.execute("SELECT state FROM runs").fetchone() == ("failed",))
    assert "crash loop" in owner.execute("SELECT last_error FROM work WHERE state = 'failed'").fetchone()[0]
    assert invariants.broken(owner) == {}


@pytest.mark.parametrize("point", RINGING)
def test_bells_that_a_dying_dispatcher_never_rang_are_rung(point, make_run, start, finish_all):
    for _ in range(3):
        make_run()
    queue.redis().flushdb()
    assert crashes(start(DISPATCHER, point))
    finish_all()


@pytest.mark.parametrize("point", REAPING)
def test_a_dispatcher_that_dies_while_it_reaps_loses_nothing(point, make_run, start, finish_all, owner):
    for _ in range(2):
        make_run()
    for (work_id,) in owner.execute("SELECT id FROM work WHERE state = 'ready'").fetchall():
        with transaction() as session:
            assert services.claim(session, work_id, "a dead worker", 0.01)
    assert crashes(start(DISPATCHER, point))
    finish_all()
    assert owner.execute("SELECT sum(crashes) FROM work").fetchone() == (2,)


def with_bells(app, done: Callable[[], bool]) -> None:
    """A dispatcher makes its rounds until it is done."""
    stop = threading.Event()
    thread = threading.Thread(target=Dispatcher(app).run, args=(stop,), daemon=True)
    thread.start()
    try:
        wait_for(done)
    finally:
        stop.set()
        thread.join(PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("point", "asked", "states"),
    [
        *zip(
            ASKING,
            (1, 2, 1, 2, 1),
            (["unknown", "settled"], ["unknown", "settled"], ["settled"], ["settled", "settled"], ["settled"]),
            strict=True,
        )
    ],
)
def test_a_slot_that_dies_while_it_asks_a_model_loses_no_money_from_sight(
    point, asked, states, start, client, make_run, finish_all, owner
):
    with chat_server.running() as model:
        model.answers["listing"] = TEXTS
        set_terms(client)
        make_run()
        assert crashes(start(ASKING_SLOT, point, **model.environ()))
        finish_all(ASKING_SLOT, **model.environ())
        assert len(model.asked) == asked
    assert owner.execute("SELECT findings ->> 'title' FROM listing_findings").fetchone() == (TEXTS["title"],)
    calls = owner.execute("SELECT state, cost_usd, reserved_usd FROM ai_calls ORDER BY id").fetchall()
    assert [state for state, _, _ in calls] == states
    assert all(cost == reserved for state, cost, reserved in calls if state == "unknown")
    assert owner.execute("SELECT spent, reserved FROM ai_spending").fetchone() == (sum(cost for _, cost, _ in calls), 0)
