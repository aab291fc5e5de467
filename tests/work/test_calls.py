"""External calls against a bank that counts: nothing is paid twice, whatever happens between intent and answer."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from sqlalchemy import text

from tests import payments, servers
from tests.pipeline.conftest import client, fresh, make_run  # noqa: F401 - fixtures
from tests.waiting import wait_until
from tests.work import paying_slot
from tests.work.test_services import claimed, make_work, row, stream  # noqa: F401 - fixtures
from webapp.database import db, transaction
from webapp.errors import CircuitOpen, OutcomeUnknown, ProviderDown, RetryLater
from webapp.pipeline.models import Run, RunState
from webapp.work import askers, calls, services
from webapp.work.calls import Repeat
from webapp.work.circuits import Circuit
from webapp.work.dispatcher import Dispatcher
from webapp.work.moves import LeaseLost


@pytest.fixture
def bank(monkeypatch):
    with payments.running() as bank:
        monkeypatch.setenv("BANK", bank.url)
        yield bank


@pytest.fixture
def work(client, stream):  # noqa: F811
    return make_work(client, stream)


def pay(claim, repeat=Repeat.ONCE, do=paying_slot.pay, **how):
    return calls.call(claim, "payment", {"cents": 100}, do, repeat=repeat, **how)


def again(work, claim):
    """The worker died; another has the work now."""
    with transaction() as session:
        services.hand_back(session, claim)
    return claimed(work)


def steps():
    with transaction() as session:
        return session.execute(text("SELECT * FROM steps")).all()


def dies(_key):
    raise RuntimeError("the power went off")


def pays_and_dies(key):
    paying_slot.pay(key)
    raise RuntimeError("the power went off")


def test_a_call_that_was_answered_is_remembered(bank, work):
    claim = claimed(work)
    first = pay(claim)
    assert pay(again(work, claim)) == first
    assert len(bank.requests) == 1
    (step,) = steps()
    assert step.intent == {"cents": 100}
    assert step.output == first == {"paid": str(step.idempotency_key)}


def test_the_intent_is_committed_and_nothing_is_open_while_the_call_is_made(bank, work, owner):
    seen = []

    def look(key):
        found = owner.execute("SELECT idempotency_key::text, answered_at FROM steps").fetchall()
        open_now = owner.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        ).fetchone()
        seen.append((found == [(key, None)], open_now))
        return {"ok": True}

    pay(claimed(work), do=look)
    assert seen == [(True, (0,))]


def test_an_open_transaction_is_refused(bank, work):
    claim = claimed(work)
    with transaction(), pytest.raises(RuntimeError, match="transaction is open"):
        db.session.execute(text("SELECT 1"))
        pay(claim)
    assert bank.requests == []


@pytest.mark.parametrize("crash", [dies, pays_and_dies])
def test_where_the_bank_knows_keys_a_call_is_made_again_under_the_same_key(bank, work, crash):
    claim = claimed(work)
    with pytest.raises(RuntimeError):
        pay(claim, Repeat.IDEMPOTENT, crash)
    pay(again(work, claim), Repeat.IDEMPOTENT)
    assert len(bank.payments) == 1
    assert len(set(bank.requests)) == 1


@pytest.mark.parametrize(("crash", "paid_by_the_second"), [(dies, True), (pays_and_dies, False)])
def test_a_call_that_counts_each_time_is_looked_up(bank, work, crash, paid_by_the_second):
    bank.knows_keys = False
    claim = claimed(work)
    with pytest.raises(RuntimeError):
        pay(claim, do=crash, look_up=paying_slot.look_up)
    answer = pay(again(work, claim), look_up=paying_slot.look_up)
    assert bank.payments == [answer["paid"]]
    assert bank.requests[-1].startswith("POST") is paid_by_the_second


@pytest.mark.parametrize("crash", [dies, pays_and_dies])
def test_what_cannot_be_looked_up_goes_to_a_person_and_is_not_repeated(bank, work, crash):
    claim = claimed(work)
    with pytest.raises(RuntimeError):
        pay(claim, do=crash)
    before = len(bank.requests)
    for _ in range(2):
        claim = again(work, claim)
        with pytest.raises(OutcomeUnknown) as caught:
            pay(claim)
        assert caught.value.cause == "outcome_unknown:payment"
    assert len(bank.requests) == before


def test_a_person_who_has_looked_lets_it_be_made_again(bank, work):
    claim = claimed(work)
    with pytest.raises(RuntimeError):
        pay(claim, do=dies)
    with transaction() as session:
        assert calls.call_again(session, work.id) == 1
    pay(again(work, claim))
    assert len(bank.payments) == 1


def test_a_person_who_has_looked_says_what_came_of_it(bank, work):
    claim = claimed(work)
    with pytest.raises(RuntimeError):
        pay(claim, do=pays_and_dies)
    with transaction() as session:
        assert calls.settle(session, work.id, "payment", {"paid": "by hand"})
        assert not calls.settle(session, work.id, "payment", {"paid": "twice"})
    assert pay(again(work, claim)) == {"paid": "by hand"}
    assert len(bank.payments) == 1


def test_a_refusal_is_no_unknown_outcome(bank, work):
    bank.orders = [503]
    claim = claimed(work)
    with pytest.raises(RetryLater, match="503"):
        pay(claim)
    pay(again(work, claim))
    assert len(bank.payments) == 1


def test_a_cut_connection_is_an_unknown_outcome_at_once(bank, work):
    bank.orders = ["drop"]
    with pytest.raises(OutcomeUnknown):
        pay(claimed(work))
    assert len(bank.payments) == 1


def test_a_lost_look_up_does_not_withdraw_the_intent(bank, work):
    def unreachable(_key):
        raise RetryLater("no line to the bank", not_done=True)

    bank.knows_keys = False
    claim = claimed(work)
    with pytest.raises(RuntimeError):
        pay(claim, do=pays_and_dies, look_up=paying_slot.look_up)
    claim = again(work, claim)
    with pytest.raises(RetryLater, match="no line"):
        pay(claim, look_up=unreachable)
    pay(again(work, claim), look_up=paying_slot.look_up)
    assert len(bank.payments) == 1


def test_who_lost_the_lease_neither_calls_nor_writes(bank, work):
    old = claimed(work)
    new = again(work, old)
    with pytest.raises(LeaseLost):
        pay(old)
    assert bank.requests == []

    def overtaken(key):
        answer = paying_slot.pay(key)
        again(work, new)
        return answer

    with pytest.raises(LeaseLost):
        pay(new, do=overtaken)
    (step,) = steps()
    assert step.answered_at is None


def test_what_follows_from_the_answer_is_written_with_it_or_not_at_all(bank, work):
    def keep(session, answer):
        session.execute(text("UPDATE streams SET kind = 'paid'"))
        raise RuntimeError("the power went off")

    def kept(session, answer):
        session.execute(text("UPDATE streams SET kind = 'paid'"))
        return {"kept": True}

    claim = claimed(work)
    with pytest.raises(RuntimeError):
        pay(claim, Repeat.IDEMPOTENT, keep=keep)
    with transaction() as session:
        assert session.execute(text("SELECT kind FROM streams")).scalar_one() == "run"
    claim = again(work, claim)
    assert pay(claim, Repeat.IDEMPOTENT, keep=kept) == {"kept": True}
    with transaction() as session:
        assert session.execute(text("SELECT kind FROM streams")).scalar_one() == "paid"
    assert len(bank.payments) == 1


def test_one_key_is_one_call(bank, work):
    claim = claimed(work)
    pay(claim)
    with pytest.raises(ValueError, match="two different calls"):
        calls.call(claim, "payment", {"cents": 999}, paying_slot.pay, repeat=Repeat.ONCE)


def test_an_outage_is_not_the_works_failure_and_then_nobody_calls(bank, work):
    circuit = Circuit("bank", "The bank", threshold=2)
    bank.orders = ["drop", "drop"]
    claim = claimed(work)
    with pytest.raises(ProviderDown):
        pay(claim, Repeat.IDEMPOTENT, circuit=circuit)
    with pytest.raises(CircuitOpen):  # this one opened it
        pay(claim, Repeat.IDEMPOTENT, circuit=circuit)
    with pytest.raises(CircuitOpen) as caught:
        pay(claim, Repeat.IDEMPOTENT, circuit=circuit)
    assert len(bank.requests) == 2
    assert str(caught.value) == "The bank does not answer"


def test_a_remembered_answer_needs_no_circuit(bank, work):
    circuit = Circuit("bank", "The bank")
    claim = claimed(work)
    first = pay(claim, circuit=circuit)
    with transaction() as session:
        session.execute(
            text(
                "INSERT INTO circuits (name, label, state, opened_at, next_probe_at)"
                " VALUES ('bank', 'The bank', 'open', now(), now() + interval '1 hour')"
            )
        )
    assert pay(claim, circuit=circuit) == first


# --- processes that are killed ----------------------------------------------------------------------


@pytest.fixture
def start_slot(app, client, bank):  # noqa: F811
    """Starts slots that pay; a dispatcher makes its rounds meanwhile."""
    config = app.extensions["lotline_config"]
    stop = threading.Event()
    rounds = threading.Thread(target=Dispatcher(app).run, args=(stop,), daemon=True)
    rounds.start()
    started = []

    def start(**env):
        full = os.environ | servers.environment(replace(config, lease_seconds=1.5, beat_seconds=0.3)) | env
        command = [sys.executable, "-m", "tests.work.paying_slot", "heavy", "light"]
        started.append(subprocess.Popen(command, env=full, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    stop.set()
    rounds.join(5)
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def state_of(run):
    db.session.expire_all()
    state = fresh(Run, run.id).state
    db.session.commit()
    return state


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize(("repeat", "looks_up"), [("idempotent", ""), ("once", "yes")])
def test_a_slot_killed_around_the_call_pays_once_in_the_end(bank, make_run, start_slot, place, repeat, looks_up):  # noqa: F811
    bank.knows_keys = repeat == "idempotent"
    run = make_run()
    slot = start_slot(REPEAT=repeat, LOOKS_UP=looks_up, PAUSE=place)
    assert slot.stdout.readline().strip() == place
    slot.kill()
    start_slot(REPEAT=repeat, LOOKS_UP=looks_up)
    wait_until(lambda: state_of(run) is RunState.COMPLETED)
    assert len(bank.payments) == 1
    (step,) = steps()
    assert bank.payments == [str(step.idempotency_key)]


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_slot_frozen_around_the_call_does_not_pay_when_it_wakes_up(bank, make_run, start_slot, place):  # noqa: F811
    bank.knows_keys = False
    run = make_run()
    frozen = start_slot(REPEAT="once", LOOKS_UP="yes", PAUSE=place, PAUSE_SECONDS="0.5")
    assert frozen.stdout.readline().strip() == place
    frozen.send_signal(signal.SIGSTOP)
    start_slot(REPEAT="once", LOOKS_UP="yes")
    wait_until(lambda: state_of(run) is RunState.COMPLETED)
    frozen.send_signal(signal.SIGCONT)
    assert frozen.wait(60) == -signal.SIGKILL
    assert len(bank.payments) == 1


def test_a_frozen_slot_is_ended_before_a_person_is_asked(bank, make_run, start_slot):  # noqa: F811
    bank.knows_keys = False
    run = make_run()
    frozen = start_slot(REPEAT="once", LOOKS_UP="", PAUSE="before", PAUSE_SECONDS="0.5")
    assert frozen.stdout.readline().strip() == "before"
    frozen.send_signal(signal.SIGSTOP)
    start_slot(REPEAT="once", LOOKS_UP="")
    wait_until(lambda: state_of(run) is RunState.FAILED)
    frozen.send_signal(signal.SIGCONT)
    assert frozen.wait(60) == -signal.SIGKILL
    assert bank.payments == []


@pytest.mark.parametrize("error", [ProviderDown("no answer"), RuntimeError("a bug")])
def test_a_process_whose_call_failed_asks_no_more_and_is_left_alone(bank, work, error, monkeypatch):
    def fails(_key):
        raise error

    claim = claimed(work)
    with pytest.raises(type(error)):
        pay(claim, do=fails, look_up=paying_slot.look_up)
    with transaction() as session:
        assert session.execute(text("SELECT asked_by FROM steps")).scalar_one() == askers.NOBODY
    monkeypatch.setattr(askers, "this_process", lambda: "another:2:3")
    pay(again(work, claim), look_up=paying_slot.look_up)
    assert len(bank.payments) == 1


def test_what_a_worker_elsewhere_may_still_do_is_left_to_a_person(bank, work):
    claim = claimed(work)
    with pytest.raises(RuntimeError):
        pay(claim, do=dies, look_up=paying_slot.look_up)
    with transaction() as session:
        session.execute(text("UPDATE steps SET asked_by = 'elsewhere:1:1'"))
    claim = again(work, claim)
    with pytest.raises(OutcomeUnknown, match="another machine"):
        pay(claim, look_up=paying_slot.look_up)
    assert bank.payments == []


def test_what_a_worker_elsewhere_did_is_believed(bank, work):
    claim = claimed(work)
    with pytest.raises(RuntimeError):
        pay(claim, do=pays_and_dies, look_up=paying_slot.look_up)
    with transaction() as session:
        session.execute(text("UPDATE steps SET asked_by = 'elsewhere:1:1'"))
    pay(again(work, claim), look_up=paying_slot.look_up)
    assert len(bank.payments) == 1


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_slot_killed_around_a_call_that_nobody_can_look_up_leaves_it_to_a_person(bank, make_run, start_slot, place):  # noqa: F811
    run = make_run()
    slot = start_slot(REPEAT="once", PAUSE=place)
    assert slot.stdout.readline().strip() == place
    slot.kill()
    start_slot(REPEAT="once")
    wait_until(lambda: state_of(run) is RunState.FAILED)
    assert len(bank.payments) == (place == "after")
    with transaction() as session:
        causes = session.execute(text("SELECT cause FROM work WHERE state = 'failed'")).scalars().all()
    assert causes == ["outcome_unknown:payment"]
