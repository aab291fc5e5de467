"""Is all well? The state in one sentence; where it is not, what is wrong and what to do."""

from datetime import datetime
from typing import NamedTuple

from webapp.watching.state import State
from webapp.words import _, counted

LATE_SECONDS = 120
"""Work that could start for so long, and is not paused, is called late."""


class Reason(NamedTuple):
    """Why not all is well. `level`: `bad` (work stands still), `ask` (somebody should know). `todo`: what to do."""

    level: str
    says: str
    todo: str


def reasons(state: State) -> list[Reason]:
    """The reasons, the worst first; none: all is well."""
    return sorted([*_processes(state), *_waiting(state), *_outside(state)], key=lambda reason: reason.level != "bad")


def _processes(state: State) -> list[Reason]:
    found = []
    if all(worker.is_silent for worker in state.dispatchers):
        says = _("No dispatcher is alive: what waits is not handed out.")
        found.append(Reason("bad", says, _("Start Lotline's workers again (make run, or python worker.py).")))
    for lane in state.lanes:
        if lane.ready and not lane.slots:
            says = _("Work waits in the %(lane)s queue, and no slot serves it.", lane=lane.name)
            found.append(Reason("bad", says, _("Let a drained slot work again, or start one that serves this queue.")))
    silent = sum(worker.is_silent for worker in state.slots)
    if silent:
        says = counted("1 slot does not answer.", "%(num)s slots do not answer.", silent)
        todo = _("Its work starts again elsewhere by itself. If it does not come back, look into its log.")
        found.append(Reason("ask", says, todo))
    drained = sum(worker.drain_at is not None for worker in state.slots)
    if drained:
        says = counted("1 slot is drained and takes no work.", "%(num)s slots are drained and take no work.", drained)
        found.append(Reason("ask", says, _("Let it work again when you are done.")))
    return found


def _waiting(state: State) -> list[Reason]:
    found = []
    for lane in state.lanes:
        waited = _seconds(state.now, lane.oldest_at) if lane.oldest_at else 0
        if waited > LATE_SECONDS and lane.slots:
            one = "Work waits for 1 minute in the %(lane)s queue."
            many = "Work waits for %(num)s minutes in the %(lane)s queue."
            says = counted(one, many, round(waited / 60), lane=lane.name)
            todo = _("It goes on by itself. If this is so every day, give Lotline more slots.")
            found.append(Reason("ask", says, todo))
    held = [worker.work for worker in state.workers if worker.work]
    late = sum(work.lease_seconds < 0 for work in [*held, *state.orphans])
    if late:
        one, many = "1 lease has run out.", "%(num)s leases have run out."
        found.append(Reason("ask", counted(one, many, late), _("The work starts again by itself within seconds.")))
    return found


def _outside(state: State) -> list[Reason]:
    todo = _("What needs it waits and goes on by itself when it is back.")
    found = [
        Reason("ask", _("%(service)s does not answer.", service=circuit.label), todo) for circuit in state.circuits
    ]
    if state.pauses:
        one, many = "1 thing is paused.", "%(num)s things are paused."
        todo = _("Resume it below when the reason is gone.")
        found.append(Reason("ask", counted(one, many, len(state.pauses)), todo))
    return found


def _seconds(now: datetime, since: datetime) -> float:
    return (now - since).total_seconds()
