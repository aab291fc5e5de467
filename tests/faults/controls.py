"""Negative controls: with a wall taken down, what the invariants look at must break; with all walls up it must not.

Each round is aimed: it brings about the one situation that the wall is there for.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask

from tests import factories
from tests.conftest import EMPTY
from tests.faults import invariants, phases
from tests.faults.ordeal import say, start_runs, until
from tests.faults.sight import Sight
from tests.faults.stack import Stack, dispatcher, slot
from webapp import queue
from webapp.work.dispatcher import EPOCH_KEY

PATIENCE_SECONDS = 90
UNFINISHED = ("nothing is left ready, running or due",)
Broken = dict[str, list[Any]]


@dataclass
class Round:
    """A small installation with the wall `control` taken down, and what can be done to it."""

    stack: Stack
    sight: Sight
    control: str
    lease: float

    def slot(self, name: str, *lanes: str) -> None:
        """Start a slot, and wait until it is seen."""
        known = self._slots()
        self.stack.add([slot(name, *lanes, module=("tests.faults.sabotaged", self.control, "slot"))])
        until(lambda: self._slots() > known, PATIENCE_SECONDS, f"{name} did not start")

    def dispatcher(self) -> None:
        """Start the dispatcher."""
        self.stack.add([dispatcher("dispatcher", ("-m", "tests.faults.sabotaged", self.control, "dispatcher"))])

    def dispatcher_has_seen_redis(self) -> bool:
        """Whether the dispatcher has left its mark in Redis."""
        return bool(queue.connect(self.stack.redis.url).exists(EPOCH_KEY))

    def in_hand(self, name: str) -> bool:
        """Whether that slot is in the middle of a phase."""
        pid = self.stack.pid(name)
        ours = self.sight.rows("SELECT lease_owner FROM work WHERE state = 'running' AND progress >= 10")
        return any(owner.endswith(f":{pid}") for (owner,) in ours)

    def signal(self, name: str, number: int) -> None:
        """Freeze a process, or let it go on."""
        pid = self.stack.pid(name)
        assert pid is not None
        os.kill(pid, number)

    def first_phase_is_done(self) -> bool:
        """Whether the first phase of the only run is over."""
        state = self.sight.one("SELECT w.state FROM work w JOIN phases p ON p.work_id = w.id WHERE p.number = 1")
        return bool(state == "done")

    def _slots(self) -> int:
        return int(self.sight.one("SELECT count(*) FROM workers WHERE kind = 'slot'"))


def wake_a_frozen_slot(here: Round) -> Broken:
    """A slot freezes in the middle of a phase, another takes the phase over; the first wakes up and wants to finish."""
    _overtake(here, restore=False)
    return invariants.broken(here.sight.connection(), but=UNFINISHED)


def wake_a_slot_from_before_a_restore(here: Round) -> Broken:
    """The same, but in between the database went back to before the claim, as it does when a backup is restored or a
    replica that lagged takes over: so both slots have been given the same epoch."""
    _overtake(here, restore=True)
    return invariants.broken(here.sight.connection(), but=UNFINISHED)


def _overtake(here: Round, *, restore: bool) -> None:
    here.slot("slot-a", "heavy")
    if not restore:
        here.dispatcher()
    _start(here, 1)
    until(lambda: here.in_hand("slot-a"), PATIENCE_SECONDS, "the first slot got nothing to do")
    here.signal("slot-a", signal.SIGSTOP)
    if restore:
        _go_back_to_before_the_claim(here.sight)
        here.dispatcher()
    here.slot("slot-b", "heavy")
    until(lambda: here.in_hand("slot-b"), PATIENCE_SECONDS, "the second slot did not take over")
    here.signal("slot-a", signal.SIGCONT)
    until(here.first_phase_is_done, PATIENCE_SECONDS, "the phase was not done")


def _go_back_to_before_the_claim(sight: Sight) -> None:
    sight.rows(
        "WITH back AS (UPDATE work SET state = 'ready', epoch = 0, attempts = 0, progress = 0, message = '',"
        " lease_token = NULL, lease_owner = NULL, lease_until = NULL, deadline_at = NULL, started_at = NULL,"
        " dispatched_at = NULL WHERE state = 'running' RETURNING stream_id)"
        ", gone AS (DELETE FROM events USING back WHERE events.stream_id = back.stream_id AND seq > 1)"
        " UPDATE streams SET seq = 1 FROM back WHERE streams.id = back.stream_id"
    )


def hand_over_between_idle_slots(here: Round) -> Broken:
    """Two slots, one run: each phase's bell is answered at once by the slot that is idle."""
    here.slot("slot-a", "heavy", "light")
    here.slot("slot-b", "light", "heavy")
    here.dispatcher()
    _start(here, 1)
    return _promptly(here, lambda: here.sight.one("SELECT count(*) FROM runs WHERE state = 'completed'") == 1)


def wipe_redis_while_bells_hang(here: Round) -> Broken:
    """Redis loses its memory while bells hang in it, since the only slot is busy and the dispatcher looks away."""
    here.slot("slot-a", "heavy")
    here.dispatcher()
    until(here.dispatcher_has_seen_redis, PATIENCE_SECONDS, "the dispatcher did not start")
    here.signal("dispatcher", signal.SIGSTOP)
    _start(here, 4)
    until(lambda: here.in_hand("slot-a"), PATIENCE_SECONDS, "the slot got nothing to do")
    queue.connect(here.stack.redis.url).flushall()
    here.signal("dispatcher", signal.SIGCONT)
    done = "SELECT count(*) FROM work w JOIN phases p ON p.work_id = w.id WHERE p.number = 1 AND w.state = 'done'"
    return _promptly(here, lambda: here.sight.one(done) == 4)


def _promptly(here: Round, done: Callable[[], bool]) -> Broken:
    """Wait until it is done; what started late, although a slot was idle, is broken."""
    until(done, PATIENCE_SECONDS, "it did not come to its end")
    late = invariants.late(here.sight.connection(), here.lease / 2)
    found = invariants.broken(here.sight.connection(), but=UNFINISHED)
    return {**found, invariants.PROMPT: late} if late else found


def _start(here: Round, many: int) -> None:
    start_runs(factories.make_client(), many)


ROUNDS: dict[str, Callable[[Round], Broken]] = {
    "no_fence": wake_a_frozen_slot,
    "no_token": wake_a_slot_from_before_a_restore,
    "ring_before_commit": hand_over_between_idle_slots,
    "forget_nothing": wipe_redis_while_bells_hang,
}
LEASES = {
    "no_fence": ("2,2,0,0,0", 2.0),
    "no_token": ("2,2,0,0,0", 2.0),
    "ring_before_commit": ("0.02,0.02,0,0,0", 6.0),
    "forget_nothing": ("0.5,0.5,0,0,0", 6.0),
}
"""How long an empty phase takes in a round, and how long a lease is."""


def all_caught(stack: Stack, app: Flask) -> dict[str, bool]:
    """Each control: whether its sabotage was seen, and nothing was seen without it."""
    caught = {}
    for control in ROUNDS:
        sound, broken = play(stack, control, "nothing"), play(stack, control, control)
        caught[control] = not sound and bool(broken)
        seen = "; ".join(f"{name}: {rows[0]}" for name, rows in broken.items()) or "NOT CAUGHT"
        say(f"control {control}: {seen}" + (f" - BROKEN WITHOUT IT: {sound}" if sound else ""))
    return caught


def play(stack: Stack, name: str, sabotage: str) -> Broken:
    """The round of a control on an empty database, with that sabotage; what was broken."""
    sight = Sight(stack.postgres.url)
    sight.rows(EMPTY)
    queue.connect(stack.redis.url).flushall()
    toil, lease = LEASES[name]
    stack.env |= {
        phases.VARIABLE: toil,
        "LOTLINE_LEASE_SECONDS": str(lease),
        "LOTLINE_BEAT_SECONDS": str(lease / 4),
    }
    before = set(stack.programs)
    here = Round(stack, sight, sabotage, lease)
    try:
        return ROUNDS[name](here)
    finally:
        stack.remove(*(set(stack.programs) - before))
        sight.close()
