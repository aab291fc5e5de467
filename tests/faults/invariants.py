"""What must hold of the database once nothing is under way, whatever was killed before. Each query gives no rows.

The log of events is held against what the tables say: moves carry `work`, `from`, `to` and `epoch`. The legal moves
are written down here anew, from the design, and not taken from the code that they are to judge.
"""

from typing import Any

import psycopg

_MOVES = """
    moves AS (
        SELECT stream_id, seq, at, (data->>'work')::bigint AS work_id, data->>'from' AS came_from,
               data->>'to' AS went_to, (data->>'epoch')::bigint AS epoch, data->>'worker' AS worker
        FROM events WHERE data ? 'work' AND data ? 'to'
    )"""
_CHAIN = f"""
    {_MOVES}, chain AS (
        SELECT *, lag(went_to) OVER w AS before, lead(came_from) OVER w AS after, lead(seq) OVER w AS next_seq,
               max(epoch) OVER (PARTITION BY work_id ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                   AS highest
        FROM moves WINDOW w AS (PARTITION BY work_id ORDER BY seq)
    )"""
_FOUND = """
    found AS (
        SELECT phase_id, 1 AS number, epoch, updated_at, findings::text AS says FROM analysis_findings
        UNION ALL SELECT phase_id, 2, epoch, updated_at, findings::text FROM market_findings
        UNION ALL SELECT phase_id, 3, epoch, updated_at, findings::text FROM seo_findings
        UNION ALL SELECT phase_id, 4, epoch, updated_at, findings::text FROM listing_findings
    )"""

INVARIANTS = {
    "nothing is left ready, running or due": """
        SELECT id, kind, state, run_at FROM work
        WHERE state IN ('ready', 'running') OR (state = 'waiting' AND run_at <= clock_timestamp())
    """,
    "a phase that is done has one finding, written by the winning epoch": f"""
        WITH {_FOUND}
        SELECT p.id, p.number, w.state, w.epoch, array_agg(f.epoch) AS written FROM phases p
        JOIN work w ON w.id = p.work_id LEFT JOIN found f ON f.phase_id = p.id
        WHERE w.state IN ('done', 'held') GROUP BY p.id, p.number, w.state, w.epoch
        HAVING count(f.phase_id) <> 1 OR min(f.epoch) <> w.epoch OR min(f.number) <> p.number
    """,
    "a finding was written by a lease that was given, and that ended with it": f"""
        WITH {_MOVES}, {_FOUND}
        SELECT f.phase_id, f.epoch FROM found f JOIN phases p ON p.id = f.phase_id
        WHERE NOT EXISTS (SELECT FROM moves m WHERE m.work_id = p.work_id AND m.epoch = f.epoch
                          AND m.went_to = 'running')
           OR NOT EXISTS (SELECT FROM moves m WHERE m.work_id = p.work_id AND m.epoch = f.epoch
                          AND m.came_from = 'running' AND m.went_to IN ('done', 'held'))
    """,
    "a finding was made by the worker that held the lease": f"""
        WITH {_MOVES}, {_FOUND}
        SELECT f.phase_id, f.epoch, m.worker, substring(f.says FROM 'made by ([^" ]+)') AS maker FROM found f
        JOIN phases p ON p.id = f.phase_id
        CROSS JOIN LATERAL (SELECT worker FROM moves m WHERE m.work_id = p.work_id AND m.epoch = f.epoch
                            AND m.went_to = 'running' ORDER BY m.seq DESC LIMIT 1) AS m
        WHERE f.says ~ 'made by ' AND substring(f.says FROM 'made by ([^" ]+)') IS DISTINCT FROM m.worker
    """,
    "a phase starts after the one before it is done": f"""
        WITH {_MOVES}
        SELECT p.run_id, p.number, m.seq FROM phases p JOIN moves m ON m.work_id = p.work_id
        JOIN phases b ON b.run_id = p.run_id AND b.number = p.number - 1
        WHERE m.went_to = 'running' AND NOT EXISTS (
            SELECT FROM moves d WHERE d.work_id = b.work_id AND d.went_to = 'done' AND d.seq < m.seq)
    """,
    "the events of a stream have no gaps": """
        SELECT s.id, s.seq, count(e.seq), min(e.seq), max(e.seq) FROM streams s
        LEFT JOIN events e ON e.stream_id = s.id GROUP BY s.id, s.seq
        HAVING count(e.seq) <> s.seq OR coalesce(max(e.seq), 0) <> s.seq OR coalesce(min(e.seq), 1) <> 1
    """,
    "nothing happens to stopped work until a person sets it going": f"""
        WITH {_CHAIN}, {_FOUND}
        SELECT c.work_id, c.seq, 'event ' || e.seq AS what FROM chain c JOIN events e ON e.stream_id = c.stream_id
         AND (e.data->>'work')::bigint = c.work_id AND e.seq > c.seq AND e.seq < coalesce(c.next_seq, 1000000000)
        WHERE c.went_to = 'stopped'
        UNION ALL
        SELECT c.work_id, c.seq, 'went on from ' || c.after FROM chain c
        WHERE c.went_to = 'stopped' AND c.after <> 'stopped'
        UNION ALL
        SELECT c.work_id, c.seq, 'finding of ' || f.updated_at FROM chain c JOIN phases p ON p.work_id = c.work_id
        JOIN found f ON f.phase_id = p.id
        WHERE c.went_to = 'stopped' AND c.next_seq IS NULL AND (f.updated_at > c.at OR f.epoch >= c.epoch)
    """,
    "only legal moves, each from where the one before it led": f"""
        WITH {_CHAIN}
        SELECT work_id, seq, before, came_from, went_to FROM chain
        WHERE came_from IS DISTINCT FROM coalesce(before, CASE came_from WHEN 'blocked' THEN 'blocked' ELSE 'ready' END)
           OR (came_from, went_to) NOT IN (
            ('blocked', 'ready'), ('blocked', 'stopped'), ('ready', 'running'), ('ready', 'stopped'),
            ('running', 'done'), ('running', 'held'), ('running', 'waiting'), ('running', 'failed'),
            ('running', 'stopped'), ('running', 'ready'), ('held', 'done'), ('held', 'ready'), ('held', 'stopped'),
            ('waiting', 'ready'), ('waiting', 'stopped'), ('failed', 'ready'), ('stopped', 'ready'))
    """,
    "epochs grow with every lease and every stop, and never fall": f"""
        WITH {_CHAIN}
        SELECT work_id, seq, went_to, highest, epoch FROM chain
        WHERE epoch IS NULL OR epoch < highest OR (went_to IN ('running', 'stopped') AND epoch <= highest)
    """,
    "work stands where its log says": f"""
        WITH {_CHAIN}
        SELECT w.id, w.state, w.epoch, c.went_to, c.epoch AS logged FROM work w
        LEFT JOIN chain c ON c.work_id = w.id AND c.next_seq IS NULL
        WHERE (c.work_id IS NULL AND w.state NOT IN ('blocked', 'ready'))
           OR (c.work_id IS NOT NULL AND (c.went_to <> w.state OR c.epoch <> w.epoch))
    """,
    "a run stands where its phases stand": """
        SELECT r.id, r.state, array_agg(w.state ORDER BY p.number) AS phases FROM runs r
        JOIN phases p ON p.run_id = r.id JOIN work w ON w.id = p.work_id GROUP BY r.id, r.state
        HAVING count(*) <> 4 OR r.state <> CASE
            WHEN bool_and(w.state = 'done') THEN 'completed'
            WHEN bool_or(w.state = 'failed') THEN 'failed'
            WHEN bool_or(w.state = 'stopped') THEN 'stopped'
            WHEN bool_or(w.state = 'held') THEN 'review'
            ELSE 'running' END
    """,
    "a run is completed once, and says so": """
        SELECT r.id, r.state, count(e.seq) FROM runs r
        LEFT JOIN events e ON e.stream_id = r.stream_id AND e.kind = 'run.completed' GROUP BY r.id, r.state
        HAVING count(e.seq) <> (r.state = 'completed')::int
    """,
    "a product has its photos and a run, all of one client": """
        SELECT p.id FROM products p WHERE p.upload_key IS NOT NULL AND (
            NOT EXISTS (SELECT FROM photos f WHERE f.product_id = p.id AND f.client_id = p.client_id)
            OR NOT EXISTS (SELECT FROM runs r WHERE r.product_id = p.id AND r.client_id = p.client_id))
    """,
    "no photo became two products": """
        SELECT client_id, sha256, count(*) FROM photos GROUP BY client_id, sha256 HAVING count(*) > 1
    """,
}

PROMPT = "work that is ready starts promptly while a slot is idle"
_LATE = f"""
    WITH {_MOVES}
    SELECT m.work_id, extract(epoch FROM m.at - greatest(w.created_at, free.at))::float8 AS seconds
    FROM moves m JOIN work w ON w.id = m.work_id
    CROSS JOIN LATERAL (SELECT max(at) AS at FROM moves e WHERE e.came_from = 'running' AND e.at <= m.at) AS free
    WHERE m.went_to = 'running' AND m.at > greatest(w.created_at, free.at) + make_interval(secs => %s)
"""


def late(owner: psycopg.Connection[Any], most_seconds: float) -> list[Any]:
    """What started more than so long after it was ready and a slot was free; for times without faults, in which all
    that is not under way is ready."""
    return owner.execute(_LATE, (most_seconds,)).fetchall()


def broken(owner: psycopg.Connection[Any], *, but: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    """The rows of each invariant that does not hold, by its name; `owner` sees all clients' rows."""
    found = {name: owner.execute(sql).fetchall() for name, sql in INVARIANTS.items() if name not in but}
    return {name: rows for name, rows in found.items() if rows}
