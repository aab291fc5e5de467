"""Does one client's slow work delay another's start by more than its fair share?

`make bench-fairness [ROUNDS=3] [FLOOD=24] [SLOW=1] [SLOTS=2]`. A client brings a flood of bulk work whose first phase
takes SLOW seconds. While its backlog lasts, single uploads come at random moments: from another client (interactive),
from a third (bulk like the flood), and from the flooding client itself (interactive). All slots are busy, and work that
runs is not interrupted. Two clients have work then, so the fair share of a wait is one turn of the other's: until the
second slot comes free, which is measured in the same run, from the same rows. `ratio` is all waits of the other client
over all its fair shares, `ratio_worst` that of the worst upload: above 1, it waited longer than its share.
`ratio_to_first_slot` asks for more than a turn: to start in the very next slot.
"""

import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, text

from tests.bench import stack
from webapp import create_app
from webapp.access.models import Client
from webapp.catalog.models import Catalog, Product
from webapp.database import new_id, tenant, transaction
from webapp.engines import system_engine
from webapp.pipeline.services import start_run
from webapp.work.priority import Priority

PATIENCE_SECONDS = 180.0


class Owner(NamedTuple):
    """A client with a catalog."""

    client_id: UUID
    catalog_id: UUID


class Wait(NamedTuple):
    """Of one upload, in seconds: how long it waited; until the first slot came free; until the second did; how much of
    the flood began meanwhile; how long it would have waited behind all of the flood that came before."""

    waited: float
    first: float
    fair: float
    overtaken: int
    fifo: float


# What starts within 50 ms of the upload was already under way: its bell was taken before.
_WAIT = text("""
    SELECT extract(epoch FROM mine.started_at - mine.run_at)::float8,
           extract(epoch FROM (SELECT min(finished_at) FROM work WHERE queue = 'heavy' AND finished_at > mine.run_at)
                              - mine.run_at)::float8,
           extract(epoch FROM (SELECT finished_at FROM work WHERE queue = 'heavy' AND finished_at > mine.run_at
                               ORDER BY finished_at OFFSET 1 LIMIT 1) - mine.run_at)::float8,
           (SELECT count(*) FROM work WHERE queue = 'heavy' AND priority = :bulk AND client_id = :flood
              AND started_at > mine.run_at + interval '50 ms' AND started_at < mine.started_at),
           (SELECT count(*) FROM work WHERE queue = 'heavy' AND client_id = :flood AND run_at < mine.run_at
              AND started_at > mine.run_at) * CAST(:slow AS float8) / :slots
    FROM work AS mine WHERE id = :id
""")


def main() -> None:
    rounds, flood = int(os.environ.get("ROUNDS", "3")), int(os.environ.get("FLOOD", "24"))
    slow, slots = float(os.environ.get("SLOW", "1")), int(os.environ.get("SLOTS", "2"))
    seed = int(os.environ.get("SEED", "7"))
    found: dict[str, list[Wait]] = {"other": [], "other_bulk": [], "own_interactive": []}
    with stack.environment():
        app = create_app()
        commands = [("-m", "tests.bench.slow", "heavy")] * slots
        commands += [("-m", "tests.bench.empty", "light"), ("worker.py", "dispatcher")]
        with app.app_context(), stack.processes(*commands, SLOW=str(slow)):
            _until(lambda: _count("SELECT count(*) FROM workers WHERE kind = 'slot'") == slots + 1)
            for number in range(rounds):
                _round(found, random.Random(seed + number), flood, slow, slots)
    other = found["other"]
    stack.print_result(
        bench="fairness",
        ratio=_ratio(other),
        ratio_worst=max(wait.waited / wait.fair for wait in other),
        late_worst_ms=1000 * max(wait.waited - wait.fair for wait in other),
        ratio_to_first_slot=sum(wait.waited for wait in other) / sum(wait.first for wait in other),
        overtaken=max(wait.overtaken for wait in other),
        wait_p50_ms=1000 * median([wait.waited for wait in other]),
        wait_max_ms=1000 * max(wait.waited for wait in other),
        fair_p50_ms=1000 * median([wait.fair for wait in other]),
        first_come_first_served_p50_ms=1000 * median([wait.fifo for wait in other]),
        ratio_bulk=_ratio(found["other_bulk"]),
        ratio_worst_bulk=max(wait.waited / wait.fair for wait in found["other_bulk"]),
        ratio_own_interactive=_ratio(found["own_interactive"]),
        overtaken_own_interactive=max(wait.overtaken for wait in found["own_interactive"]),
        uploads=sum(map(len, found.values())),
        flood=flood,
        slow_s=slow,
        slots=slots,
        rounds=rounds,
        seed=seed,
    )


def _round(found: dict[str, list[Wait]], chance: random.Random, flood: int, slow: float, slots: int) -> None:
    crowd = _owner()
    owners = {"other": _owner(), "other_bulk": _owner(), "own_interactive": crowd}
    for _ in range(flood):
        _upload(crowd, Priority.BULK)
    _until(lambda: _count("SELECT count(*) FROM work WHERE state = 'running'") == slots)
    came: list[tuple[str, int]] = []
    # One upload for every two of the flood's, so that there is a backlog before each.
    for number in range(flood // 2):
        kind = list(owners)[number % len(owners)]
        time.sleep(chance.uniform(0.0, 0.5) * slow)
        work_id = _upload(owners[kind], Priority.BULK if kind == "other_bulk" else Priority.INTERACTIVE)
        _until(lambda: _count("SELECT count(*) FROM work WHERE id = :id AND attempts > 0", id=work_id) == 1)  # noqa: B023
        came.append((kind, work_id))
    _until(lambda: not _count("SELECT count(*) FROM work WHERE queue = 'heavy' AND finished_at IS NULL"))
    parameters = {"bulk": int(Priority.BULK), "flood": crowd.client_id, "slow": slow, "slots": slots}
    for kind, work_id in came:
        found[kind].append(Wait(*_rows(_WAIT, id=work_id, **parameters)[0]))


def _owner() -> Owner:
    owner = Owner(new_id(), new_id())
    with tenant(owner.client_id), transaction() as session:
        session.add(Client(id=owner.client_id, name="Bench", slug=f"bench-{owner.client_id}"))
        session.flush()
        session.add(Catalog(id=owner.catalog_id, client_id=owner.client_id, name="Everything", is_default=True))
    return owner


def _upload(owner: Owner, priority: Priority) -> int:
    """A product whose run may start; the number of its first phase's work."""
    with tenant(owner.client_id), transaction() as session:
        product = Product(client_id=owner.client_id, catalog_id=owner.catalog_id)
        session.add(product)
        session.flush()
        run = start_run(
            session,
            client_id=owner.client_id,
            product_id=product.id,
            created_by=None,
            started_by=None,
            hints={},
            priority=priority,
        )
        first = text("SELECT work_id FROM phases WHERE run_id = :run AND number = 1")
        return int(session.execute(first, {"run": run.id}).scalar_one())


def _rows(statement: TextClause, **values: Any) -> Sequence[Any]:
    """What the system login sees, which is the work of all clients."""
    with system_engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return connection.execute(statement, values).all()


def _count(statement: str, **values: Any) -> int:
    return int(_rows(text(statement), **values)[0][0])


def _until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > until:
            sys.exit("not done in time")
        time.sleep(0.02)


def _ratio(waits: Sequence[Wait]) -> float:
    return sum(wait.waited for wait in waits) / sum(wait.fair for wait in waits)


if __name__ == "__main__":
    main()
