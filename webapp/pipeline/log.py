"""A run's log: its lines, and what the newest of its events mean for screens."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, BigInteger, Integer, bindparam, column, func, select, true
from sqlalchemy.orm import Session

from webapp.live.frames import Span
from webapp.pipeline.cards import AnyRow
from webapp.together import Asked, read_together
from webapp.work.models import Event, Level

LINES = 100
PROGRESS = "work.progress"
"""Kind of the events that tell how far a phase is, and change nothing else."""
NEWEST = 2**62


class EventLine(NamedTuple):
    """One line of a run's log."""

    seq: int
    at: datetime
    level: str
    phase: str | None
    message: str
    details: dict[str, Any]


_LOG = (
    select(Event.seq, Event.at, Event.level, Event.message, Event.data)
    .where(
        Event.stream_id == bindparam("stream_id"),
        Event.level != Level.DEBUG,
        Event.seq > bindparam("after"),
        Event.seq <= bindparam("upto"),
    )
    .order_by(Event.seq.desc())
    .limit(bindparam("many", type_=Integer))
)

known: dict[int, tuple[EventLine, ...]] = {}
"""The newest lines of streams, newest first, one more than are shown: events are never changed, and their numbers are
in the order of their commits, so only what is above the first of them need be read."""
MANY_KNOWN = 1000


def ask_lines(stream_id: int) -> Asked:
    """The lines of a run that `lines` does not know yet."""
    first = known.get(stream_id)
    return _LOG, {
        "stream_id": stream_id,
        "after": first[0].seq if first else 0,
        "upto": NEWEST,
        "many": LINES + 1,
    }


def lines(asked: Asked, rows: Sequence[AnyRow]) -> tuple[Sequence[EventLine], bool]:
    """The newest lines of a run's log, newest first, and whether there are older ones. Debug lines are left out.

    `asked`: what `ask_lines` gave, which the rows answer."""
    stream_id, after = asked[1]["stream_id"], asked[1]["after"]
    news = _lines(rows)
    older = tuple(line for line in known.get(stream_id, ()) if line.seq <= after)
    if after and not older:  # forgotten meanwhile
        return news[:LINES], True
    newest = (*news, *older)[: LINES + 1]
    if len(known) > MANY_KNOWN:
        known.clear()
    if newest:
        known[stream_id] = newest
    return newest[:LINES], len(newest) > LINES


def log(session: Session, stream_id: int, *, upto: int) -> tuple[Sequence[EventLine], bool]:
    """As `lines`, but none above `upto`."""
    wanted = {"stream_id": stream_id, "after": 0, "upto": upto, "many": LINES + 1}
    [rows] = read_together(session, (_LOG, wanted))
    return _lines(rows[:LINES]), len(rows) > LINES


_spans = (
    func.unnest(
        bindparam("stream_ids", type_=ARRAY(BigInteger)),
        bindparam("afters", type_=ARRAY(BigInteger)),
        bindparam("uptos", type_=ARRAY(BigInteger)),
    )
    .table_valued(column("stream_id", BigInteger), column("after", BigInteger), column("upto", BigInteger), name="span")
    .render_derived()
)
_events = (
    select(Event.seq, Event.at, Event.level, Event.kind, Event.message, Event.data)
    .where(Event.stream_id == _spans.c.stream_id, Event.seq > _spans.c.after, Event.seq <= _spans.c.upto)
    .order_by(Event.seq.desc())
    .limit(LINES)
    .lateral("news")
)
_NEWS = select(_spans.c.stream_id, *_events.c).join(_events, true()).order_by(_spans.c.stream_id, _events.c.seq.desc())


class News(NamedTuple):
    """What a span of events means for screens: their lines, newest first; the names of the phases that reported
    progress; the names of those to which more happened, with None for the run itself."""

    lines: Sequence[EventLine]
    progressed: set[str | None]
    moved: set[str | None]
    is_cut: bool
    """Whether the oldest were left out, as there were too many."""


NOTHING = News((), set(), set(), is_cut=False)


def ask_news(spans: Sequence[Span]) -> Asked:
    """The events of these spans."""
    return _NEWS, {
        "stream_ids": [span.stream_id for span in spans],
        "afters": [span.after_seq for span in spans],
        "uptos": [span.seq for span in spans],
    }


def news(rows: Iterable[AnyRow]) -> dict[int, News]:
    """What happened, by stream. Of very many events the oldest are left out."""
    of_streams: dict[int, list[AnyRow]] = {}
    for row in rows:
        of_streams.setdefault(row.stream_id, []).append(row)
    return {stream_id: _news(events) for stream_id, events in of_streams.items()}


def _news(rows: Sequence[AnyRow]) -> News:
    progressed = {row.data.get("phase") for row in rows if row.kind == PROGRESS}
    moved = {row.data.get("phase") for row in rows if row.kind != PROGRESS}
    lines = _lines(row for row in rows if row.level is not Level.DEBUG)
    return News(lines, progressed, moved, is_cut=len(rows) == LINES)


def _lines(rows: Iterable[AnyRow]) -> tuple[EventLine, ...]:
    return tuple(
        EventLine(
            seq=row.seq,
            at=row.at,
            level=row.level.value,
            phase=row.data.get("phase"),
            message=row.message,
            details={key: value for key, value in row.data.items() if key not in ("phase", "work")},
        )
        for row in rows
    )
