"""Dealing out the bells of one lane: which ready work is rung for next, and how many bells may hang.

The order: the more urgent first (see `priority`; each `AGEING_SECONDS` of waiting are worth one step, up to the most
urgent; what lost its worker is as urgent as anything), among equally urgent work the clients take turns, and a client's
turn counts what it has running already. What is paused, or beyond the number of phases that its client may have running
at once, is not dealt. (The claim is what holds a client to that number; where there are fewer slots than it anyway,
more bells may hang.)

A bell that hangs in Redis cannot be overtaken any more. Where work takes milliseconds that matters to nobody, and many
bells keep the slots busy; where it takes seconds, a client that comes now must not wait behind bells of another that
came before. So bells that hung for half a second are taken down and dealt anew, and fewer are hung, down to one for
each slot that is free; where all are taken at once, more are hung again.
"""

import contextlib
import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Connection, text

from webapp import queue
from webapp.statements import Statement
from webapp.work.priority import MOST_URGENT
from webapp.work.services import RINGS_PER_CLIENT

log = logging.getLogger(__name__)

WINDOWS = {"heavy": 4, "light": 32, "bulk": 32}
"""How many bells of a lane may hang in Redis at most; the backlog lives in Postgres."""
HUNG_SECONDS = 0.5
"""How long a bell may hang before the lane counts as slow."""
AGEING_SECONDS = 30.0
"""Waiting this long is worth one step of priority."""
PATIENCE_SECONDS = 10.0
"""Bells that clients ring by themselves can keep a window full without end. Who has waited this long gets as many bells
as a client may ring by itself, window or not."""
MOST_TAKEN = 1000
SLOT_SECONDS = 15
"""A slot that was not seen for so long is not counted on."""

_LANE = Statement("""
    SELECT rung.many AS rung, coalesce(extract(epoch FROM clock_timestamp() - rung.oldest), 0) AS hung_seconds,
           (SELECT count(*) FROM work WHERE state = 'running' AND queue = :queue) AS running,
           (SELECT count(*) FROM workers WHERE kind = 'slot' AND :queue = ANY (string_to_array(queue, ' '))
              AND drain_at IS NULL AND last_seen > clock_timestamp() - make_interval(secs => :slot_seconds)) AS slots
    FROM (SELECT count(*) AS many, min(dispatched_at) AS oldest FROM (
              SELECT dispatched_at FROM work WHERE state = 'ready' AND queue = :queue AND dispatched_at IS NOT NULL
              LIMIT 1000) AS hanging) AS rung
""")
_TAKE_DOWN = text("""
    UPDATE work SET dispatched_at = NULL WHERE id IN (
        SELECT id FROM work WHERE id = ANY(:ids) AND state = 'ready' AND dispatched_at IS NOT NULL
        FOR UPDATE SKIP LOCKED)
""")
# The next few of every client, activity and priority by a loose index scan (one probe for each, however long the
# backlog), then one of each client in turn. Beyond the window's room only those go that bells rung past the dispatcher
# have kept waiting.
_NEXT = Statement("""
    WITH RECURSIVE groups AS (
        (SELECT client_id, activity, priority FROM work
         WHERE state = 'ready' AND dispatched_at IS NULL AND queue = :queue
         ORDER BY client_id, activity, priority LIMIT 1)
        UNION ALL
        SELECT following.* FROM groups CROSS JOIN LATERAL (
            SELECT client_id, activity, priority FROM work
            WHERE state = 'ready' AND dispatched_at IS NULL AND queue = :queue
              AND (client_id, activity, priority) > (groups.client_id, groups.activity, groups.priority)
            ORDER BY client_id, activity, priority LIMIT 1
        ) AS following
    ), busy AS (
        SELECT client_id, count(*) FILTER (WHERE queue = :queue) AS many,
               count(*) FILTER (WHERE state = 'ready') AS hanging, count(*) FILTER (WHERE state = 'running') AS running
        FROM work
        WHERE state = 'running' OR (state = 'ready' AND queue = :queue AND dispatched_at IS NOT NULL)
        GROUP BY client_id
    ), candidates AS (
        SELECT next.id, next.run_at, next.level,
               coalesce(busy.many, 0) + row_number() OVER own AS turn,
               coalesce(busy.running, 0) < clients.running_cap
                 AND (coalesce(busy.running + busy.hanging, 0) + row_number() OVER own <= clients.running_cap
                      OR (SELECT count(*) FROM workers WHERE kind = 'slot') <= clients.running_cap) AS fits,
               :patient AND coalesce(busy.hanging, 0) + row_number() OVER own <= :share
                 AND next.run_at < clock_timestamp() - make_interval(secs => :patience) AS starving
        FROM groups
        JOIN clients ON clients.id = groups.client_id
        LEFT JOIN busy ON busy.client_id = groups.client_id
        CROSS JOIN LATERAL (
            SELECT work.id, work.run_at, CASE WHEN crashes > 0 THEN least(priority, :most_urgent) ELSE greatest(
                       least(priority, :most_urgent),
                       priority - floor(extract(epoch FROM clock_timestamp() - work.run_at) / :ageing)
                   ) END AS level
            FROM work
            WHERE state = 'ready' AND dispatched_at IS NULL AND queue = :queue AND work.client_id = groups.client_id
              AND activity = groups.activity AND priority = groups.priority
            ORDER BY work.run_at, work.id LIMIT greatest(:room, :share)
        ) AS next
        WHERE NOT EXISTS (SELECT FROM pauses WHERE pauses.client_id = groups.client_id
                             OR pauses.activity = groups.activity)
        WINDOW own AS (PARTITION BY groups.client_id ORDER BY next.level, next.run_at, next.id)
    ), placed AS (
        SELECT id, starving, row_number() OVER (ORDER BY level, turn, run_at, id) AS place FROM candidates WHERE fits
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


@dataclass
class Lane:
    """What a dealer remembers of a lane from round to round."""

    name: str
    window: int
    has_rung: bool = False

    @property
    def most(self) -> int:
        """How far the window can open."""
        return WINDOWS[self.name]


class Dealer:
    """Deals out the bells of all lanes; one per dispatcher."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self.lanes = [Lane(name, window) for name, window in WINDOWS.items()]

    def deal(self, connection: Connection, lane: Lane, *, even_if_full: bool) -> list[tuple[UUID, int]]:
        """Mark what is to be rung for next; the caller commits and rings for it, in this order."""
        now = _LANE.execute(connection, {"queue": lane.name, "slot_seconds": SLOT_SECONDS})[0]
        rung = now.rung
        taken = self._take_down(connection, lane) if rung and now.hung_seconds > HUNG_SECONDS else 0
        if taken:
            rung, lane.window = max(rung - taken, 0), lane.window // 2
        elif lane.has_rung and not rung:
            lane.window = min(max(1, 2 * lane.window), lane.most)
        # Where no slot is known there may be one all the same: slots sign on once in a few seconds.
        free = max(now.slots - now.running, 0) if now.slots else 1
        room = max(max(lane.window, free) - rung, 0)
        lane.has_rung = False
        if not room and not even_if_full:
            return []
        bells = _NEXT.execute(connection, self._parameters(lane, room))
        lane.has_rung = bool(bells)
        return [(bell.client_id, bell.id) for bell in bells]

    def _parameters(self, lane: Lane, room: int) -> dict[str, Any]:
        return {
            "queue": lane.name,
            "room": room,
            "share": RINGS_PER_CLIENT,
            "ageing": AGEING_SECONDS,
            "patience": PATIENCE_SECONDS,
            "patient": lane.window == lane.most,  # in a slow lane nothing hangs for long enough to be in the way
            "most_urgent": int(MOST_URGENT),
        }

    def _take_down(self, connection: Connection, lane: Lane) -> int:
        """Take down what hangs now, and say how many. None if they were lost, or just taken."""
        try:
            key = queue.bells(lane.name, self._redis).key
            bells: Any = self._redis.lpop(key, MOST_TAKEN)
        except RedisError as error:
            log.warning("bells_not_taken_down", extra={"queue": lane.name, "reason": str(error)})
            return 0
        ids = []
        for bell in bells or ():
            with contextlib.suppress(ValueError):  # no bell of ours
                ids.append(queue.read_bell(bell.decode())[1])
        if ids:
            connection.execute(_TAKE_DOWN, {"ids": ids})
        return len(ids)
