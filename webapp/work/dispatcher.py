"""The dispatcher: takes back what dead workers held, wakes what waited, and rings for ready work, fairly.

Any number of copies may run: rows are taken with SKIP LOCKED, and each round is a few short transactions. It signs in
as the system login, which may change where work stands and nothing else.
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from flask import Flask
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from webapp import queue, storage
from webapp.config import Config
from webapp.crashpoints import crash_point
from webapp.database import system_engine
from webapp.work import circuits, registry
from webapp.work.events import NewEvent, append
from webapp.work.models import Level, WorkState
from webapp.work.moves import IllegalMove, level_of, move
from webapp.work.services import RINGS_PER_CLIENT

log = logging.getLogger(__name__)

ROUND_SECONDS = 0.1
SEEN_EVERY_SECONDS = 2.0
RERING_EVERY_SECONDS = 1.0
SWEEP_EVERY_SECONDS = 3600.0
BATCH = 100
WINDOWS = {"heavy": 4, "light": 32, "bulk": 32}
"""How many bells of a queue may hang in Redis. A bell that hangs there can no longer be overtaken by a more urgent
one, so the queue whose work takes seconds has a short window; the backlog lives in Postgres."""
AGEING_SECONDS = 60.0
"""Waiting this long is worth one step of priority, so that nothing waits for ever."""
PATIENCE_SECONDS = 10.0
"""Bells that clients ring by themselves can keep a window full without end. Who has waited this long gets as many bells
as a client may ring by itself, window or not."""
EPOCH_KEY = "lotline:epoch"

_EXPIRED = text("""
    SELECT id FROM work WHERE state = 'running' AND lease_until < clock_timestamp()
    ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED
""")
_DUE = text("""
    SELECT id FROM work WHERE state = 'waiting' AND run_at <= clock_timestamp()
    ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED
""")
_FORGET_BELLS = text(
    "UPDATE work SET dispatched_at = NULL WHERE state = 'ready' AND queue = :queue AND dispatched_at < :before"
)
_RUNG = text("""
    SELECT count(*), count(*) FILTER (WHERE dispatched_at < clock_timestamp() - make_interval(secs => :lease))
    FROM (SELECT dispatched_at FROM work
          WHERE state = 'ready' AND queue = :queue AND dispatched_at IS NOT NULL LIMIT 1000) AS rung
""")
# The next few of every client by a loose index scan (one probe per client, however long the backlog), then one of
# each client in turn. A client's turn counts what it already has running, so a newcomer does not wait behind it.
# Beyond the window's room only those go that bells rung past the dispatcher have kept waiting.
_NEXT = text("""
    WITH RECURSIVE clients AS (
        (SELECT client_id FROM work WHERE state = 'ready' AND dispatched_at IS NULL AND queue = :queue
         ORDER BY client_id LIMIT 1)
        UNION ALL
        SELECT (SELECT client_id FROM work WHERE state = 'ready' AND dispatched_at IS NULL AND queue = :queue
                  AND client_id > clients.client_id ORDER BY client_id LIMIT 1)
        FROM clients WHERE clients.client_id IS NOT NULL
    ), busy AS (
        SELECT client_id, count(*) AS many, count(*) FILTER (WHERE state = 'ready') AS hanging FROM work
        WHERE queue = :queue AND (state = 'running' OR (state = 'ready' AND dispatched_at IS NOT NULL))
        GROUP BY client_id
    ), candidates AS (
        SELECT next.id, next.run_at,
               coalesce(busy.many, 0) + row_number() OVER own AS turn,
               next.priority - extract(epoch FROM clock_timestamp() - next.run_at) / :ageing AS urgency,
               coalesce(busy.hanging, 0) + row_number() OVER own <= :share
                 AND next.run_at < clock_timestamp() - make_interval(secs => :patience) AS starving
        FROM clients
        LEFT JOIN busy USING (client_id)
        CROSS JOIN LATERAL (
            SELECT id, run_at, priority FROM work
            WHERE state = 'ready' AND dispatched_at IS NULL AND queue = :queue AND client_id = clients.client_id
            ORDER BY priority, run_at, id LIMIT greatest(:room, :share)
        ) AS next
        WHERE clients.client_id IS NOT NULL
        WINDOW own AS (PARTITION BY clients.client_id ORDER BY next.priority, next.run_at, next.id)
    ), placed AS (
        SELECT id, starving, row_number() OVER (ORDER BY turn, urgency, run_at, id) AS place FROM candidates
    ), chosen AS (
        SELECT id, place FROM placed WHERE place <= :room OR starving
    ), rung AS (
        UPDATE work SET dispatched_at = clock_timestamp()
        WHERE id IN (SELECT id FROM work WHERE id IN (SELECT id FROM chosen) AND state = 'ready'
                     AND dispatched_at IS NULL FOR UPDATE SKIP LOCKED)
        RETURNING client_id, id
    )
    SELECT rung.client_id, rung.id FROM rung JOIN chosen USING (id) ORDER BY chosen.place
""")


class Dispatcher:
    """One copy. `round()` does everything once; `run()` repeats it until told to stop."""

    def __init__(self, app: Flask, *, redis: "Redis | None" = None) -> None:
        self._config: Config = app.extensions["lotline_config"]
        with app.app_context():
            self._engine: Engine = system_engine()
        self._redis = redis or queue.connect(self._config.redis_url)
        self._epoch: bytes | None = None
        self._name = f"dispatcher:{socket.gethostname()}:{os.getpid()}"
        self._seen_at = self._rerung_at = self._swept_at = float("-inf")
        self._app = app

    def run(self, stop: threading.Event) -> None:
        """Rounds every tenth of a second; an outage of either server is waited out."""
        while not stop.is_set():
            pause = ROUND_SECONDS
            try:
                self.round()
                self._sweep()
            except SQLAlchemyError as error:
                log.warning("dispatcher_round_failed", extra={"reason": str(error).splitlines()[0]})
                pause = 0.5
            except Exception:  # one bad row must not end what all others wait for
                log.exception("dispatcher_round_failed")
                pause = 0.5
            time.sleep(pause)  # never stop.wait(): a signal handler that sets it could find its lock taken
        try:
            with self._engine.begin() as connection:
                registry.sign_off(connection, self._name)
        except SQLAlchemyError as error:
            log.warning("dispatcher_sign_off_failed", extra={"reason": str(error).splitlines()[0]})

    def _sweep(self) -> None:
        """Once in a while: half-written photos that a crash left behind."""
        now = time.monotonic()
        if now - self._swept_at >= SWEEP_EVERY_SECONDS:
            self._swept_at = now
            with self._app.app_context():
                storage.sweep()

    def round(self) -> None:
        """Reap, wake, check the bells, ring."""
        now = time.monotonic()
        if now - self._seen_at >= SEEN_EVERY_SECONDS:
            with self._engine.begin() as connection:
                registry.sign_on(connection, self._name, kind="dispatcher", lane=None)
            self._seen_at = now
        self._take(_EXPIRED, self._reap)
        self._take(_DUE, self._wake)
        self._notice_lost_bells()
        thorough = now - self._rerung_at >= RERING_EVERY_SECONDS
        if thorough:
            self._let_through()
            for lane in WINDOWS:
                self._rering(lane)
            self._rerung_at = now
        for lane, window in WINDOWS.items():
            self._ring(lane, window, even_if_full=thorough)

    def _take(self, which: object, handle: Callable[[Connection, int], "tuple[UUID, int, int]"]) -> None:
        """Handle the rows one transaction each, so that a stream's lock is held for one event only."""
        while True:
            with self._engine.begin() as connection:
                work_id = connection.execute(which, {"batch": 1}).scalar_one_or_none()  # type: ignore[call-overload]
                if work_id is None:
                    return
                client_id, stream_id, seq = handle(connection, work_id)
                crash_point("reap.before_commit")
            crash_point("reap.after_commit")
            queue.publish([{"client": str(client_id), "stream": stream_id, "seq": seq}], self._redis)

    def _let_through(self) -> None:
        """What waited behind a circuit goes on where that lets it: one to probe, or a few at a time."""
        with self._engine.begin() as connection:
            waiting = circuits.let_through(connection)
        for work_id in waiting:
            with suppress(IllegalMove):  # it may have moved meanwhile
                with self._engine.begin() as connection:
                    client_id, stream_id, seq = self._wake(connection, work_id)
                queue.publish([{"client": str(client_id), "stream": stream_id, "seq": seq}], self._redis)

    def _reap(self, connection: Connection, work_id: int) -> "tuple[UUID, int, int]":
        return self._ready(
            connection,
            work_id,
            WorkState.RUNNING,
            also="crashes = crashes + 1",
            says="stopped answering; it is started again",
            level=Level.WARNING,
        )

    def _wake(self, connection: Connection, work_id: int) -> "tuple[UUID, int, int]":
        return self._ready(connection, work_id, WorkState.WAITING, also="", says="is tried again", level=None)

    def _ready(
        self, connection: Connection, work_id: int, only_from: WorkState, *, also: str, says: str, level: Level | None
    ) -> "tuple[UUID, int, int]":
        moved = move(connection, work_id, WorkState.READY, only_from=only_from, also=also)
        data = {
            **moved.args.get("event", {}),
            "work": moved.id,
            "from": only_from.value,
            "to": moved.state.value,
            "epoch": moved.epoch,
        }
        if moved.crashes:
            data["crashes"] = moved.crashes
        label = moved.args.get("label", moved.kind)
        event = NewEvent("work.ready", f"{label} {says}", level or level_of(WorkState.READY), data)
        return moved.client_id, moved.stream_id, append(connection, moved.stream_id, [event])

    def _notice_lost_bells(self) -> None:
        """Redis lost its memory: its epoch key changed or vanished. Every ready row's bell counts as not rung.

        The key is set anew only after that: a dispatcher that dies in between leaves it to the next one.
        """
        try:
            found = self._redis.get(EPOCH_KEY)
            if found is None:
                self._forget_bells()
                fresh = secrets.token_hex(8).encode()
                self._redis.set(EPOCH_KEY, fresh, nx=True)
                found = self._redis.get(EPOCH_KEY) or fresh
            elif self._epoch is not None and found != self._epoch:
                self._forget_bells()
        except RedisError:
            return
        self._epoch = found if isinstance(found, bytes) else bytes(str(found), "ascii")

    def _forget_bells(self) -> None:
        log.warning("redis_lost_its_memory")
        with self._engine.begin() as connection:
            for lane in WINDOWS:
                connection.execute(_FORGET_BELLS, {"queue": lane, "before": "infinity"})

    def _rering(self, lane: str) -> None:
        """Bells older than a lease whose message is no longer in Redis were lost on the way: ring them again."""
        with self._engine.begin() as connection:
            rung, old = connection.execute(_RUNG, {"queue": lane, "lease": self._config.lease_seconds}).one()
            if not old:
                return
            try:
                hanging = queue.bells(lane, self._redis).count
            except RedisError:
                return
            if hanging < rung:
                connection.execute(
                    text(
                        "UPDATE work SET dispatched_at = NULL WHERE state = 'ready' AND queue = :queue"
                        " AND dispatched_at < clock_timestamp() - make_interval(secs => :lease)"
                    ),
                    {"queue": lane, "lease": self._config.lease_seconds},
                )

    def _ring(self, lane: str, window: int, *, even_if_full: bool) -> None:
        with self._engine.begin() as connection:
            rung, _ = connection.execute(_RUNG, {"queue": lane, "lease": self._config.lease_seconds}).one()
            room = max(window - rung, 0)
            if not room and not even_if_full:
                return
            rows = connection.execute(
                _NEXT,
                {
                    "queue": lane,
                    "room": room,
                    "share": RINGS_PER_CLIENT,
                    "ageing": AGEING_SECONDS,
                    "patience": PATIENCE_SECONDS,
                },
            ).all()
        if rows:
            crash_point("dispatch.before_ring")
            queue.ring(lane, [(row.client_id, row.id) for row in rows], self._redis)
