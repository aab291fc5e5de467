"""A provider that shows any stream as a head and its lines, straight from the tables."""

import threading

from sqlalchemy import text

from webapp.database import db
from webapp.live.frames import Frame

LINES_SHOWN = 20
broken_streams: set[int] = set()
unreadable_streams: set[int] = set()
calls: list[tuple[int, int, int]] = []
gate = threading.Event()
gate.set()


def topic_of(stream_id):
    """The topic of a stream's own page."""
    return f"run:{stream_id}"


def may_watch(viewer, topic):
    """Row-level security decides."""
    return bool(db.session.execute(text("SELECT 1 FROM streams WHERE id = :id"), {"id": _id(topic)}).first())


def is_calm(topic):
    """Only the topics that say so."""
    return topic.startswith("calm:")


def state(topic):
    """Everything as it is now; the number first."""
    seq = _seq(_id(topic)) or 0
    lines = [message for _, message in _lines(_id(topic), 0, seq)]
    return [Frame(topic, "lines", seq, "|".join(lines)), Frame(topic, "head", seq, f"head {seq}")]


def read(spans):
    """Whose the streams are; nothing of any of them if one is unreadable."""
    if unreadable_streams & {span.stream_id for span in spans}:
        raise ValueError("a bug")
    ids = [span.stream_id for span in spans]
    rows = db.session.execute(text("SELECT id, client_id FROM streams WHERE id = ANY(:ids)"), {"ids": ids})
    return dict.fromkeys(ids) | {row.id: row.client_id for row in rows}


def frames(span, client_id, watched):
    """A line per event, then the head."""
    stream_id, after_seq, seq = span
    calls.append((stream_id, after_seq, seq))
    gate.wait(10)
    if stream_id in broken_streams:
        raise ValueError("a bug")
    if client_id is None:
        return []
    if watched(f"calm:{client_id}"):
        return [Frame(f"calm:{client_id}", f"row-{stream_id}", seq, f"row {stream_id} at {seq}")]
    topic = topic_of(stream_id)
    made = [Frame(f"client:{client_id}", f"row-{stream_id}", seq, f"row {stream_id} at {seq}")]
    if watched(topic):
        made += [Frame(topic, "lines", number, message) for number, message in _lines(stream_id, after_seq, seq)]
        made.append(Frame(topic, "head", seq, f"head {seq}"))
    return made


def _id(topic):
    return int(topic.partition(":")[2])


def _seq(stream_id):
    return db.session.execute(text("SELECT seq FROM streams WHERE id = :id"), {"id": stream_id}).scalar()


def _lines(stream_id, after_seq, seq):
    rows = db.session.execute(
        text(
            "SELECT seq, message FROM events WHERE stream_id = :id AND seq > :after AND seq <= :seq"
            " ORDER BY seq DESC LIMIT :most"
        ),
        {"id": stream_id, "after": after_seq, "seq": seq, "most": LINES_SHOWN},
    )
    return [tuple(row) for row in rows][::-1]
