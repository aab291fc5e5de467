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
from dataclasses import dataclass
from uuid import UUID

from flask import Flask
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from webapp import metrics, queue, storage
from webapp.config import Config
from webapp.crashpoints import crash_point
from webapp.engines import system_engine
from webapp.statements import Statement
from webapp.work import circuits, registry
from webapp.work.dealing import WINDOWS, Dealer, Lane
from webapp.work.events import NewEvent, append
from webapp.work.models import Level, WorkState
from webapp.work.moves import IllegalMove, Moved, level_of, move

log = logging.getLogger(__name__)

ROUND_SECONDS = 0.1
SEEN_EVERY_SECONDS = 2.0
RERING_EVERY_SECONDS = 1.0
SWEEP_EVERY_SECONDS = 3600.0
INSIST_SECONDS = 30.0
"""How long interrupted work is rung for again and again: what lies longer is paused, or has no slot at all."""
BATCH = 100
EPOCH_KEY = "lotline:epoch"

_EXPIRED = Statement("""
    SELECT id FROM work WHERE state = 'running' AND lease_until < clock_timestamp()
    ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED
""")
_DUE = Statement("""
    SELECT id FROM work WHERE state = 'waiting' AND run_at <= clock_timestamp()
    ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED
""")
_FORGET_BELLS = text(
    "UPDATE work SET dispatched_at = NULL WHERE state = 'ready' AND queue = :queue AND dispatched_at < :before"
)
_INTERRUPTED = Statement("""
    SELECT id, client_id, queue FROM work WHERE state = 'ready' AND crashes > 0 ORDER BY id LIMIT 1000
""")
_RUNG = Statement("""
    SELECT count(*), count(*) FILTER (WHERE dispatched_at < clock_timestamp() - make_interval(secs => :lease))
    FROM (SELECT dispatched_at FROM work
          WHERE state = 'ready' AND queue = :queue AND dispatched_at IS NOT NULL LIMIT 1000) AS rung
""")


@dataclass
class Interrupted:
    """Work that lost its worker: the lane beside its own, its bell, whether that is still to be rung, and until when
    (monotonic) it is rung again should it be lost."""

    lane: str
    bell: tuple[UUID, int]
    good_until: float
    is_due: bool = True


class Dispatcher:
    """One copy. `round()` does everything once; `run()` repeats it until told to stop."""

    def __init__(self, app: Flask, *, redis: "Redis | None" = None) -> None:
        self._config: Config = app.extensions["lotline_config"]
        with app.app_context():
            self._engine: Engine = system_engine()
        self._redis = redis or queue.connect(self._config.redis_url)
        self._dealer = Dealer(self._redis)
        self._epoch: bytes | None = None
        self._hears_redis = True
        self._interrupted: dict[int, Interrupted] = {}
        """By the work's id. Every dispatcher knows of all of it: the one that took it back may be lost next."""
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
            self._rest(pause)
        try:
            with self._engine.begin() as connection:
                registry.sign_off(connection, self._name)
        except SQLAlchemyError as error:
            log.warning("dispatcher_sign_off_failed", extra={"reason": str(error).splitlines()[0]})

    def _rest(self, seconds: float) -> None:
        """Until the next round; a slot that comes free after long work wakes us. Never stop.wait(): a signal handler
        that sets it could find its lock taken."""
        if not queue.rest(seconds, self._redis):
            time.sleep(seconds)

    def _sweep(self) -> None:
        """Once in a while: half-written photos, and figures, that dead processes left behind."""
        now = time.monotonic()
        if now - self._swept_at >= SWEEP_EVERY_SECONDS:
            self._swept_at = now
            with self._app.app_context():
                storage.sweep()
            metrics.sweep()

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
        if self._hears_redis and (self._interrupted or thorough):
            self._ring_for_interrupted(look_again=thorough)
        if thorough:
            self._let_through()
            for name in WINDOWS:
                self._rering(name)
            self._rerung_at = now
        if not self._hears_redis:
            return
        for lane in self._dealer.lanes:
            self._deal(lane, even_if_full=thorough)

    def _take(self, which: Statement, handle: Callable[[Connection, int], "tuple[Moved, int]"]) -> None:
        """Handle the rows one transaction each, so that a stream's lock is held for one event only."""
        while True:
            with self._engine.begin() as connection:
                found = which.one_or_none(connection, {"batch": 1})
                if found is None:
                    return
                moved, seq = handle(connection, found.id)
                crash_point("reap.before_commit")
            crash_point("reap.after_commit")
            if which is _EXPIRED:
                good_until = time.monotonic() + INSIST_SECONDS
                self._interrupted[moved.id] = Interrupted(
                    queue.front(moved.queue), (moved.client_id, moved.id), good_until
                )
            queue.publish([_news(moved, seq)], self._redis)

    def _let_through(self) -> None:
        """What waited behind a circuit goes on where that lets it: one to probe, or a few at a time."""
        with self._engine.begin() as connection:
            waiting = circuits.let_through(connection)
        for work_id in waiting:
            with suppress(IllegalMove):  # it may have moved meanwhile
                with self._engine.begin() as connection:
                    moved, seq = self._wake(connection, work_id)
                queue.publish([_news(moved, seq)], self._redis)

    def _reap(self, connection: Connection, work_id: int) -> "tuple[Moved, int]":
        return self._ready(
            connection,
            work_id,
            WorkState.RUNNING,
            also="crashes = crashes + 1",
            says="stopped answering; it is started again",
            level=Level.WARNING,
        )

    def _wake(self, connection: Connection, work_id: int) -> "tuple[Moved, int]":
        return self._ready(connection, work_id, WorkState.WAITING, also="", says="is tried again", level=None)

    def _ready(
        self, connection: Connection, work_id: int, only_from: WorkState, *, also: str, says: str, level: Level | None
    ) -> "tuple[Moved, int]":
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
        return moved, append(connection, moved.stream_id, [event])

    def _ring_for_interrupted(self, *, look_again: bool) -> None:
        """What lost its worker is rung for at once, and heard before all else; and again when it lies there although no
        bell of its kind hangs: who took it was lost as well. These bells are more than are counted: a slot that comes
        late to one finds nothing to do, and the work is dealt out as any other besides."""
        if look_again:
            self._look_again()
        due: dict[str, list[tuple[UUID, int]]] = {}
        for entry in self._interrupted.values():
            if entry.is_due:
                due.setdefault(entry.lane, []).append(entry.bell)
        if due and queue.signal(due, [], self._redis):
            for entry in self._interrupted.values():
                entry.is_due = False

    def _look_again(self) -> None:
        now, known = time.monotonic(), self._interrupted
        with self._engine.begin() as connection:
            rows = _INTERRUPTED.execute(connection, {})
        self._interrupted = {
            row.id: known.get(row.id)
            or Interrupted(queue.front(row.queue), (row.client_id, row.id), now + INSIST_SECONDS, is_due=False)
            for row in rows
        }
        if not rows:
            return
        try:
            hanging = {lane: queue.bells(lane, self._redis).count for lane in map(queue.front, WINDOWS)}
        except RedisError:
            return
        for entry in self._interrupted.values():
            entry.is_due = now < entry.good_until and (entry.is_due or not hanging.get(entry.lane, 1))

    def _notice_lost_bells(self) -> None:
        """Redis lost its memory: its epoch key changed or vanished. Every ready row's bell counts as not rung; so it
        does when Redis answers again after a silence, since nobody knows which bells it took.

        The key is set anew only after that: a dispatcher that dies in between leaves it to the next one.
        """
        try:
            found = self._redis.get(EPOCH_KEY)
            if found is None:
                self._forget_bells()
                fresh = secrets.token_hex(8).encode()
                self._redis.set(EPOCH_KEY, fresh, nx=True)
                found = self._redis.get(EPOCH_KEY) or fresh
            elif not self._hears_redis or (self._epoch is not None and found != self._epoch):
                self._forget_bells()
        except RedisError:
            self._hears_redis = False
            return
        self._hears_redis = True
        self._epoch = found if isinstance(found, bytes) else bytes(str(found), "ascii")

    def _forget_bells(self) -> None:
        # A dispatcher that has just started meets an empty Redis whenever both started together.
        (log.info if self._epoch is None else log.warning)("redis_may_have_lost_bells")
        with self._engine.begin() as connection:
            for lane in WINDOWS:
                connection.execute(_FORGET_BELLS, {"queue": lane, "before": "infinity"})

    def _rering(self, lane: str) -> None:
        """Bells older than a lease whose message is no longer in Redis were lost on the way: ring them again."""
        with self._engine.begin() as connection:
            rung, old = _RUNG.execute(connection, {"queue": lane, "lease": self._config.lease_seconds})[0]
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

    def _deal(self, lane: Lane, *, even_if_full: bool) -> None:
        with self._engine.begin() as connection:
            bells = self._dealer.deal(connection, lane, even_if_full=even_if_full)
        if bells:
            crash_point("dispatch.before_ring")
            queue.ring(lane.name, bells, self._redis)


def _news(moved: Moved, seq: int) -> dict[str, object]:
    return {"client": str(moved.client_id), "stream": moved.stream_id, "seq": seq}
