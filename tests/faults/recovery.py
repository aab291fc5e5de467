"""How long work lay still after its worker was lost: from the loss to the next start."""

from collections.abc import Sequence
from typing import NamedTuple

from tests.faults.nemesis import Loss, Outage
from tests.faults.sight import Sight

GRACE_SECONDS = 2.0
"""The next start is to come within a lease and this."""

_MOVES = """
    SELECT extract(epoch FROM at)::float8, data->>'from', data->>'to' FROM events
    WHERE data ? 'to' AND (data->>'work')::bigint = %s AND extract(epoch FROM at) > %s ORDER BY seq LIMIT 2
"""


_STARTED_MEANWHILE = """
    SELECT count(*), count(*) FILTER (WHERE came_from IS DISTINCT FROM 'running') FROM (
        SELECT e.data->>'work' AS work_id, (
            SELECT p.data->>'from' FROM events p
            WHERE p.data->>'work' = e.data->>'work' AND p.data ? 'to' AND p.stream_id = e.stream_id AND p.seq < e.seq
            ORDER BY p.seq DESC LIMIT 1
        ) AS came_from
        FROM events e WHERE e.data->>'to' = 'running' AND (e.data->>'work')::bigint <> %s
          AND e.at > to_timestamp(%s) AND e.at < to_timestamp(%s)
    ) AS started
"""


class Recovery(NamedTuple):
    """One loss: how long until the next start, how much of that until the loss was noticed, both in seconds."""

    seconds: float
    noticed_after: float
    how: str
    started: int
    """How much other work was started between the moment it was ready and its start: none, and the whole wait was for
    a slot, all of which were busy, frozen or dead."""
    overtaken: int
    """Of that, what had not lost its worker itself, and so went before it without a right to."""


def recoveries(sight: Sight, losses: Sequence[Loss], outages: Sequence[Outage]) -> list[Recovery]:
    """From each loss to the next start, less the time in which Postgres or Redis were away; the longest last.

    Left out is work that somebody stopped meanwhile, or that had come to its end just before the blow.
    """
    found = []
    for loss in losses:
        moves = sight.rows(_MOVES, (loss.work_id, loss.at))
        if [move[1:] for move in moves] == [("running", "ready"), ("ready", "running")]:
            ready, start = moves[0][0], moves[1][0]
            noticed, started = (upto - loss.at - _away(loss.at, upto, outages) for upto in (ready, start))
            others, overtaken = sight.rows(_STARTED_MEANWHILE, (loss.work_id, ready, start))[0]
            found.append(Recovery(started, noticed, loss.how, others, overtaken))
    return sorted(found)


def _away(begin: float, end: float, outages: Sequence[Outage]) -> float:
    """How much of the time between was an outage, overlaps counted once."""
    total, upto = 0.0, begin
    for outage in sorted(outages, key=lambda each: each.begin):
        start, stop = max(outage.begin, upto), min(outage.end, end)
        if stop > start:
            total += stop - start
            upto = stop
    return total
