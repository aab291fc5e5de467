"""What slots call when a bell rings."""

import logging
import os
import socket
import threading
import time
from contextlib import suppress
from uuid import UUID

from flask import current_app
from sqlalchemy.exc import DBAPIError

from webapp import metrics
from webapp.config import Config
from webapp.crashpoints import crash_point
from webapp.database import db, tenant, transaction
from webapp.engines import is_outage
from webapp.errors import CircuitOpen, DomainError, PermanentError, RetryLater
from webapp.logs import bound
from webapp.work import kinds, services
from webapp.work.lease import HandBack, Heart, Lease
from webapp.work.models import WorkState
from webapp.work.moves import LeaseLost

log = logging.getLogger(__name__)

OUTAGE_PAUSE_SECONDS = 0.5
NO_MEMORY = ("std::bad_alloc", "Insufficient memory")

draining = threading.Event()
"""Set when this process was asked to end."""
_hearts: dict[int, Heart] = {}
_doing: list[int] = []


def owner() -> str:
    """This process, as leases and the list of workers name it."""
    return f"{socket.gethostname()}:{os.getpid()}"


def doing() -> int | None:
    """The work this process has in hand."""
    return _doing[0] if _doing else None


def perform(client_id: UUID, work_id: int) -> None:
    """Claim one piece of work and do it. A bell that is late or doubled finds nothing to claim and is forgotten.

    Never raises for what the work does: its errors end in Postgres. What cannot be written there (the database is
    away) is left to the lease to run out. A bell that rings while the database is away is kept in hand until it is
    back: given up, each would be missed for a lease, and a slot gives up hundreds in a second.
    """
    config: Config = current_app.extensions["lotline_config"]
    try:
        with tenant(client_id):
            lease = _claim(work_id, config)
            if lease is not None:
                claim = lease.claim
                with bound(client_id=client_id, work_id=work_id, **claim.args.get("event", {}), **_run_of(claim)):
                    _do(lease, config)
    except DBAPIError:
        log.exception("database_away")
    finally:
        db.session.remove()


def _claim(work_id: int, config: Config) -> Lease | None:
    """The claim, if need be after an outage of the database. If an earlier try was written after all, but its answer
    was lost, that lease runs out by itself. Facts that cannot be read are left to the work, so that they fail it."""
    with_facts = True
    while True:
        try:
            with transaction() as session:
                claim = services.claim(session, work_id, owner(), config.lease_seconds)
                kind = kinds.find(claim.kind) if claim and with_facts else None
                facts = kinds.resolve(kind.facts)(session, work_id) if kind and kind.facts else None
                crash_point("claim.before_commit")
            crash_point("claim.after_commit")
            return Lease(claim, config.lease_seconds, draining, facts) if claim else None
        except DBAPIError as error:
            if not is_outage(error) and with_facts:
                with_facts = False
                continue
            if not is_outage(error) or draining.is_set():
                raise
            log.warning("bell_waits_for_database", extra={"work_id": work_id, "reason": str(error).splitlines()[0]})
            time.sleep(OUTAGE_PAUSE_SECONDS)


def _do(lease: Lease, config: Config) -> None:
    claim, kind = lease.claim, kinds.find(lease.claim.kind)
    if kind is None:  # made by a newer version, which another worker may run already
        with transaction() as session:
            says = f"this worker does not know how to do {claim.kind!r}"
            services.fail(session, claim, says, cause=f"unknown_kind:{claim.kind}", final=False)
        return
    _doing.append(claim.work_id)
    metrics.WORK_WAIT.labels(claim.activity).observe(claim.waited_seconds)
    began, outcome = time.perf_counter(), "done"
    try:
        if claim.crashes >= services.MAX_CRASHES:
            says = f"crash loop: its worker died {claim.crashes} times while doing this"
            raise PermanentError(says, cause="crash_loop")
        with _heart(config).beating(lease):
            kinds.resolve(kind.perform)(lease)
    except LeaseLost:
        outcome = "lease lost"
        log.info("lease_lost")
    except HandBack:
        outcome = "handed back"
        with suppress(LeaseLost), transaction() as session:  # it may be stopped, or somebody else's, by now
            services.hand_back(session, claim)
    except CircuitOpen as error:
        outcome = "waits for a service"
        _wait_behind(claim, error)
    except (PermanentError, DomainError) as error:
        outcome = "failed"
        _fail(lease, kind, str(error), cause=getattr(error, "cause", ""), final=True)
    except RetryLater as error:
        outcome = "error"
        _fail(lease, kind, str(error), cause=error.cause, after_seconds=error.after_seconds)
    except DBAPIError as error:
        outcome = "error"
        if is_outage(error):
            raise
        log.exception("work_failed_in_database")
        name = type(error.orig).__name__
        _fail(lease, kind, f"the database refused it ({name})", cause=f"database:{name}")
    except Exception as error:
        log.exception("work_failed")
        if _lacked_memory(error):  # it would lack it again
            outcome = "failed"
            says = "it needed more memory than a worker may use"
            _fail(lease, kind, says, cause="out_of_memory", final=True)
            return
        outcome = "error"
        name = type(error).__name__
        _fail(lease, kind, f"unexpected {name}: {error}"[:500], cause=f"unexpected:{name}")
    finally:
        _doing.clear()
        metrics.WORK_RUN.labels(claim.activity).observe(time.perf_counter() - began)
        metrics.WORK_ATTEMPTS.labels(claim.activity, outcome).inc()


def _lacked_memory(error: Exception) -> bool:
    """Libraries in C++ say it in their own words: onnxruntime's inner error, cv2's."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY)


def _run_of(claim: services.Claim) -> dict[str, object]:
    return {"run_id": claim.args["run_id"]} if "run_id" in claim.args else {}


def _wait_behind(claim: services.Claim, error: CircuitOpen) -> None:
    try:
        with transaction() as session:
            services.wait_behind(session, claim, error.circuit, str(error), at_most_seconds=error.at_most_seconds)
    except LeaseLost:
        log.info("lease_lost")


def _fail(
    lease: Lease,
    kind: kinds.Kind,
    reason: str,
    *,
    cause: str = "",
    after_seconds: float | None = None,
    final: bool = False,
) -> None:
    reason = reason.replace("\x00", "")
    try:
        with transaction() as session:
            moved = services.fail(session, lease.claim, reason, cause=cause, after_seconds=after_seconds, final=final)
            if moved.state is WorkState.FAILED:
                kinds.resolve(kind.failed)(session, moved)
    except LeaseLost:
        log.info("lease_lost")


def _heart(config: Config) -> Heart:
    """This process' heart; made on first use, and anew after a fork, which threads do not survive."""
    pid = os.getpid()
    if pid not in _hearts:
        _hearts[pid] = Heart(current_app._get_current_object(), config.beat_seconds)  # type: ignore[attr-defined]
    return _hearts[pid]
