"""What the calibration page shows, in a constant number of queries."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.access.models import Client, User
from webapp.calibration import charts, matching, observations, services
from webapp.calibration.observations import Seen, Verdict
from webapp.learning.models import Calibration
from webapp.phases.calibration import MIN_DECISIONS, MIN_SURE
from webapp.phases.calibration.bounds import Share, share
from webapp.phases.calibration.estimates import (
    Bin,
    Judged,
    Point,
    Simulation,
    Week,
    by_threshold,
    by_week,
    expected_error,
    reliability,
    simulate,
)
from webapp.work.models import Work, WorkState

ENOUGH_TO_DRAW = 20
"""Decisions from which pictures are shown."""
ENOUGH_TO_FORETELL = 20
"""Decisions in between from which the simulator names a number of errors: of fewer, bounds leave nearly all open."""
DAYS_TO_FORETELL = 7
"""Days of products from which it says what comes a day or a month: a week has its busy and its idle days."""
TABLE_STEP = 5
VERSIONS = 20


class PathRow(NamedTuple):
    """One way of evidence: products, those that go on by themselves, and the judged among all of them."""

    path: str
    products: int
    accepted: int
    reviews: int
    audits: int
    right: Share


class Version(NamedTuple):
    """A calibration of a catalog. Shares 0..1."""

    version: int
    is_used: bool
    at: datetime
    by_name: str | None
    decisions: int
    ece: float
    accepted: float
    lower: float


class CatalogRow(NamedTuple):
    """How far a catalog is: `decisions` of MIN_DECISIONS, `sure` of MIN_SURE; its calibrations, newest first."""

    id: UUID
    name: str
    decisions: int
    sure: int
    is_fitting: bool
    versions: list[Version]

    @property
    def has_enough(self) -> bool:
        """Whether a fit has a chance."""
        return self.decisions >= MIN_DECISIONS and self.sure >= MIN_SURE


class Outlook(NamedTuple):
    """What another threshold would change, and how much that stands on: `products` with a score in between, analysed in
    `days` days."""

    simulation: Simulation
    products: int
    days: float

    @property
    def is_long_enough(self) -> bool:
        """Whether these days tell what comes in others."""
        return self.days >= DAYS_TO_FORETELL

    @property
    def has_enough_decisions(self) -> bool:
        """Whether the decisions in between tell how many errors there are."""
        return self.simulation.judged >= ENOUGH_TO_FORETELL


class Figures(NamedTuple):
    """All that the page is made of."""

    threshold: int
    audit_percent: int
    reviews: int
    audits: int
    unnamed: int
    """Decided, where the machine had made no guess."""
    bins: list[Bin]
    error: float
    points: list[Point]
    weeks: list[Week]
    paths: list[PathRow]
    catalogs: list[CatalogRow]
    outlook: Outlook
    sure_reviews: int
    """Of the reviews, those with a score that goes on by itself today: the threshold was another one then."""
    sure_audits: int
    reliability: charts.Chart
    thresholds: charts.Chart
    drift: charts.Chart
    matching: matching.Figures

    @property
    def is_enough(self) -> bool:
        """Whether there is enough to draw."""
        return self.reviews + self.audits >= ENOUGH_TO_DRAW


def figures(session: Session, client_id: UUID, catalog_id: UUID | None, wanted: int | None) -> Figures:
    """The page of one catalog, or of all. `wanted`: another threshold to simulate."""
    client = session.get_one(Client, client_id)
    since = observations.window_start()
    # All catalogs' decisions, for their progress; the pictures are of the chosen one.
    verdicts = observations.verdicts(session, since)
    seen = observations.seen(session, since, catalog_id)
    shown = [each for each in verdicts if catalog_id in (None, each.catalog_id)]
    judged = [each.judged for each in shown if each.judged]
    bins, points = reliability(judged), by_threshold(judged, _scores(seen))
    weeks = by_week(judged, _by_week(seen), client.review_threshold)
    audits = sum(each.is_audit for each in shown)
    sure = [each for each in shown if each.judged and each.judged.shown >= client.review_threshold]
    sure_audits = sum(each.is_audit for each in sure)
    return Figures(
        threshold=client.review_threshold,
        audit_percent=client.audit_percent,
        reviews=len(shown) - audits,
        audits=audits,
        unnamed=len(shown) - len(judged),
        bins=bins,
        error=expected_error(bins, judged),
        points=points[::TABLE_STEP],
        weeks=weeks,
        paths=_paths(seen, shown, client.review_threshold),
        catalogs=_catalogs(session, verdicts),
        outlook=_outlook(judged, seen, client.review_threshold, wanted),
        sure_reviews=len(sure) - sure_audits,
        sure_audits=sure_audits,
        reliability=charts.reliability(bins),
        thresholds=charts.thresholds(points),
        drift=charts.drift(weeks),
        matching=matching.figures(session, client_id),
    )


def outlook(session: Session, client_id: UUID, catalog_id: UUID | None, wanted: int | None) -> Outlook:
    """What another threshold would change, alone."""
    client = session.get_one(Client, client_id)
    since = observations.window_start()
    judged = [each.judged for each in observations.verdicts(session, since, catalog_id) if each.judged]
    seen = observations.seen(session, since, catalog_id)
    return _outlook(judged, seen, client.review_threshold, wanted)


def _outlook(judged: Sequence[Judged], seen: Sequence[Seen], now: int, wanted: int | None) -> Outlook:
    moment, threshold = datetime.now(UTC), now if wanted is None else wanted
    days = (moment - min((each.first for each in seen), default=moment)).total_seconds() / 86_400
    low, high = sorted((now, threshold))
    return Outlook(
        simulate(judged, _scores(seen), days, now=now, threshold=threshold),
        products=sum(each.products for each in seen if low <= each.shown < high),
        days=days,
    )


def _scores(seen: Sequence[Seen]) -> dict[int, int]:
    counts: Counter[int] = Counter()
    for each in seen:
        counts[each.shown] += each.products
    return counts


def _by_week(seen: Sequence[Seen]) -> dict[date, dict[int, int]]:
    weeks: defaultdict[date, Counter[int]] = defaultdict(Counter)
    for each in seen:
        weeks[each.week][each.shown] += each.products
    return dict(weeks)


def _paths(seen: Sequence[Seen], verdicts: Sequence[Verdict], threshold: int) -> list[PathRow]:
    rows = []
    for path in sorted({each.path for each in seen} | {each.path for each in verdicts}):
        here = [each for each in seen if each.path == path]
        told = [each for each in verdicts if each.path == path]
        audits = sum(each.is_audit for each in told)
        rows.append(
            PathRow(
                path=path,
                products=sum(each.products for each in here),
                accepted=sum(each.products for each in here if each.shown >= threshold),
                reviews=len(told) - audits,
                audits=audits,
                right=share((each.judged.right, each.judged.weight) for each in told if each.judged),
            )
        )
    return sorted(rows, key=lambda row: -row.products)


def _catalogs(session: Session, verdicts: Sequence[Verdict]) -> list[CatalogRow]:
    catalogs = services.catalogs(session)
    versions: defaultdict[UUID, list[Version]] = defaultdict(list)
    ids = [each.id for each in catalogs]
    kept = (
        select(Calibration, User.name)
        .outerjoin(User, User.id == Calibration.fitted_by)
        .where(Calibration.catalog_id.in_(ids))
        .order_by(Calibration.id.desc())
    )
    for row, by_name in session.execute(kept.limit(VERSIONS * len(ids))):
        versions[row.catalog_id].append(_version(row, by_name))
    keys = [services.dedup_key(each) for each in ids]
    active = [WorkState.BLOCKED, WorkState.READY, WorkState.RUNNING, WorkState.WAITING]
    fitting = set(
        session.execute(select(Work.dedup_key).where(Work.dedup_key.in_(keys), Work.state.in_(active))).scalars()
    )
    return [
        CatalogRow(
            id=each.id,
            name=each.name,
            decisions=sum(one.catalog_id == each.id and one.judged is not None for one in verdicts),
            sure=sum(one.catalog_id == each.id and one.judged is not None and one.was_sure for one in verdicts),
            is_fitting=services.dedup_key(each.id) in fitting,
            versions=versions[each.id],
        )
        for each in catalogs
    ]


def _version(row: Calibration, by_name: str | None) -> Version:
    fitted = row.calibrator
    return Version(
        version=row.version,
        is_used=row.is_used,
        at=row.created_at,
        by_name=by_name,
        decisions=row.decisions,
        ece=fitted["ece"],
        accepted=fitted["accepted"],
        lower=fitted["lower"],
    )
