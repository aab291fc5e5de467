"""What the watching page shows, in a constant number of queries.

The same statements serve both who may watch: as the app they see the client's own work, by row-level security; as the
system everybody's. What belongs to no client (slots, circuits) is told to an admin without a word on others' work.
Counts stop at COUNT_TO, so that a look costs the same however long the backlog is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from webapp.pipeline.models import PhaseName
from webapp.watching.pauses import Held, pauses
from webapp.work import circuits
from webapp.work.circuits import CircuitView
from webapp.work.dealing import WINDOWS

Asked = Session | Connection
Percentiles = tuple[float, float, float]
"""The middle, 95 % and 99 %, in seconds."""

SILENT_SECONDS = 15
"""A process that was not seen for so long is called silent."""
COUNT_TO = 10_000
ROWS = 100
MINUTES = 60


class Lane(NamedTuple):
    """A queue: how much is in which state, since when the oldest could start (what is paused left out), how many slots
    serve it."""

    name: str
    ready: int
    running: int
    waiting: int
    oldest_at: datetime | None
    slots: int


class Running(NamedTuple):
    """Work that a slot has in hand."""

    id: int
    activity: str
    started_at: datetime
    attempts: int
    lease_seconds: float
    owner: str
    client: str


class Worker(NamedTuple):
    """A slot or a dispatcher, and what it has in hand (None: nothing, or nothing that the asking login may know)."""

    id: str
    kind: str
    name: str
    lanes: str
    host: str
    pid: int
    started_at: datetime
    last_seen: datetime
    silent_seconds: float
    drain_at: datetime | None
    drain_by_name: str | None
    work: Running | None

    @property
    def is_silent(self) -> bool:
        """Whether it is probably dead."""
        return self.silent_seconds > SILENT_SECONDS


class Activity(NamedTuple):
    """One kind of work: what there is of it, and how long it waited and ran in the last hour."""

    name: str
    ready: int
    running: int
    waiting: int
    next_at: datetime | None
    """When the next retry is due."""
    done: int
    wait: Percentiles | None
    run: Percentiles | None


class ClientLoad(NamedTuple):
    """A client's share, for operators."""

    id: UUID
    name: str
    cap: int
    running: int
    ready: int
    oldest_at: datetime | None
    is_paused: bool


class Minute(NamedTuple):
    """What was finished within one minute."""

    at: datetime
    done: int
    failed: int


@dataclass(frozen=True)
class State:
    """Everything at one moment; `now` by the database's clock."""

    now: datetime
    lanes: Sequence[Lane]
    workers: Sequence[Worker]
    orphans: Sequence[Running]
    """Work whose slot is not among the workers: its lease will run out."""
    activities: Sequence[Activity]
    minutes: Sequence[Minute]
    pauses: Sequence[Held]
    circuits: Sequence[CircuitView]
    clients: Sequence[ClientLoad]

    @property
    def slots(self) -> list[Worker]:
        """The slots."""
        return [worker for worker in self.workers if worker.kind == "slot"]

    @property
    def dispatchers(self) -> list[Worker]:
        """The dispatchers."""
        return [worker for worker in self.workers if worker.kind == "dispatcher"]


_LANES = text("""
    SELECT lane.name, ready.many AS ready, running.many AS running, waiting.many AS waiting,
           (SELECT min(run_at) FROM (
                SELECT run_at, client_id, activity FROM work WHERE state = 'ready' AND queue = lane.name
                ORDER BY run_at LIMIT :most) AS oldest
            WHERE NOT EXISTS (SELECT FROM pauses WHERE pauses.client_id = oldest.client_id)
              AND NOT EXISTS (SELECT FROM pauses WHERE pauses.activity = oldest.activity)) AS since,
           (SELECT count(*) FROM workers WHERE kind = 'slot' AND lane.name = ANY (string_to_array(queue, ' '))
              AND drain_at IS NULL AND last_seen > clock_timestamp() - make_interval(secs => :silent)) AS slots,
           clock_timestamp() AS now
    FROM unnest(CAST(:lanes AS text[])) WITH ORDINALITY AS lane(name, place)
    CROSS JOIN LATERAL (SELECT count(*) AS many FROM (
        SELECT FROM work WHERE state = 'ready' AND queue = lane.name LIMIT :most) AS x) AS ready
    CROSS JOIN LATERAL (SELECT count(*) AS many FROM (
        SELECT FROM work WHERE state = 'running' AND queue = lane.name LIMIT :most) AS x) AS running
    CROSS JOIN LATERAL (SELECT count(*) AS many FROM (
        SELECT FROM work WHERE state = 'waiting' AND queue = lane.name LIMIT :most) AS x) AS waiting
    ORDER BY lane.place
""")
_RUNNING = text("""
    SELECT work.id, activity, started_at, attempts, extract(epoch FROM lease_until - clock_timestamp())::float8,
           coalesce(lease_owner, ''), clients.name
    FROM work JOIN clients ON clients.id = work.client_id WHERE state = 'running' ORDER BY started_at LIMIT :rows
""")
_WORKERS = text("""
    SELECT id, kind, name, coalesce(queue, ''), host, pid, started_at, last_seen,
           extract(epoch FROM clock_timestamp() - last_seen)::float8, drain_at, drain_by_name
    FROM workers ORDER BY kind, name, id LIMIT :rows
""")
_MINUTES = text("""
    SELECT date_trunc('minute', finished_at) AS at, count(*) FILTER (WHERE state IN ('done', 'held')) AS done,
           count(*) FILTER (WHERE state = 'failed') AS failed
    FROM work WHERE finished_at > date_trunc('minute', clock_timestamp()) - interval '59 minutes' GROUP BY 1
""")
_BACKLOG = text("""
    SELECT activity, count(*) FILTER (WHERE state = 'ready') AS ready,
           count(*) FILTER (WHERE state = 'running') AS running, count(*) FILTER (WHERE state = 'waiting') AS waiting,
           min(run_at) FILTER (WHERE state = 'waiting') AS next_at
    FROM (SELECT activity, state, run_at FROM work
          WHERE state IN ('ready', 'running', 'waiting') LIMIT :most) AS some_of_it
    GROUP BY activity ORDER BY activity LIMIT 20
""")
# What was retried waited for its time, not for a slot: `run_at` is when it could start last.
_SPEEDS = text("""
    SELECT activity, count(*) AS done, percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY waited) AS wait,
           percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY ran) AS run
    FROM (SELECT activity, greatest(extract(epoch FROM started_at - run_at)::float8, 0) AS waited,
                 greatest(extract(epoch FROM finished_at - started_at)::float8, 0) AS ran
          FROM work WHERE finished_at > clock_timestamp() - interval '1 hour' AND state IN ('done', 'held')
            AND started_at IS NOT NULL ORDER BY finished_at DESC LIMIT :most) AS recent
    GROUP BY activity LIMIT 20
""")
_CLIENTS = text("""
    SELECT clients.id, clients.name, running_cap, coalesce(busy.running, 0), coalesce(busy.ready, 0), busy.oldest_at,
           EXISTS (SELECT FROM pauses WHERE pauses.client_id = clients.id)
    FROM clients LEFT JOIN (
        SELECT client_id, count(*) FILTER (WHERE state = 'running') AS running,
               count(*) FILTER (WHERE state = 'ready') AS ready, min(run_at) FILTER (WHERE state = 'ready') AS oldest_at
        FROM (SELECT client_id, state, run_at FROM work WHERE state IN ('running', 'ready') LIMIT :most) AS some_of_it
        GROUP BY client_id
    ) AS busy ON busy.client_id = clients.id
    WHERE is_active ORDER BY 4 DESC, 5 DESC, clients.name LIMIT :rows
""")


def look(asked: Asked, *, everything: bool) -> State:
    """The state now. `everything`: for operators, who see all clients; `asked` is then the system's connection."""
    lanes = asked.execute(_LANES, {"lanes": list(WINDOWS), "silent": SILENT_SECONDS, "most": COUNT_TO + 1}).all()
    now: datetime = lanes[0].now
    running = [Running(*row) for row in asked.execute(_RUNNING, {"rows": ROWS})]
    by_owner = {work.owner: work for work in running}
    workers = [
        Worker._make((*row, by_owner.get(f"{row.host}:{row.pid}"))) for row in asked.execute(_WORKERS, {"rows": ROWS})
    ]
    known = {worker.work.id for worker in workers if worker.work}
    busy = {"rows": ROWS, "most": COUNT_TO}
    return State(
        now=now,
        lanes=[Lane(*row[:6]) for row in lanes],
        workers=workers,
        orphans=[work for work in running if work.id not in known],
        activities=_activities(asked),
        minutes=_minutes(now, asked.execute(_MINUTES).all()),
        pauses=pauses(asked),
        circuits=circuits.overview(asked),
        clients=[ClientLoad(*row) for row in asked.execute(_CLIENTS, busy)] if everything else [],
    )


def _activities(asked: Asked) -> list[Activity]:
    """The four phases in their order, whatever there is of them, and what else there is."""
    backlog = {row.activity: row for row in asked.execute(_BACKLOG, {"most": COUNT_TO})}
    speeds = {row.activity: row for row in asked.execute(_SPEEDS, {"most": COUNT_TO})}
    phases = [name.value for name in PhaseName]
    found = []
    for name in [*phases, *sorted((backlog.keys() | speeds.keys()) - set(phases))]:
        waits, speed = backlog.get(name), speeds.get(name)
        counts = (waits.ready, waits.running, waits.waiting, waits.next_at) if waits else (0, 0, 0, None)
        took = (speed.done, tuple(speed.wait), tuple(speed.run)) if speed else (0, None, None)
        found.append(Activity(name, *counts, *took))
    return found


def _minutes(now: datetime, rows: Sequence[Any]) -> list[Minute]:
    found = {row.at: row for row in rows}
    last = now.replace(second=0, microsecond=0)
    ats = [last - timedelta(minutes=back) for back in range(MINUTES - 1, -1, -1)]
    return [Minute(at, found[at].done, found[at].failed) if at in found else Minute(at, 0, 0) for at in ats]


def is_client(asked: Asked, client_id: UUID) -> bool:
    """Whether there is such a client."""
    return asked.execute(text("SELECT FROM clients WHERE id = :id"), {"id": client_id}).first() is not None
