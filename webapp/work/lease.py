"""A worker's hold on one piece of work while it does it: reporting, beating, and letting go when told to."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from webapp.database import db, reading, tenant, transaction
from webapp.work import calls, services
from webapp.work.calls import Answer, Repeat
from webapp.work.circuits import Circuit
from webapp.work.moves import LeaseLost
from webapp.work.services import Claim

log = logging.getLogger(__name__)

QUIET_SECONDS = 0.25
"""Reports of the same step that follow each other faster than this are dropped."""
GRACE_SECONDS = 2.0
"""How long code that does not report may go on after its lease is lost, before the process ends itself."""
EXIT_LEASE_LOST = 70
LOOK_SECONDS = 0.25
HAND_BACK_SECONDS = 1.0
"""How long code that does not report may go on when its worker is to end; half of what the worker is given."""


class HandBack(Exception):
    """The worker was asked to shut down: the work goes back to the queue."""


class Lease:
    """What a task gets: the claim, and the means to report. Not thread-safe, except `lost` and `draining`."""

    def __init__(
        self, claim: Claim, lease_seconds: float, draining: threading.Event, facts: object | None = None
    ) -> None:
        self.claim = claim
        self.facts = facts
        """What the work's kind wants to know at its beginning, read with the claim; None: not read."""
        self.lease_seconds = lease_seconds
        self.draining = draining
        self.lost = threading.Event()
        self._step: str | None = None
        self._reported_at = float("-inf")

    def report(self, percent: float, step: str) -> None:
        """Tell the screens how far the work is and what it does; `phases.facts.Report` in shape.

        Raises:
            LeaseLost: the work was stopped or belongs to somebody else.
            HandBack: the worker is shutting down.
        """
        self._require()
        now, loud = time.monotonic(), step != self._step
        if not loud and now - self._reported_at < QUIET_SECONDS:
            return
        self._step, self._reported_at = step, now
        with transaction() as session:
            services.report(session, self.claim, percent, step, self.lease_seconds, loud=loud)

    def call(
        self,
        key: str,
        intent: dict[str, Any],
        do: Callable[[str], Answer],
        *,
        repeat: Repeat,
        look_up: Callable[[str], Answer | None] | None = None,
        keep: Callable[[Session, Answer], dict[str, Any]] | None = None,
        circuit: Circuit | None = None,
    ) -> dict[str, Any]:
        """Call somebody else's service, once however often this work is done: see `webapp.work.calls.call`."""
        self._require()
        return calls.call(self.claim, key, intent, do, repeat=repeat, look_up=look_up, keep=keep, circuit=circuit)

    def waited_seconds(self) -> float:
        """How long this work has been waiting behind circuits; 0 when it has not."""
        with reading() as session:
            return services.waited_seconds(session, self.claim)

    def _require(self) -> None:
        if self.lost.is_set():
            raise LeaseLost(f"work {self.claim.work_id} was taken away")
        if self.draining.is_set():
            raise HandBack


_BEAT = text("""
    UPDATE work SET lease_until = clock_timestamp() + make_interval(secs => :lease)
    WHERE id = :id AND state = 'running' AND epoch = :epoch AND lease_token = :token
      AND deadline_at > clock_timestamp()
""")
_CONTEXT = text("SELECT set_config('app.client_id', :client_id, true)")


class Heart:
    """One thread per slot process that lengthens the lease of what the slot does.

    When the lease is lost, the work was stopped or its deadline passed, the task learns of it at its next report; a
    task that does not report within the grace time takes the process down with it, so that it can do no harm.
    """

    def __init__(self, app: Flask, beat_seconds: float) -> None:
        self._app = app
        self._beat_seconds = beat_seconds
        self._lease: Lease | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)
        self._thread.start()

    @contextmanager
    def beating(self, lease: Lease) -> Iterator[None]:
        """Beat for this lease until the block ends."""
        with self._changed:
            self._lease = lease
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._lease = None
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                lease = self._lease
                if lease is None:
                    self._changed.wait()
                    continue
                good_until = time.monotonic() + lease.lease_seconds
            self._keep(lease, good_until)

    def _keep(self, lease: Lease, good_until: float) -> None:
        beat_at = time.monotonic() + self._beat_seconds
        drained_at: float | None = None
        while self._still(lease, LOOK_SECONDS):
            started = time.monotonic()
            if lease.draining.is_set():
                drained_at = drained_at or started
                if started - drained_at > HAND_BACK_SECONDS:
                    self._hand_back(lease)
            if started < beat_at:
                continue
            beat_at = started + self._beat_seconds
            alive = self._beat(lease)
            if alive:
                good_until = started + lease.lease_seconds
            elif alive is False or time.monotonic() > good_until:
                lease.lost.set()
                if self._still(lease, GRACE_SECONDS):
                    log.error("lease_lost_ending_process", extra={"work_id": lease.claim.work_id})
                    os._exit(EXIT_LEASE_LOST)
                return

    def _hand_back(self, lease: Lease) -> None:
        """The process is to end, and its task does not report: give the work back for it, and end."""
        claim = lease.claim
        try:
            with self._app.app_context(), tenant(claim.client_id), transaction() as session:
                services.hand_back(session, claim)
        except (LeaseLost, SQLAlchemyError) as error:
            log.warning("not_handed_back", extra={"work_id": claim.work_id, "reason": str(error)})
        os._exit(0)

    def _still(self, lease: Lease, seconds: float) -> bool:
        """Wait; whether the slot is still doing this after it."""
        with self._changed:
            self._changed.wait_for(lambda: self._lease is not lease, timeout=seconds)
            return self._lease is lease

    def _beat(self, lease: Lease) -> bool | None:
        """True: the lease is longer. False: it is not ours any more. None: the database did not answer."""
        claim = lease.claim
        try:
            with self._app.app_context(), db.engine.begin() as connection:
                connection.execute(_CONTEXT, {"client_id": str(claim.client_id)})
                beaten = connection.execute(
                    _BEAT,
                    {
                        "lease": lease.lease_seconds,
                        "id": claim.work_id,
                        "epoch": claim.fence.epoch,
                        "token": claim.fence.token,
                    },
                )
                return bool(beaten.rowcount)
        except SQLAlchemyError as error:
            log.warning("heartbeat_failed", extra={"work_id": claim.work_id, "reason": str(error)})
            return None
