"""What screens show of runs: cards. A constant number of queries, whatever the number of runs."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, BindParameter, Row, Uuid, any_, bindparam, case, func, select
from sqlalchemy.orm import Session, aliased

from webapp.access.models import User
from webapp.catalog.models import Photo, Product
from webapp.pipeline.models import AnalysisFinding, Phase, PhaseName, Run
from webapp.together import Asked, read_together
from webapp.work.models import Circuit, CircuitState, Stream, Work, WorkState

AnyRow = Row[*tuple[Any, ...]]

MOST_RUNS = 50
"""Of one product, the newest."""

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


class PhotoWanted(NamedTuple):
    """That a reviewer asks the dock for a new photo."""

    note: str
    by_name: str
    """Empty where the person is gone."""
    at: datetime


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
    to_add: int
    """Facts that its listing still lacks."""
    thumb_url: str | None
    photo_count: int
    reasons: tuple[str, ...]
    phases: tuple[PhaseCard, ...]
    seq: int
    is_latest: bool
    photo_wanted: PhotoWanted | None

    @property
    def place(self) -> int:
        """Its number among all that is ever said of its product's row."""
        return place_of(self.number, self.seq)


def place_of(number: int, seq: int) -> int:
    """The order of what is said of a product's row: by run, then by the run's events. Exact as a double, for browsers,
    up to two million runs."""
    return (number << 32) + seq


def photo_url(photo_id: UUID, variant: str) -> str:
    """Address of a photo; spelled here, since `url_for` for each of fifty rows costs more than the rows do."""
    return f"/photos/{photo_id}/{variant}"


_primary = aliased(Photo)
_analysis = aliased(Phase)
_asker = aliased(User)
_asker_name = select(_asker.name).where(_asker.id == Product.photo_wanted_by).correlate(Product).scalar_subquery()
_photo_count = (
    select(func.count())
    .where(Photo.product_id == Run.product_id, Photo.replaced_by.is_(None))
    .correlate(Run)
    .scalar_subquery()
)
RUNS = (
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
        Run.to_add,
        Run.reasons,
        Run.hints,
        Run.is_latest,
        Product.name,
        Product.photo_wanted_at,
        Product.photo_wanted_note,
        _asker_name.label("asker"),
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
    .order_by(Phase.run_id, Phase.number)
)
# Built once: the renderer asks these for every event, and building a statement costs more than running it.
_of_run: BindParameter[UUID] = bindparam("run_id")
_of_runs = any_(bindparam("run_ids", type_=ARRAY(Uuid)))
_of_streams = any_(bindparam("stream_ids", type_=ARRAY(BigInteger)))
_of_product: BindParameter[UUID] = bindparam("product_id")
_phases_of_runs = _PHASES.join(Run, Run.id == Phase.run_id)
_RUN, _PHASES_OF_RUN = RUNS.where(Run.id == _of_run), _PHASES.where(Phase.run_id == _of_run)
_PHASES_OF_RUNS = _PHASES.where(Phase.run_id == _of_runs)
_RUNS_OF_STREAMS = RUNS.where(Run.stream_id == _of_streams)
_PHASES_OF_STREAMS = _phases_of_runs.where(Run.stream_id == _of_streams)
_RUNS_OF_PRODUCT = RUNS.where(Run.product_id == _of_product).order_by(Run.number.desc()).limit(MOST_RUNS)
_PHASES_OF_PRODUCT = _phases_of_runs.where(Run.product_id == _of_product)

known: dict[UUID, tuple[AnyRow, RunCard]] = {}
"""Cards made before, with the rows they were made of. A run's phases change only together with its stream's number,
which is in the row, so the same row means the same card."""
MANY_KNOWN = 2000


def cards_of(session: Session, runs: Sequence[AnyRow], phases: Iterable[AnyRow] | None = None) -> list[RunCard]:
    """The cards of rows of `RUNS`. Where their phases were not read with them, those of the unknown are read now."""
    found = {row.id: before[1] for row in runs if (before := known.get(row.id)) is not None and before[0] == row}
    news = [row for row in runs if row.id not in found]
    if phases is None:
        [phases] = read_together(session, (_PHASES_OF_RUNS, {"run_ids": [row.id for row in news]})) if news else [[]]
    of_runs: dict[UUID, list[PhaseCard]] = {row.id: [] for row in news}
    latest = {row.id for row in news if row.is_latest}
    for item in phases:
        if item.run_id in of_runs:
            of_runs[item.run_id].append(_phase(item, acts=item.run_id in latest))
    if len(known) > MANY_KNOWN:
        known.clear()
    for row in news:
        card = found[row.id] = _card(row, tuple(of_runs[row.id]))
        # What waits may wait behind a circuit, which changes without the run's doing.
        if all(phase.state != WorkState.WAITING for phase in card.phases):
            known[row.id] = row, card
    return [found[row.id] for row in runs]


def _card(row: AnyRow, phases: tuple[PhaseCard, ...]) -> RunCard:
    return RunCard(
        id=row.id,
        stream_id=row.stream_id,
        number=row.number,
        state=row.state.value,
        product_id=row.product_id,
        client_id=row.client_id,
        created_by=row.created_by,
        # What a later run calls the product is no news of an earlier one, whose open page would not hear of it.
        title=(row.name or row.hints.get("name")) if row.is_latest else (row.hints.get("name") or row.guess),
        guess=row.guess,
        uploader_name=row.uploader or "",
        created_at=row.created_at,
        changed_at=row.changed_at,
        confidence=row.confidence,
        to_add=row.to_add,
        thumb_url=photo_url(row.photo_id, "thumb") if row.photo_id else None,
        photo_count=row.photo_count,
        reasons=tuple(row.reasons),
        phases=phases,
        seq=row.seq,
        is_latest=row.is_latest,
        photo_wanted=_photo_wanted(row) if row.is_latest else None,
    )


def _photo_wanted(row: AnyRow) -> PhotoWanted | None:
    if row.photo_wanted_at is None:
        return None
    return PhotoWanted(row.photo_wanted_note, row.asker or "", row.photo_wanted_at)


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


def card(session: Session, run_id: UUID) -> RunCard | None:
    """One run."""
    wanted = {"run_id": run_id}
    cards = cards_of(session, *read_together(session, (_RUN, wanted), (_PHASES_OF_RUN, wanted)))
    return cards[0] if cards else None


def ask_product(product_id: UUID) -> tuple[Asked, Asked]:
    """For `cards_of`: all runs of a product, newest first, and their phases."""
    wanted = {"product_id": product_id}
    return (_RUNS_OF_PRODUCT, wanted), (_PHASES_OF_PRODUCT, wanted)


def cards_of_product(session: Session, product_id: UUID) -> list[RunCard]:
    """All runs of a product, newest first."""
    return cards_of(session, *read_together(session, *ask_product(product_id)))


def ask_streams(stream_ids: Collection[int]) -> tuple[Asked, Asked]:
    """For `cards_of`: runs by their streams, without those that are removed or not the tenant's, and their phases."""
    wanted = {"stream_ids": list(stream_ids)}
    return (_RUNS_OF_STREAMS, wanted), (_PHASES_OF_STREAMS, wanted)
