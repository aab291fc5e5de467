"""A slot: one process that answers the bells of its queues, one piece of work at a time.

RQ carries the bell and nothing more: a worker without fork that keeps its database connection, whose retries,
registries and schedules are not used.
"""

import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from flask import Flask
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.exceptions import StopRequested
from rq.worker import WorkerStatus
from sqlalchemy.exc import SQLAlchemyError

from webapp import queue
from webapp.config import SLOT_PLACE, Config
from webapp.database import db
from webapp.engines import refuse_privileged_login
from webapp.queue import wake
from webapp.work import registry, tasks

log = logging.getLogger(__name__)

HEAVY = "heavy"
SEEN_EVERY_SECONDS = 2.0
# RQ waits for a bell for (ttl - 15) s and gives a silent Redis 10 s more; its default of minutes would outlast a lease.
WORKER_TTL_SECONDS = 20
RECONNECT_SECONDS = 0.5
LONG_SECONDS = 0.25
"""After work that took longer, a dispatcher is told that this slot is free: in a slow lane no bell hangs for it."""
HEAVY_MEMORY_BYTES = 3 << 30
"""What a slot of the heavy lane may use. Reading a photo takes 1.2 GB, decoding one of 50 megapixels 0.9; what asks for
more fails as that piece of work, where else the system would end whichever process it likes."""
_leave = threading.Event()
"""Set when this slot is to take no new work, and to end after what it does."""


class Slot(SimpleWorker):
    """RQ's worker, reduced to answering bells.

    Left out: the remote control (a thread and a connection), suspension, and the bookkeeping around each job (some
    twenty Redis commands for its text, registries, heartbeats and results), since Postgres keeps all of that.
    """

    _beaten_at = float("-inf")

    # RQ passes on to execute_job what this returns; where it expects a job and its queue, ours are a bell and its lane.
    def dequeue_job_and_maintain_ttl(self, timeout: int, max_idle_time: int | None = None) -> tuple[bytes, bytes]:  # type: ignore[override]  # noqa: ARG002
        """Wait for the next bell, as long as it takes: before all lanes' own, those of interrupted work beside them
        (`queue.front`); the first of the lanes goes first."""
        self._state = WorkerStatus.IDLE  # before the first bell too: asked to end while it waits, it ends
        fronts = [queue.bells(queue.front(lane.name), self.connection) for lane in self.queues]
        lanes = [lane.key for lane in (*fronts, *self.queues)]
        while True:
            if self._stop_requested or _leave.is_set():
                raise StopRequested
            try:
                self.heartbeat()
                taken: Any = self.connection.blpop(lanes, timeout)
            except RedisError as error:
                log.warning("slot_lost_redis", extra={"reason": str(error)})
                raise StopRequested from error  # and begin anew
            if taken is not None:
                lane, bell = taken
                return bell, lane

    def execute_job(self, bell: bytes, _lane: bytes) -> None:  # type: ignore[override]
        """Do what the bell rang for."""
        self._state = WorkerStatus.BUSY
        began = time.monotonic()
        try:
            client_id, work_id = queue.read_bell(bell.decode())
        except ValueError:
            log.warning("strange_bell", extra={"bell": str(bell[:100])})
        else:
            tasks.perform(client_id, work_id)
        finally:
            self._state = WorkerStatus.IDLE
            if time.monotonic() - began > LONG_SECONDS:
                wake(self.connection)

    def check_for_suspension(self, burst: bool) -> None:
        """Nothing is suspended by way of Redis."""

    def set_state(self, state: str, pipeline: Pipeline | None = None) -> None:  # noqa: ARG002 - RQ's signature
        """Kept in memory: nobody reads it in Redis."""
        self._state = state

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """RQ's own list of workers is told every few seconds, not several times per bell."""
        if time.monotonic() - self._beaten_at >= SEEN_EVERY_SECONDS:
            self._beaten_at = time.monotonic()
            super().heartbeat(timeout, pipeline)

    def subscribe(self) -> None:
        """No remote control."""

    def unsubscribe(self) -> None:
        """No remote control."""

    def request_stop(self, _signum: int, _frame: FrameType | None) -> None:
        """Asked to end: the work at hand is handed back at its next report, or finished."""
        tasks.draining.set()
        self.request_leave()

    def request_leave(self, _signum: int = 0, _frame: FrameType | None = None) -> None:
        """Asked to take no new work: what is at hand is finished."""
        self._stop_requested = True
        if self._state == WorkerStatus.IDLE:
            raise StopRequested  # out of the wait for a bell


def run(app: Flask, lanes: list[str]) -> None:
    """Answer the bells of `lanes`, in that order, until SIGTERM or SIGINT.

    A slot that is drained finishes what it does, starts afresh in the same place (with the code that lies there then)
    and stands by until somebody lets it work again.
    """
    config: Config = app.extensions["lotline_config"]
    if HEAVY in lanes:
        _bound_memory(HEAVY_MEMORY_BYTES)
    logging.getLogger("rq.worker").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, lambda *_: tasks.draining.set())
    signal.signal(signal.SIGINT, lambda *_: tasks.draining.set())
    with app.app_context():
        _until_it_answers(refuse_privileged_login)
        _until_it_answers(lambda: _stand_by(lanes))
        signal.signal(signal.SIGUSR1, lambda *_: None)  # drained before it waits for a bell: `_leave` tells
        threading.Thread(target=_stay_seen, args=(app, lanes), name="seen", daemon=True).start()
        while not tasks.draining.is_set() and not _leave.is_set():
            try:
                connection = queue.connect(config.redis_url, timeout_seconds=None)
                slot = Slot(lanes, connection=connection, worker_ttl=WORKER_TTL_SECONDS)
                signal.signal(signal.SIGUSR1, slot.request_leave)
                slot.work(logging_level="WARNING")
            except StopRequested:
                pass  # asked before it waited
            except RedisError as error:
                log.warning("slot_lost_redis", extra={"reason": str(error)})
            if not tasks.draining.is_set() and not _leave.is_set():
                time.sleep(RECONNECT_SECONDS)
        if not tasks.draining.is_set():
            log.info("slot_drained")
            db.engine.dispose()
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves, afresh
        with db.engine.begin() as database:
            registry.sign_off(database, _id())


def _bound_memory(most_bytes: int) -> None:
    """What is written to counts, not the addresses that zbar's sandbox and threads reserve (RLIMIT_AS would)."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _stand_by(lanes: list[str]) -> None:
    """Sign on before any work is claimed, and wait for as long as this slot is drained."""
    while _sign_on(lanes) and not tasks.draining.is_set():
        time.sleep(SEEN_EVERY_SECONDS)


def _until_it_answers(check: Callable[[], None]) -> None:
    while not tasks.draining.is_set():
        try:
            check()
        except SQLAlchemyError as error:
            log.warning("waiting_for_database", extra={"reason": str(error).splitlines()[0]})
            time.sleep(RECONNECT_SECONDS)
        else:
            return


def _id() -> str:
    return f"slot:{socket.gethostname()}:{os.environ.get(SLOT_PLACE) or os.getpid()}"


def _sign_on(lanes: list[str]) -> bool:
    """Whether this slot is to drain."""
    name = os.environ.get(SLOT_PLACE, "").rpartition(":")[2] or f"slot-{'-'.join(lanes)}-{os.getpid()}"
    with db.engine.begin() as connection:
        return registry.sign_on(connection, _id(), kind="slot", lane=" ".join(lanes), name=name, doing=tasks.doing())


def _stay_seen(app: Flask, lanes: list[str]) -> None:
    with app.app_context():
        while not tasks.draining.wait(SEEN_EVERY_SECONDS):
            try:
                if _sign_on(lanes) and not _leave.is_set():
                    _leave.set()
                    os.kill(os.getpid(), signal.SIGUSR1)  # out of the wait for a bell
            except SQLAlchemyError as error:
                log.warning("slot_sign_on_failed", extra={"reason": str(error).splitlines()[0]})
