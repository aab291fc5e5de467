"""Calls to somebody else's service: the intent is committed before, the answer after, so that none is paid twice.

Each call has a row in `steps`, named by its work and a key. Whoever does the work again finds there that the call was
answered (then it is not made), or that it was meant to be made and nobody knows more. What then happens is for the
call itself to say: see `Repeat`.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar, cast

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from webapp.crashpoints import crash_point
from webapp.database import db, transaction
from webapp.errors import OutcomeUnknown, ProviderDown, WorkError
from webapp.work import askers, circuits
from webapp.work.circuits import Admission, Circuit
from webapp.work.moves import LeaseLost
from webapp.work.services import Claim

log = logging.getLogger(__name__)

MEMO_BYTES = 64 * 1024
Answer = TypeVar("Answer")


class Repeat(StrEnum):
    """What may be done when nobody knows whether a call was made."""

    SAFE = "safe"
    """It changes nothing over there (a read): make it again."""
    IDEMPOTENT = "idempotent"
    """The other side knows the idempotency key: make it again, it counts once."""
    ONCE = "once"
    """Never again blindly: whoever may still be about to make it is ended, then it is looked up; where either is not
    possible, a person decides."""


class _Step(NamedTuple):
    idempotency_key: str
    is_new: bool
    asked_by: str
    output: dict[str, Any] | None = None


_ELSEWHERE = "its worker, on another machine, may still be about to make it"
_FENCE = text("""
    SELECT 1 FROM work WHERE id = :work_id AND state = 'running' AND epoch = :epoch AND lease_token = :token
    FOR SHARE
""")
_FIND = text("SELECT intent, idempotency_key, asked_by, output FROM steps WHERE work_id = :work_id AND key = :key")
_INTEND = text("""
    INSERT INTO steps (client_id, work_id, key, intent, asked_by)
    VALUES (:client_id, :work_id, :key, CAST(:intent AS jsonb), :asked_by) RETURNING idempotency_key
""")
_TAKE_OVER = text("UPDATE steps SET asked_by = :asked_by WHERE work_id = :work_id AND key = :key")
_LET_GO = text("""
    UPDATE steps SET asked_by = :nobody
    WHERE work_id = :work_id AND key = :key AND asked_by = :asked_by AND answered_at IS NULL
""")
_ANSWER = text("""
    UPDATE steps SET output = CAST(:output AS jsonb), answered_at = clock_timestamp()
    WHERE work_id = :work_id AND key = :key AND answered_at IS NULL
""")
_WITHDRAW = text("DELETE FROM steps WHERE work_id = :work_id AND key = :key AND answered_at IS NULL")


def call(
    claim: Claim,
    key: str,
    intent: dict[str, Any],
    do: Callable[[str], Answer],
    *,
    repeat: Repeat,
    look_up: Callable[[str], Answer | None] | None = None,
    keep: Callable[[Session, Answer], dict[str, Any]] | None = None,
    circuit: Circuit | None = None,
) -> dict[str, Any]:
    """Make a call once, however often the work is done again, and return what is remembered of its answer.

    `key`: names the call within the work. `intent`: what is asked, as JSON, for people and for `look_up`.
    `do(idempotency_key)`: makes the call, with no transaction open; an error with `not_done` says that it surely did
    not happen. `look_up(idempotency_key)`: what became of an earlier call, or None if the other side has never heard
    of it; it raises where it cannot tell yet. `keep(session, answer)`: writes what follows from the answer in the same
    transaction as the memo, and returns the memo; without it the answer is the memo. `circuit`: the service's.

    Raises:
        LeaseLost: the work belongs to somebody else; nothing of the answer was written.
        CircuitOpen: the service is away; this call was not made, or is what showed it.
        OutcomeUnknown: the call may have happened, must not be repeated, and cannot be looked up.
        WorkError: what `do` raised.
    """
    if db.session().in_transaction():
        raise RuntimeError("a transaction is open: it would stay so for as long as the call takes")
    with transaction() as session:
        _require_lease(session, claim)
        step = _find(session, claim, key, intent)
        if step is not None and step.output is not None:
            return step.output
        is_lost = step is not None and repeat is Repeat.ONCE and look_up is None
        admission = circuits.admit(session, circuit) if circuit and not is_lost else Admission()
        step = step or _intend(session, claim, key, intent)
    if is_lost:  # whoever it was must not make it after a person has looked
        raise _unknown(key, "its worker ended meanwhile" if askers.end(step.asked_by) else _ELSEWHERE)
    crash_point("call.after_intent")
    with _until_it_is_over(claim, key):
        # Only a call that counts each time is worth a question what became of it; without `look_up` it never gets here.
        must_look = look_up is not None and repeat is Repeat.ONCE and not step.is_new
        alone = not must_look or _take_over(claim, key, step)
        asking = False
        try:
            answer = look_up(step.idempotency_key) if look_up and must_look else None
            if answer is None and not alone:
                raise _unknown(key, _ELSEWHERE)
            asking = answer is None
            if answer is None:
                answer = do(step.idempotency_key)
        except WorkError as error:
            not_done = asking and error.not_done
            away = _note_error(claim, key, circuit, admission, error, withdraw=not_done and repeat is Repeat.ONCE)
            if repeat is Repeat.ONCE and look_up is None and not not_done:
                raise _unknown(key, str(error)) from error
            if away and circuit:
                raise circuits.is_away(circuit) from error
            raise
        crash_point("call.after_call")
        with transaction() as session:
            _require_lease(session, claim)
            memo = keep(session, answer) if keep else cast(dict[str, Any], answer)
            session.execute(_ANSWER, {"work_id": claim.work_id, "key": key, "output": _encoded(memo)})
            if circuit:
                circuits.succeeded(session, circuit, admission)
        crash_point("call.after_memo")
        return memo


@contextmanager
def _until_it_is_over(claim: Claim, key: str) -> Iterator[None]:
    """An error leaves the call open, and this process, which does other work next, is not to be ended for it."""
    try:
        yield
    except BaseException:
        values = {"work_id": claim.work_id, "key": key, "asked_by": askers.this_process(), "nobody": askers.NOBODY}
        try:
            with transaction() as session:
                session.execute(_LET_GO, values)
        except DBAPIError:
            log.warning("call_not_let_go", extra={"work": claim.work_id})
        raise


def call_again(session: Session, work_id: int) -> int:
    """A person made sure that the calls of this work whose outcome is unknown did not happen: they may be made anew,
    under new idempotency keys. Returns how many there were."""
    forgotten = session.execute(text("DELETE FROM steps WHERE work_id = :id AND answered_at IS NULL"), {"id": work_id})
    return int(forgotten.rowcount)  # type: ignore[attr-defined]


def settle(session: Session, work_id: int, key: str, memo: dict[str, Any]) -> bool:
    """A person made sure that a call did happen, and what its answer was. False: it was answered already."""
    values = {"work_id": work_id, "key": key, "output": _encoded(memo)}
    return bool(session.execute(_ANSWER, values).rowcount)  # type: ignore[attr-defined]


def _require_lease(session: Session, claim: Claim) -> None:
    """Nothing is intended or remembered by somebody whose lease is gone; it stays ours until this commits."""
    values = {"work_id": claim.work_id, "epoch": claim.fence.epoch, "token": claim.fence.token}
    if session.execute(_FENCE, values).one_or_none() is None:
        raise LeaseLost(f"work {claim.work_id} belongs to somebody else")


def _find(session: Session, claim: Claim, key: str, intent: dict[str, Any]) -> _Step | None:
    row = session.execute(_FIND, {"work_id": claim.work_id, "key": key}).one_or_none()
    if row is None:
        return None
    if row.intent != json.loads(json.dumps(intent)):
        raise ValueError(f"the key {key!r} names two different calls of one piece of work")
    return _Step(str(row.idempotency_key), is_new=False, asked_by=row.asked_by, output=row.output)


def _intend(session: Session, claim: Claim, key: str, intent: dict[str, Any]) -> _Step:
    asker = askers.this_process()
    values = {"client_id": claim.client_id, "work_id": claim.work_id, "key": key, "intent": json.dumps(intent)}
    made = session.execute(_INTEND, {**values, "asked_by": asker}).scalar_one()
    return _Step(str(made), is_new=True, asked_by=asker)


def _take_over(claim: Claim, key: str, step: _Step) -> bool:
    """Make sure that nobody but us is about to make this call. False: that cannot be told from here."""
    if not askers.end(step.asked_by):
        return False
    with transaction() as session:
        _require_lease(session, claim)
        values = {"work_id": claim.work_id, "key": key, "asked_by": askers.this_process()}
        session.execute(_TAKE_OVER, values)
    return True


def _unknown(key: str, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"nobody knows whether “{key}” happened ({why}); it is not repeated until a person has looked",
        cause=f"outcome_unknown:{key}",
    )


def _note_error(
    claim: Claim, key: str, circuit: Circuit | None, admission: Admission, error: WorkError, *, withdraw: bool
) -> bool:
    """Count an error for or against the circuit, and take the intent back where the call surely did not happen.
    Whether the circuit is open now: then this is not the work's failure."""
    with transaction() as session:
        _require_lease(session, claim)
        if withdraw:
            session.execute(_WITHDRAW, {"work_id": claim.work_id, "key": key})
        if circuit and isinstance(error, ProviderDown):
            return circuits.failed(session, circuit, admission, str(error), error.after_seconds)
        if circuit:
            circuits.succeeded(session, circuit, admission)  # it refused, so it is there
    return False


def _encoded(memo: object) -> str:
    encoded = json.dumps(memo)
    if len(encoded) > MEMO_BYTES:
        raise ValueError("the memo of a call is too long: keep the answer elsewhere and remember where")
    return encoded
