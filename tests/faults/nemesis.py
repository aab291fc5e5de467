"""What strikes: kills, freezes, wipes, cut connections, false bells. What it does, and when, is written down."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
from redis.exceptions import RedisError

from tests.faults.sight import Sight
from tests.faults.stack import LEASE_SECONDS, Stack
from webapp import queue

PAUSE_SECONDS = (0.3, 1.6)
"""Between two strikes."""
AWAY_SECONDS = 60.0


@dataclass(frozen=True)
class Loss:
    """A worker that was killed or frozen with work in its hands."""

    at: float
    work_id: int
    epoch: int
    how: str


@dataclass
class Outage:
    """A time in which a service was away."""

    service: str
    begin: float
    end: float = float("inf")


class Nemesis:
    """Strikes at random until told to stop. `seed` decides what strikes and in which order."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self.stack = stack
        self.random = random.Random(seed)
        self.log: list[tuple[float, str, str]] = []
        self.losses: list[Loss] = []
        self.outages: list[Outage] = []
        self._sight = Sight(stack.postgres.url)
        self._later: list[threading.Thread] = []
        self._hits: list[tuple[int, Callable[[], str | None]]] = [
            (5, self.kill_slot_at_work),
            (4, self.freeze_slot_at_work),
            (2, self.kill_any_slot),
            (3, self.kill_dispatcher),
            (2, self.kill_web_worker),
            (1, self.kill_web),
            (1, self.kill_hub),
            (1, self.kill_renderer),
            (2, self.kill_postmaster),
            (1, self.kill_backend),
            (4, self.cut_connections),
            (2, self.kill_redis),
            (3, self.wipe_redis),
            (2, self.freeze_redis),
            (4, self.ring_twice),
            (3, self.ring_stale),
        ]

    def run(self, seconds: float) -> None:
        """Strike for so long; each kind once before any comes twice. Afterwards nothing is left frozen."""
        until = time.monotonic() + seconds
        kinds = [hit for _, hit in self._hits]
        self.random.shuffle(kinds)
        weights, hits = zip(*self._hits, strict=True)
        while time.monotonic() < until:
            self.strike(kinds.pop() if kinds else self.random.choices(hits, weights)[0])
            time.sleep(self.random.uniform(*PAUSE_SECONDS))
        for thread in self._later:
            thread.join()
        self._sight.close()

    def strike(self, hit: Callable[[], str | None]) -> None:
        """Do one thing and write it down; nothing is written where there was nobody to hit."""
        at = time.time()
        what = hit()
        if what is not None:
            self.log.append((at, hit.__name__, what))

    # --- workers

    def kill_slot_at_work(self) -> str | None:
        """kill -9 of a slot that holds a lease."""
        held = self._held()
        if held is None:
            return None
        pid, work_id, epoch = held
        self.losses.append(Loss(time.time(), work_id, epoch, "killed"))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return f"slot {pid} with work {work_id}"

    def freeze_slot_at_work(self) -> str | None:
        """SIGSTOP of a slot that holds a lease, for two leases."""
        held = self._held()
        if held is None:
            return None
        pid, work_id, epoch = held
        self.losses.append(Loss(time.time(), work_id, epoch, "frozen"))
        return self._freeze(pid, 2 * LEASE_SECONDS) and f"slot {pid} with work {work_id}"

    def kill_any_slot(self) -> str | None:
        """kill -9 of a slot, whatever it does."""
        return self._kill(self.random.choice([name for name in self.stack.programs if name.startswith("slot")]))

    def kill_dispatcher(self) -> str | None:
        """kill -9 of a dispatcher."""
        return self._kill(self.random.choice([name for name in self.stack.programs if name.startswith("dispatcher")]))

    def _held(self) -> tuple[int, int, int] | None:
        """A slot of ours that holds a lease: its pid, the work, the epoch."""
        rows = self._sight.rows("SELECT lease_owner, id, epoch FROM work WHERE state = 'running' ORDER BY id")
        ours = {self.stack.pid(name) for name in self.stack.programs if name.startswith("slot")}
        held = [(int(owner.rpartition(":")[2]), work_id, epoch) for owner, work_id, epoch in rows]
        held = [each for each in held if each[0] in ours and not _is_frozen(each[0])]
        return self.random.choice(held) if held else None

    # --- web and screens

    def kill_web_worker(self) -> str | None:
        """kill -9 of one of the web server's workers."""
        workers = self.stack.children("web")
        if not workers:
            return None
        pid = self.random.choice(workers)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return f"worker {pid}"

    def kill_web(self) -> str | None:
        """kill -9 of the web server as a whole."""
        return self._kill("web")

    def kill_hub(self) -> str | None:
        """kill -9 of the hub: every socket falls."""
        return self._kill("hub")

    def kill_renderer(self) -> str | None:
        """kill -9 of the renderer."""
        return self._kill("renderer")

    # --- Postgres

    def kill_postmaster(self) -> str | None:
        """kill -9 of the server's first process."""
        return self._away("postgres", lambda: self._kill("postgres"), self.stack.postgres.answers)

    def kill_backend(self) -> str | None:
        """kill -9 of one of the server's sessions, after which it ends all and recovers."""
        pid = self._sight.one(
            "SELECT pid FROM pg_stat_activity WHERE usename = 'lotline_app' ORDER BY random() LIMIT 1"
        )
        if pid is None:
            return None

        def kill() -> str:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            return f"backend {pid}"

        return self._away("postgres", kill, self.stack.postgres.answers)

    def cut_connections(self) -> str | None:
        """pg_terminate_backend of some sessions of a login."""
        login = self.random.choice(["lotline_app", "lotline_system"])
        url = {"lotline_app": "database_app_url", "lotline_system": "database_system_url"}[login]
        from webapp import config

        sight = Sight(getattr(config.load(self.stack.env), url))
        try:
            cut = sight.connection().execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = current_user"
                " AND pid <> pg_backend_pid() AND random() < 0.5"
            )
            row = cut.fetchone()
            return f"{row[0] if row else 0} sessions of {login}"
        except psycopg.OperationalError:
            return None
        finally:
            sight.close()

    # --- Redis

    def kill_redis(self) -> str | None:
        """kill -9 of Redis, which keeps nothing."""
        return self._away("redis", lambda: self._kill("redis"), self.stack.redis.answers)

    def wipe_redis(self) -> str | None:
        """FLUSHALL."""
        try:
            queue.connect(self.stack.redis.url).flushall()
        except RedisError:
            return None
        return "wiped"

    def freeze_redis(self) -> str | None:
        """SIGSTOP of Redis for a second or two."""
        pid = self.stack.pid("redis")
        if pid is None:
            return None
        seconds = self.random.uniform(0.5, 2.5)
        return self._away("redis", lambda: self._freeze(pid, seconds), self.stack.redis.answers)

    def ring_twice(self) -> str | None:
        """Bells for work that has one already, or is being done."""
        rows = self._sight.rows(
            "SELECT queue, client_id, id FROM work WHERE state IN ('ready', 'running') ORDER BY random() LIMIT 5"
        )
        return self._ring(rows)

    def ring_stale(self) -> str | None:
        """Bells for work that is done, stopped or blocked, and for none at all."""
        rows = self._sight.rows(
            "SELECT queue, client_id, id FROM work WHERE state NOT IN ('ready', 'running') ORDER BY random() LIMIT 5"
        )
        return self._ring([*rows, *((lane, client, 10**9) for lane, client, _ in rows[:1])])

    def _ring(self, rows: list[tuple[str, UUID, int]]) -> str | None:
        redis = queue.connect(self.stack.redis.url)
        for lane in {row[0] for row in rows}:
            queue.ring(lane, [(client, work_id) for there, client, work_id in rows if there == lane], redis)
        return f"{len(rows)} bells" if rows else None

    # --- how

    def _kill(self, name: str) -> str | None:
        pid = self.stack.hit(name)
        return None if pid is None else f"{name} {pid}"

    def _freeze(self, pid: int, seconds: float) -> str | None:
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            return None

        def thaw() -> None:
            time.sleep(seconds)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

        self._do_later(thaw)
        return f"{pid} for {seconds:.1f} s"

    def _away(self, service: str, strike: Callable[[], str | None], answers: Callable[[], bool]) -> str | None:
        """Strike a service, and note until when it did not answer."""
        outage = Outage(service, time.time())
        what = strike()
        if what is None:
            return None
        self.outages.append(outage)

        def watch() -> None:
            time.sleep(0.1)
            until = time.monotonic() + AWAY_SECONDS
            while not answers() and time.monotonic() < until:
                time.sleep(0.02)
            outage.end = time.time()

        self._do_later(watch)
        return what

    def _do_later(self, what: Callable[[], None]) -> None:
        self._later.append(threading.Thread(target=what, daemon=True))
        self._later[-1].start()


def _is_frozen(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return True
