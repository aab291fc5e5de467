"""What screens show of runs: rows for the desk, cards for a product's page, lines for its log. A constant number of
queries each, whatever the number of rows."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ColumnExpressionArgument,
    CompoundSelect,
    Integer,
    Row,
    Select,
    bindparam,
    case,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from webapp.access.models import User
from webapp.catalog.models import Photo, Product
from webapp.pipeline.models import AnalysisFinding, AuditState, Phase, PhaseName, Run, RunState
from webapp.work.models import Circuit, CircuitState, Event, Level, Stream, Work, WorkState

AnyRow = Row[*tuple[Any, ...]]

PAGE = 50
LOG_LINES = 100
PROGRESS = "work.progress"
"""Kind of the events that tell how far a phase is, and change nothing else."""
MANY = 1001
"""Counts stop here: what is shown is "1000+", and no count reads a whole table."""

_ACTIONS: dict[WorkState, tuple[str, ...]] = {
    WorkState.READY: ("stop",),
    WorkState.RUNNING: ("stop",),
    WorkState.HELD: ("stop",),
    WorkState.WAITING: ("stop", "retry"),
    WorkState.FAILED: ("retry",),
    WorkState.STOPPED: ("resume",),
}
_NAMES = [name.value for name in PhaseName]


class PhaseCard(NamedTuple):
    """One phase of a run as a screen shows it."""

    number: int
    name: str
    state: str
    progress: int
    message: str
    attempts: int
    failures: int
    crashes: int
    error: str | None
    started_at: datetime | None
    finished_at: datetime | None
    next_try_at: datetime | None
    circuit: str | None
    """The circuit that it waits behind, and what people call the service; `next_try_at` is then its next probe."""
    service: str | None
    actions: tuple[str, ...]


class RunCard(NamedTuple):
    """A run as a screen shows it; `seq` is its stream's number, so that older news can be told from newer."""

    id: UUID
    stream_id: int
    number: int
    state: str
    product_id: UUID
    client_id: UUID
    created_by: UUID | None
    title: str | None
    guess: str | None
    """What analysis takes it for, while it has no title."""
    uploader_name: str
    created_at: datetime
    changed_at: datetime
    confidence: int | None
    thumb_url: str | None
    photo_count: int
    reasons: tuple[str, ...]
    phases: tuple[PhaseCard, ...]
    seq: int
    is_latest: bool


class Counts(NamedTuple):
    """Products by the state of their latest run; none above MANY."""

    all: int
    running: int
    completed: int
    review: int
    failed: int
    stopped: int


class EventLine(NamedTuple):
    """One line of a run's log."""

    seq: int
    at: datetime
    level: str
    phase: str | None
    message: str
    details: dict[str, Any]


def photo_url(photo_id: UUID, variant: str) -> str:
    """Address of a photo; spelled here, since `url_for` for each of fifty rows costs more than the rows do."""
    return f"/photos/{photo_id}/{variant}"


_primary = aliased(Photo)
_analysis = aliased(Phase)
_photo_count = (
    select(func.count())
    .where(Photo.product_id == Run.product_id, Photo.replaced_by.is_(None))
    .correlate(Run)
    .scalar_subquery()
)
_RUNS = (
    select(
        Run.id,
        Run.stream_id,
        Run.number,
        Run.state,
        Run.product_id,
        Run.client_id,
        Run.created_by,
        Run.created_at,
        Run.changed_at,
        Run.confidence,
        Run.reasons,
        Run.hints,
        Run.is_latest,
        Product.name,
        User.name.label("uploader"),
        Stream.seq,
        _primary.id.label("photo_id"),
        _photo_count.label("photo_count"),
        AnalysisFinding.product_name.label("guess"),
    )
    .outerjoin(_analysis, (_analysis.run_id == Run.id) & (_analysis.number == PhaseName.ANALYSIS.number))
    .outerjoin(AnalysisFinding, AnalysisFinding.phase_id == _analysis.id)
    .join(Product, Product.id == Run.product_id)
    .join(Stream, Stream.id == Run.stream_id)
    .outerjoin(User, User.id == Run.created_by)
    .outerjoin(_primary, (_primary.product_id == Run.product_id) & _primary.is_primary)
    .where(Product.deleted_at.is_(None))
)
_PHASES = (
    select(
        Phase.run_id,
        Phase.number,
        Work.state,
        Work.progress,
        Work.message,
        Work.attempts,
        Work.failures,
        Work.crashes,
        Work.last_error,
        Work.started_at,
        Work.finished_at,
        Work.run_at,
        Work.waits_for,
        Circuit.label.label("service"),
        case((Circuit.state == CircuitState.OPEN, Circuit.next_probe_at)).label("next_probe_at"),
    )
    .join(Work, Work.id == Phase.work_id)
    .outerjoin(Circuit, Circuit.name == Work.waits_for)
    .where(Phase.run_id.in_(bindparam("run_ids", expanding=True)))
    .order_by(Phase.run_id, Phase.number)
)
# Built once: the renderer asks these for every event, and building a statement costs more than running it.
_RUN = _RUNS.where(Run.id == bindparam("run_id"))
_RUN_OF_STREAM = _RUNS.where(Run.stream_id == bindparam("stream_id"))
_RUNS_OF_STREAMS = _RUNS.where(Run.stream_id.in_(bindparam("stream_ids", expanding=True)))
_RUNS_OF_PRODUCT = _RUNS.where(Run.product_id == bindparam("product_id")).order_by(Run.number.desc()).limit(PAGE)

known: dict[UUID, tuple[AnyRow, RunCard]] = {}
"""Cards made before, with the rows they were made of. A run's phases change only together with its stream's number,
which is in the row, so the same row means the same card."""
MANY_KNOWN = 2000


def _cards(session: Session, rows: Sequence[AnyRow]) -> list[RunCard]:
    found = {row.id: before[1] for row in rows if (before := known.get(row.id)) is not None and before[0] == row}
    news = [row for row in rows if row.id not in found]
    phases: dict[UUID, list[PhaseCard]] = {row.id: [] for row in news}
    latest = {row.id for row in news if row.is_latest}
    for item in session.execute(_PHASES, {"run_ids": list(phases)}) if news else ():
        phases[item.run_id].append(_phase(item, acts=item.run_id in latest))
    if len(known) > MANY_KNOWN:
        known.clear()
    for row in news:
        card = found[row.id] = _card(row, tuple(phases[row.id]))
        # What waits may wait behind a circuit, which changes without the run's doing.
        if all(phase.state != WorkState.WAITING for phase in card.phases):
            known[row.id] = row, card
    return [found[row.id] for row in rows]


def _card(row: AnyRow, phases: tuple[PhaseCard, ...]) -> RunCard:
    return RunCard(
        id=row.id,
        stream_id=row.stream_id,
        number=row.number,
        state=row.state.value,
        product_id=row.product_id,
        client_id=row.client_id,
        created_by=row.created_by,
        title=row.name or row.hints.get("name"),
        guess=row.guess,
        uploader_name=row.uploader or "",
        created_at=row.created_at,
        changed_at=row.changed_at,
        confidence=row.confidence,
        thumb_url=photo_url(row.photo_id, "thumb") if row.photo_id else None,
        photo_count=row.photo_count,
        reasons=tuple(row.reasons),
        phases=phases,
        seq=row.seq,
        is_latest=row.is_latest,
    )


def _phase(row: AnyRow, *, acts: bool) -> PhaseCard:
    """`acts`: whether people may still do something with the run."""
    waiting = row.state is WorkState.WAITING
    return PhaseCard(
        number=row.number,
        name=_NAMES[row.number - 1],
        state=row.state.value,
        progress=row.progress,
        message=row.message,
        attempts=row.attempts,
        failures=row.failures,
        crashes=row.crashes,
        error=row.last_error,
        started_at=row.started_at,
        finished_at=row.finished_at,
        next_try_at=(row.next_probe_at if row.service else row.run_at) if waiting else None,
        circuit=row.waits_for if waiting and row.service else None,
        service=row.service if waiting else None,
        actions=_ACTIONS.get(row.state, ()) if acts else (),
    )


@cache
def _desk_statement(mine: bool, by_state: bool, older: bool) -> Select[*tuple[Any, ...]]:
    conditions: list[ColumnExpressionArgument[bool]] = [Run.is_latest]
    if mine:
        conditions.append(Run.created_by == bindparam("created_by"))
    if by_state:
        conditions.append(Run.state == bindparam("state", type_=Run.state.type))
    if older:
        conditions.append(Run.id < bindparam("before"))
    return _RUNS.where(*conditions).order_by(Run.id.desc()).limit(bindparam("many", type_=Integer))


def desk(
    session: Session, *, created_by: UUID | None, state: str | None, before: UUID | None, limit: int = PAGE
) -> tuple[list[RunCard], UUID | None]:
    """The newest products' latest runs, and the id to continue before, if there are more. `created_by`: only theirs."""
    statement = _desk_statement(created_by is not None, state is not None, before is not None)
    wanted = {
        "created_by": created_by,
        "state": RunState(state) if state is not None else None,
        "before": before,
        "many": limit + 1,
    }
    rows = session.execute(statement, {key: value for key, value in wanted.items() if value is not None}).all()
    more = len(rows) > limit
    cards = _cards(session, rows[:limit])
    return cards, cards[-1].id if more else None


@cache
def _changed_statement(mine: bool) -> Select[*tuple[Any, ...]]:
    many = bindparam("many", type_=Integer)
    recent = select(Stream.id).where(Stream.kind == "run").order_by(Stream.changed_at.desc()).limit(many)
    only = [Run.created_by == bindparam("created_by")] if mine else []
    return _RUNS.where(Run.stream_id.in_(recent), Run.is_latest, *only)


def latest_changed(session: Session, *, created_by: UUID | None, limit: int = PAGE) -> list[RunCard]:
    """The runs that changed last: what somebody who was away may have missed."""
    wanted: dict[str, Any] = {"many": limit} | ({"created_by": created_by} if created_by is not None else {})
    return _cards(session, session.execute(_changed_statement(created_by is not None), wanted).all())


def latest_removed(session: Session, *, limit: int = PAGE) -> Sequence[AnyRow]:
    """Of the runs that changed last those whose product was removed: `id`, `product_id` and the stream's `seq`."""
    recent = select(Stream.id).where(Stream.kind == "run").order_by(Stream.changed_at.desc()).limit(limit)
    return session.execute(
        select(Run.id, Run.product_id, Stream.seq)
        .join(Stream, Stream.id == Run.stream_id)
        .join(Product, Product.id == Run.product_id)
        .where(Run.stream_id.in_(recent), Product.deleted_at.is_not(None))
    ).all()


def review_queue(session: Session, limit: int = PAGE) -> list[RunCard]:
    """The runs that wait for a person, longest waiting first."""
    rows = session.execute(_RUNS.where(Run.is_latest, Run.state == RunState.REVIEW).order_by(Run.id).limit(limit)).all()
    return _cards(session, rows)


def audit_queue(session: Session, limit: int = PAGE) -> list[RunCard]:
    """The runs that went on by themselves and were drawn for a person to look at, the oldest first."""
    rows = session.execute(_RUNS.where(Run.audit == AuditState.OPEN).order_by(Run.id).limit(limit)).all()
    return _cards(session, rows)


def card(session: Session, *, run_id: UUID | None = None, stream_id: int | None = None) -> RunCard | None:
    """One run, by its id or its stream's."""
    which, key = (_RUN, {"run_id": run_id}) if run_id is not None else (_RUN_OF_STREAM, {"stream_id": stream_id})
    cards = _cards(session, session.execute(which, key).all())
    return cards[0] if cards else None


def cards_of_product(session: Session, product_id: UUID) -> list[RunCard]:
    """All runs of a product, newest first."""
    return _cards(session, session.execute(_RUNS_OF_PRODUCT, {"product_id": product_id}).all())


def cards_of_streams(session: Session, stream_ids: Collection[int]) -> dict[int, RunCard]:
    """Runs by their streams, without those that are removed or not the tenant's."""
    rows = session.execute(_RUNS_OF_STREAMS, {"stream_ids": list(stream_ids)}).all()
    return {card.stream_id: card for card in _cards(session, rows)}


def _count_of(*only: ColumnElement[bool]) -> CompoundSelect[str, int]:
    return union_all(
        *(
            select(literal(state.value).label("state"), func.count().label("many")).select_from(
                select(Run.id).where(Run.is_latest, Run.state == state, *only).limit(MANY).subquery()
            )
            for state in RunState
        )
    )


_COUNTS_OF_ALL = _count_of()
_COUNTS_OF_ONE = _count_of(Run.created_by == bindparam("created_by"))


def counts(session: Session, created_by: UUID | None) -> Counts:
    """How many products stand where, by their latest run, each count capped."""
    which, key = (_COUNTS_OF_ONE, {"created_by": created_by}) if created_by else (_COUNTS_OF_ALL, {})
    by_state: dict[str, int] = {row.state: row.many for row in session.execute(which, key)}
    return Counts(all=min(MANY, sum(by_state.values())), **{state.value: by_state[state.value] for state in RunState})


NEWEST = 2**62
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


def log(
    session: Session, stream_id: int, *, after: int = 0, upto: int | None = None, limit: int = LOG_LINES
) -> tuple[list[EventLine], bool]:
    """The newest lines of a run's log, newest first, and whether there are older ones. Debug lines are left out."""
    newest = {"stream_id": stream_id, "after": after, "upto": upto if upto is not None else NEWEST, "many": limit + 1}
    rows = session.execute(_LOG, newest).all()
    return _lines(rows[:limit]), len(rows) > limit


_NEWS = (
    select(Event.seq, Event.at, Event.level, Event.kind, Event.message, Event.data)
    .where(Event.stream_id == bindparam("stream_id"), Event.seq > bindparam("after"), Event.seq <= bindparam("upto"))
    .order_by(Event.seq.desc())
    .limit(LOG_LINES)
)


class News(NamedTuple):
    """What a span of events means for screens: their lines, newest first; the names of the phases that reported
    progress; the names of those to which more happened, with None for the run itself."""

    lines: list[EventLine]
    progressed: set[str | None]
    moved: set[str | None]


def news(session: Session, stream_id: int, after: int, upto: int) -> News:
    """What happened to a run with its events `after + 1` to `upto`. Of very many the oldest are left out, which then
    counts as something that happened to the run itself."""
    rows = session.execute(_NEWS, {"stream_id": stream_id, "after": after, "upto": upto}).all()
    progressed = {row.data.get("phase") for row in rows if row.kind == PROGRESS}
    moved = {row.data.get("phase") for row in rows if row.kind != PROGRESS}
    if len(rows) == LOG_LINES:
        moved.add(None)
    return News(_lines(row for row in rows if row.level is not Level.DEBUG), progressed, moved)


def _lines(rows: Iterable[AnyRow]) -> list[EventLine]:
    return [
        EventLine(
            seq=row.seq,
            at=row.at,
            level=row.level.value,
            phase=row.data.get("phase"),
            message=row.message,
            details={key: value for key, value in row.data.items() if key not in ("phase", "work")},
        )
        for row in rows
    ]
