"""Circuits: what all processes together know of services that are not ours, so that one that is away is left alone.

A row per service, changed by conditional UPDATEs: Postgres decides. A circuit opens after a few failures in a row, or
at once when the service asks to be left alone. Then nobody calls; work waits behind it. When its time has come, exactly
one call probes; its success closes the circuit, and the dispatcher lets the waiting work through a few at a time.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from webapp.errors import CircuitOpen
from webapp.work.models import CircuitState

log = logging.getLogger(__name__)

WINDOW_PER_CLIENT = 16
"""How much of a client's work that waited is on its way at once after a circuit closed."""


@dataclass(frozen=True)
class Circuit:
    """A service and how patient we are with it. `label`: what people call it, as a sentence begins with it."""

    name: str
    label: str
    threshold: int = 3
    """Failures in a row that open it. Not above a piece of work's attempts: an outage must not use those up."""
    first_probe_seconds: float = 5.0
    """When it is tried after it opened; twice as long after each probe that failed."""
    longest_probe_seconds: float = 300.0
    call_seconds: float = 60.0
    """How long a call takes at most: a prober silent for longer is taken for dead."""


@dataclass(frozen=True)
class Admission:
    """Leave to make one call. `probe`: the token of the one call that tries a circuit; `shaky`: failures before it."""

    probe: UUID | None = None
    shaky: bool = False


_LOOK = text("SELECT state, failures FROM circuits WHERE name = :name")
_PROBE = text("""
    UPDATE circuits SET state = 'half_open', probe_token = gen_random_uuid(),
           probe_until = clock_timestamp() + make_interval(secs => :call_seconds)
    WHERE name = :name AND ((state = 'open' AND next_probe_at <= clock_timestamp())
                            OR (state = 'half_open' AND probe_until <= clock_timestamp()))
    RETURNING probe_token
""")
_CLOSE = text("""
    UPDATE circuits SET state = 'closed', failures = 0, probes = 0, reason = '', opened_at = NULL, next_probe_at = NULL,
           probe_token = NULL, probe_until = NULL
    WHERE name = :name AND state = 'half_open' AND probe_token = :probe
""")
_STEADY = text("UPDATE circuits SET failures = 0 WHERE name = :name AND state = 'closed' AND failures > 0")
_KNOW = text("INSERT INTO circuits (name, label) VALUES (:name, :label) ON CONFLICT (name) DO NOTHING")
_PROBE_FAILED = text("""
    UPDATE circuits SET state = 'open', probes = probes + 1, reason = :reason, probe_token = NULL, probe_until = NULL,
           next_probe_at = clock_timestamp() + make_interval(
               secs => greatest(:after, least(:longest, :first * 2.0 ^ least(probes + 1, 30))))
    WHERE name = :name AND state = 'half_open' AND probe_token = :probe
""")
_FAILED = text("""
    UPDATE circuits SET failures = failures + 1, label = :label,
           state = CASE WHEN opens THEN 'open' ELSE state END,
           reason = CASE WHEN opens THEN :reason ELSE reason END,
           opened_at = CASE WHEN opens THEN clock_timestamp() ELSE opened_at END,
           next_probe_at = CASE WHEN opens THEN clock_timestamp() + make_interval(secs => greatest(:after, :first))
                                ELSE next_probe_at END
    FROM (SELECT name AS which, state = 'closed' AND (failures + 1 >= :threshold OR :after > 0) AS opens
          FROM circuits WHERE name = :name FOR UPDATE) AS judged
    WHERE name = which
    RETURNING state, opens
""")


def admit(session: Session, circuit: Circuit) -> Admission:
    """Leave to call the service now. Costs one read while it is closed.

    Raises:
        CircuitOpen: the service is away, and this is not the one call that looks whether it is back.
    """
    row = session.execute(_LOOK, {"name": circuit.name}).one_or_none()
    if row is None or row.state == CircuitState.CLOSED:
        return Admission(shaky=bool(row and row.failures))
    probe = session.execute(_PROBE, {"name": circuit.name, "call_seconds": circuit.call_seconds}).scalar_one_or_none()
    if probe is None:
        raise is_away(circuit)
    return Admission(probe=probe)


def is_away(circuit: Circuit) -> CircuitOpen:
    """What work that cannot be served now is told."""
    return CircuitOpen(f"{circuit.label} does not answer", circuit.name)


def succeeded(session: Session, circuit: Circuit, admission: Admission) -> None:
    """The service answered."""
    if admission.probe is not None:
        if session.execute(_CLOSE, {"name": circuit.name, "probe": admission.probe}).rowcount:  # type: ignore[attr-defined]
            log.info("circuit_closed", extra={"circuit": circuit.name})
    elif admission.shaky:
        session.execute(_STEADY, {"name": circuit.name})


def failed(
    session: Session, circuit: Circuit, admission: Admission, reason: str, after_seconds: float | None = None
) -> bool:
    """The service did not answer, or asked to be left alone for `after_seconds`. Whether its circuit is open now."""
    waits = {"after": after_seconds or 0.0, "first": circuit.first_probe_seconds}
    if admission.probe is not None:
        values = {"name": circuit.name, "probe": admission.probe, "reason": reason}
        session.execute(_PROBE_FAILED, {**values, **waits, "longest": circuit.longest_probe_seconds})
        return True
    session.execute(_KNOW, {"name": circuit.name, "label": circuit.label})
    values = {"name": circuit.name, "label": circuit.label, "reason": reason, "threshold": circuit.threshold}
    state, opened = session.execute(_FAILED, {**values, **waits}).one()
    if opened:
        log.warning("circuit_opened", extra={"circuit": circuit.name, "reason": reason})
    return bool(state != CircuitState.CLOSED)


_PROBE_NOW = text(
    "UPDATE circuits SET next_probe_at = clock_timestamp() WHERE name = :name AND state = 'open'"
    " AND next_probe_at > clock_timestamp()"
)


def probe_now(session: Session, name: str) -> bool:
    """A person does not want to wait for the next probe. False: there is nothing to hurry."""
    return bool(session.execute(_PROBE_NOW, {"name": name}).rowcount)  # type: ignore[attr-defined]


# Of each client a few, those that have not tried for longest: else one whose call always fails could be the only prober
# for ever. Once the circuit is closed, by priority.
_BEHIND = text("""
    WITH busy AS (
        SELECT waits_for, client_id, count(*) AS many FROM work
        WHERE waits_for IS NOT NULL AND state IN ('ready', 'running') GROUP BY waits_for, client_id
    ), queue AS (
        SELECT work.id, coalesce(busy.many, 0) + row_number() OVER (
                   PARTITION BY work.waits_for, work.client_id
                   ORDER BY CASE WHEN coalesce(state_of.state, 'closed') = 'closed' THEN work.priority END,
                            work.started_at, work.id
               ) AS place,
               CASE WHEN coalesce(state_of.state, 'closed') = 'closed' THEN :window ELSE 1 END AS room
        FROM work
        LEFT JOIN circuits state_of ON state_of.name = work.waits_for
        LEFT JOIN busy USING (waits_for, client_id)
        WHERE work.waits_for IS NOT NULL AND work.state = 'waiting'
          AND CASE coalesce(state_of.state, 'closed')
                  WHEN 'closed' THEN true
                  WHEN 'open' THEN state_of.next_probe_at <= clock_timestamp()
                  ELSE state_of.probe_until <= clock_timestamp() END
    )
    SELECT id FROM queue WHERE place <= room ORDER BY place, id
""")


def let_through(connection: Connection) -> list[int]:
    """Waiting work that may go on now: one of each client to probe a circuit whose time has come, several where it is
    closed again. Read as the system login, which sees the work of all clients."""
    return list(connection.execute(_BEHIND, {"window": WINDOW_PER_CLIENT}).scalars())


class NextTry(NamedTuple):
    """When a service is tried next; None: it is being tried, or answers."""

    label: str
    next_probe_at: datetime | None


_FIND = text("SELECT label, CASE WHEN state = 'open' THEN next_probe_at END FROM circuits WHERE name = :name")


def find(session: Session, name: str) -> NextTry | None:
    """One circuit, or None if the service has never failed."""
    row = session.execute(_FIND, {"name": name}).one_or_none()
    return NextTry(*row) if row else None


class CircuitView(NamedTuple):
    """A circuit that is not closed, as a page shows it. `waiting`: work behind it that the reader may see."""

    name: str
    label: str
    state: str
    reason: str
    opened_at: datetime
    next_probe_at: datetime
    probes: int
    waiting: int


_OVERVIEW = text("""
    SELECT name, label, circuits.state, reason, opened_at, next_probe_at, probes, count(work.id) AS waiting
    FROM circuits LEFT JOIN work ON work.waits_for = circuits.name AND work.state = 'waiting'
    WHERE circuits.state <> 'closed' GROUP BY circuits.name ORDER BY opened_at
""")


def overview(session: Session | Connection) -> list[CircuitView]:
    """The circuits that are not closed, the longest open first: as the app the client's own work is counted, as the
    system everybody's."""
    return [CircuitView(*row) for row in session.execute(_OVERVIEW)]
