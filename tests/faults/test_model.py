"""Everything that people, workers and time can do to runs, in any order, against a model of a page.

The judge of time is the database's clock. It is not turned: leases and waits are moved into its past.
"""

import threading
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests import factories
from tests.conftest import EMPTY
from tests.faults.invariants import broken
from webapp.database import db, tenant, transaction
from webapp.errors import Conflict
from webapp.pipeline import services as pipeline
from webapp.pipeline.models import PhaseName
from webapp.work import services as work
from webapp.work import tasks
from webapp.work.dispatcher import Dispatcher
from webapp.work.lease import Lease

NAMES = list(PhaseName)
ACTIVE = ("ready", "running", "held", "waiting")
SETTLED = {"name": "Kettle K1", "brand": None, "model": None, "condition": None, "gtin": None}
ENDS = ("sure", "unsure", "broken", "hiccup", "handed back")
STEPS = {"sure": "sure", "unsure": "unsure", "broken": "broken", "hiccup": "hiccup", "handed back": "unsure"}


@dataclass
class Phase:
    """One phase as the model has it."""

    state: str = "blocked"
    epoch: int = 0
    failures: int = 0
    crashes: int = 0


@dataclass
class Run:
    """One run as the model has it; `id` and `work_ids` say where the database has it."""

    id: UUID
    product_id: UUID
    work_ids: list[int]
    is_latest: bool = True
    state: str = "running"
    phases: list[Phase] = field(default_factory=lambda: [Phase("ready"), Phase(), Phase(), Phase()])


@dataclass(frozen=True)
class Held:
    """A claim that a worker has, still good or not."""

    claim: work.Claim
    run: Run
    number: int

    @property
    def phase(self) -> Phase:
        return self.run.phases[self.number - 1]

    @property
    def is_good(self) -> bool:
        return self.phase.state == "running" and self.phase.epoch == self.claim.fence.epoch


class Desk(RuleBasedStateMachine):
    """`app`, `owner`: the application, and a connection that sees everything."""

    app: Any
    owner: Any

    @initialize()
    def open(self) -> None:
        self.owner.execute(EMPTY)
        self.client = factories.make_client()
        self.context = tenant(self.client.id)
        self.context.__enter__()
        self.dispatcher = Dispatcher(self.app)
        self.runs: list[Run] = []
        self.removed: set[UUID] = set()
        self.claims: list[Held] = []

    def teardown(self) -> None:
        if hasattr(self, "context"):
            found = broken(self.owner, but=("nothing is left ready, running or due",))
            self.context.__exit__(None, None, None)
            db.session.remove()
            assert found == {}

    # --- people

    @precondition(lambda self: len(self.runs) < 6)
    @rule()
    def start(self) -> None:
        product = factories.make_product(self.client)
        with transaction() as session:
            run = pipeline.start_run(
                session, client_id=self.client.id, product_id=product.id, created_by=None, started_by=None, hints={}
            )
        self._add(run)

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def start_again(self, data: st.DataObject) -> None:
        run = self._newest(data)
        allowed = run.product_id not in self.removed and run.state not in ("running", "review")
        started = self._try(allowed, lambda session: pipeline.run_again(session, run.product_id, None))
        if allowed:
            run.is_latest = False
            self._add(started)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), number=st.integers(1, 4))
    def stop(self, data: st.DataObject, number: int) -> None:
        run = data.draw(st.sampled_from(self.runs))
        phase = run.phases[number - 1]
        allowed = phase.state in ACTIVE
        self._try(allowed, lambda session: pipeline.stop_phase(session, run.id, number))
        if allowed:
            phase.state, phase.epoch, run.state = "stopped", phase.epoch + 1, "stopped"

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), number=st.integers(1, 4), verb=st.sampled_from(["resume", "retry"]))
    def set_going(self, data: st.DataObject, number: int, verb: str) -> None:
        run = data.draw(st.sampled_from(self.runs))
        phase = run.phases[number - 1]
        allowed = run.is_latest and phase.state in (("stopped",) if verb == "resume" else ("failed", "waiting"))
        act = pipeline.resume_phase if verb == "resume" else pipeline.retry_phase
        self._try(allowed, lambda session: act(session, run.id, number))
        if allowed:
            phase.state, phase.failures, phase.crashes, run.state = "ready", 0, 0, "running"

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def review(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self.runs))
        allowed = run.state == "review"
        self._try(allowed, lambda session: pipeline.confirm(session, run.id, SETTLED, by_name="Rita"))
        if allowed:
            run.phases[0].state, run.phases[1].state, run.state = "done", "ready", "running"

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        run = self._newest(data)
        allowed = run.product_id not in self.removed
        self._try(allowed, lambda session: pipeline.remove_product(session, run.product_id, None))
        if allowed:
            self.removed.add(run.product_id)
            run.is_latest = False
            for phase in run.phases:
                if phase.state in ACTIVE:
                    phase.state, phase.epoch, run.state = "stopped", phase.epoch + 1, "stopped"

    @precondition(lambda self: self.removed)
    @rule(data=st.data())
    def put_back(self, data: st.DataObject) -> None:
        run = self._newest(data)
        allowed = run.product_id in self.removed
        self._try(allowed, lambda session: pipeline.put_back(session, run.product_id))
        if allowed:
            self.removed.discard(run.product_id)
            run.is_latest = True

    # --- workers

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        likely = [(run, n) for run in self.runs for n in range(1, 5) if run.phases[n - 1].state == "ready"]
        run, number = data.draw(st.sampled_from(likely or [(run, 1) for run in self.runs]))
        phase = run.phases[number - 1]
        with transaction() as session:
            claim = work.claim(session, run.work_ids[number - 1], f"worker:{len(self.claims)}", 3600)
        assert (claim is not None) == (phase.state == "ready")
        if claim is not None:
            phase.state, phase.epoch = "running", phase.epoch + 1
            self.claims.append(Held(claim, run, number))

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def doubled_bell(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self.runs))
        number = data.draw(st.integers(1, 4))
        if run.phases[number - 1].state != "ready":
            tasks.perform(self.client.id, run.work_ids[number - 1])
            self.context.__exit__(None, None, None)
            self.context = tenant(self.client.id)
            self.context.__enter__()

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), how=st.sampled_from(ENDS))
    def end_attempt(self, data: st.DataObject, how: str) -> None:
        """A worker comes to an end with what it has, whether it is still its own or not."""
        held = data.draw(st.sampled_from(self.claims))
        self.claims.remove(held)
        phase, run, good = held.phase, held.run, held.is_good
        if held.number > 1 and how in ("unsure", "handed back"):
            how = "sure"
        self._work(held, how)
        if not good:
            return
        if held.claim.crashes >= work.MAX_CRASHES or how == "broken":
            phase.state, phase.failures, run.state = "failed", phase.failures + 1, "failed"
        elif how == "hiccup":
            phase.failures += 1
            phase.state = "failed" if phase.failures >= 3 else "waiting"
            run.state = "failed" if phase.failures >= 3 else run.state
        elif how == "handed back":
            phase.state = "ready"
        elif how == "unsure":
            phase.state, run.state = "held", "review"
        else:
            phase.state = "done"
            if held.number < 4:
                run.phases[held.number].state = "ready"
            else:
                run.state = "completed"

    # --- time

    @precondition(lambda self: any(phase.state == "running" for run in self.runs for phase in run.phases))
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        """The lease of one worker runs out; whatever it held may still believe in it."""
        running = [(run, n) for run in self.runs for n in range(4) if run.phases[n].state == "running"]
        run, place = data.draw(st.sampled_from(running))
        past = "UPDATE work SET lease_until = clock_timestamp() - interval '1 s' WHERE id = %s"
        self.owner.execute(past, (run.work_ids[place],))
        self.dispatcher.round()
        run.phases[place].state = "ready"
        run.phases[place].crashes += 1

    @precondition(lambda self: any(phase.state == "waiting" for run in self.runs for phase in run.phases))
    @rule(data=st.data())
    def time_comes(self, data: st.DataObject) -> None:
        """What waited is due."""
        waiting = [(run, n) for run in self.runs for n in range(4) if run.phases[n].state == "waiting"]
        run, place = data.draw(st.sampled_from(waiting))
        past = "UPDATE work SET run_at = clock_timestamp() - interval '1 s' WHERE id = %s"
        self.owner.execute(past, (run.work_ids[place],))
        self.dispatcher.round()
        run.phases[place].state = "ready"

    # --- what is compared

    @invariant()
    def the_database_agrees(self) -> None:
        if not getattr(self, "runs", None):
            return
        rows = self.owner.execute(
            "SELECT r.id, r.state, r.is_latest, array_agg(ARRAY[w.state, w.epoch::text, w.failures::text,"
            " w.crashes::text] ORDER BY p.number) FROM runs r JOIN phases p ON p.run_id = r.id"
            " JOIN work w ON w.id = p.work_id GROUP BY r.id"
        ).fetchall()
        found = {row[0]: row[1:] for row in rows}
        expected = {
            run.id: (
                run.state,
                run.is_latest,
                [[p.state, str(p.epoch), str(p.failures), str(p.crashes)] for p in run.phases],
            )
            for run in self.runs
        }
        assert found == expected

    # --- how it is done

    def _newest(self, data: st.DataObject) -> Run:
        newest = {run.product_id: run for run in self.runs}
        return data.draw(st.sampled_from(list(newest.values())))

    def _add(self, run: Any) -> None:
        rows = self.owner.execute("SELECT work_id FROM phases WHERE run_id = %s ORDER BY number", (run.id,)).fetchall()
        self.runs.append(Run(run.id, run.product_id, [row[0] for row in rows]))

    def _try(self, allowed: bool, act: Any) -> Any:
        try:
            with transaction() as session:
                done = act(session)
        except Conflict:
            assert not allowed, "it was refused"
            return None
        assert allowed, "it was done"
        return done

    def _work(self, held: Held, how: str) -> None:
        name = NAMES[held.number - 1]
        engine = STEPS[how] if how != "sure" or held.number == 1 else None
        engines = self.app.config["PHASE_ENGINES"]
        before = engines[name]
        if engine:
            engines[name] = f"tests.pipeline.engines.{engine}"
        draining = threading.Event()
        if how == "handed back":
            draining.set()
        config = self.app.extensions["lotline_config"]
        try:
            tasks._do(Lease(held.claim, config.lease_seconds, draining), config)
        finally:
            engines[name] = before


@pytest.mark.usefixtures("client")
def test_any_order_of_what_people_workers_and_time_do(app, owner):
    joined = type("JoinedDesk", (Desk,), {"app": app, "owner": owner})
    run_state_machine_as_test(
        joined,
        settings=settings(
            max_examples=30,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )


def test_a_worker_that_hands_back_what_was_stopped_meanwhile_does_it_in_silence(app, make_run):
    run = make_run()
    with transaction() as session:
        work_id = session.execute(db.text("SELECT work_id FROM phases WHERE number = 1")).scalar_one()
        claim = work.claim(session, work_id, "worker:1", 3600)
        pipeline.stop_phase(session, run.id, 1)
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = "tests.pipeline.engines.unsure"
    draining = threading.Event()
    draining.set()
    tasks._do(Lease(claim, 3600, draining), app.extensions["lotline_config"])
    with transaction() as session:
        assert (
            session.execute(db.text("SELECT state FROM work WHERE id = :id"), {"id": work_id}).scalar_one() == "stopped"
        )
