"""What one fenced step of a phase costs when the phase itself does nothing, beside a plain job of RQ in the same run.

`make bench-pipeline [RUNS=50] [ROUNDS=3]`. A step is what a real one is: bell, claim, facts read, findings, the next
phase's readiness and events written in one fenced transaction, bell. Two slots; the dispatcher runs beside them and
its processor time is reported apart.
"""

import os
import sys
import time
from uuid import UUID

from rq import Queue
from sqlalchemy import text

from tests.bench import stack
from webapp import create_app, queue
from webapp.access.models import Client
from webapp.catalog.models import Catalog, Product
from webapp.database import new_id, tenant, transaction
from webapp.pipeline.services import start_run

PHASES = 4
JOBS = 100


def main() -> None:
    runs, rounds = int(os.environ.get("RUNS", "50")), int(os.environ.get("ROUNDS", "3"))
    with stack.environment():
        app = create_app()
        with app.app_context():
            client_id, catalog_id = _client()
            ours = [_ours(client_id, catalog_id, runs) for _ in range(rounds)]
            theirs = [_theirs() for _ in range(rounds)]
    step, step_spread = stack.median_and_spread([cpu for cpu, _, _, _ in ours])
    rate, rate_spread = stack.median_and_spread([rate for _, rate, _, _ in ours])
    dispatch, _ = stack.median_and_spread([dispatch for _, _, dispatch, _ in ours])
    postgres, postgres_spread = stack.median_and_spread([postgres for _, _, _, postgres in ours])
    job, job_spread = stack.median_and_spread(theirs)
    stack.print_result(
        bench="pipeline",
        cpu_ms_per_step=step,
        cpu_ms_per_step_spread=step_spread,
        steps_per_s=rate,
        steps_per_s_spread=rate_spread,
        dispatcher_cpu_ms_per_step=dispatch,
        postgres_cpu_ms_per_step=postgres,
        postgres_cpu_ms_per_step_spread=postgres_spread,
        rq_cpu_ms_per_job=job,
        rq_cpu_ms_per_job_spread=job_spread,
        ratio_to_rq=step / job,
        runs=runs,
        slots=2,
        rounds=rounds,
    )


def _client() -> tuple[UUID, UUID]:
    client = Client(id=new_id(), name="Bench", slug="bench")
    with tenant(client.id), transaction() as session:
        session.add(client)
        session.flush()
        catalog = Catalog(client_id=client.id, name="Everything", is_default=True)
        session.add(catalog)
    return client.id, catalog.id


def _ours(client_id: UUID, catalog_id: UUID, runs: int) -> tuple[float, float, float, float]:
    """CPU ms per step in the slots, steps per second, CPU ms per step in the dispatcher and in Postgres (which also
    makes the runs and answers the benchmark's own questions)."""
    slot = ("-m", "tests.bench.empty", "light", "heavy")
    with stack.processes(slot, slot, ("worker.py", "dispatcher")) as started, tenant(client_id):
        *slots, _dispatcher = started
        _run(client_id, catalog_id, 8)  # warm
        _until_done()
        before = [stack.cpu_ms(process.pid) for process in started]
        postgres = _postgres_cpu_ms()
        began = time.monotonic()
        _run(client_id, catalog_id, runs)
        _until_done()
        took = time.monotonic() - began
        used = [stack.cpu_ms(process.pid) - old for process, old in zip(started, before, strict=True)]
        postgres = _postgres_cpu_ms() - postgres
    steps = runs * PHASES
    return sum(used[: len(slots)]) / steps, steps / took, used[-1] / steps, postgres / steps


def _postgres_cpu_ms() -> float:
    return sum(stack.cpu_ms(pid) for kind, pid in stack.processes_of(os.getpid()) if kind == "postgres")


def _run(client_id: UUID, catalog_id: UUID, many: int) -> None:
    for _ in range(many):
        with transaction() as session:
            product = Product(client_id=client_id, catalog_id=catalog_id)
            session.add(product)
            session.flush()
            start_run(session, client_id=client_id, product_id=product.id, created_by=None, started_by=None, hints={})


def _until_done() -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with transaction() as session:
            states = dict(session.execute(text("SELECT state, count(*) FROM runs GROUP BY state")).all())  # type: ignore[arg-type]
        if states.get("failed"):
            sys.exit("a run failed")
        if set(states) == {"completed"}:
            return
        time.sleep(0.01)
    sys.exit(f"not done in time: {states}")


def _theirs() -> float:
    """CPU ms per job of RQ's own worker, which forks for each, with a function that does nothing."""
    connection = queue.redis()
    url = os.environ["REDIS_URL"]
    with stack.processes(("-m", "rq.cli", "worker", "--url", url, "--quiet", "plain")) as [worker]:
        plain = Queue("plain", connection=connection)
        _drain(plain, 5)
        before = stack.cpu_ms(worker.pid)
        _drain(plain, JOBS)
        return (stack.cpu_ms(worker.pid) - before) / JOBS


def _drain(plain: Queue, many: int) -> None:
    jobs = [plain.enqueue("time.time", result_ttl=60) for _ in range(many)]
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if jobs[-1].get_status() == "finished":
            return
        time.sleep(0.02)
    sys.exit("RQ did not finish its jobs in time")


if __name__ == "__main__":
    main()
