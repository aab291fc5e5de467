"""Fitting: asked for by a button or a command, done by a worker or at once."""

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.audit.services import Actor
from webapp.calibration import observations
from webapp.catalog.models import Catalog
from webapp.database import reading, transaction
from webapp.errors import Conflict, NotFound
from webapp.learning import calibrations
from webapp.learning.models import Calibration
from webapp.phases.calibration import MIN_DECISIONS, MIN_SURE, NotEnough
from webapp.work import services as work
from webapp.work.events import create_stream

KIND = "calibration"
LANE = "light"


class Fitted(NamedTuple):
    """What came of a fit, in words; `version` is None where there was not enough to learn from."""

    version: int | None
    says: str


def ask_for_fit(session: Session, client_id: UUID, catalog_id: UUID, *, user_id: UUID) -> None:
    """Let a worker fit the catalog's calibrator.

    Raises:
        Conflict: that is under way already.
    """
    catalog = session.get(Catalog, catalog_id)
    if catalog is None:
        raise NotFound("There is no such catalog.")
    args = {"label": "Calibration", "catalog_id": str(catalog_id), "user_id": str(user_id)}
    ask_once(session, client_id, kind=KIND, dedup_key=dedup_key(catalog_id), args=args, already="This is being fitted")


def ask_once(
    session: Session, client_id: UUID, *, kind: str, dedup_key: str, args: dict[str, Any], already: str
) -> None:
    """Let a worker do something that is done once at a time. `already`: what it is told with who asks meanwhile.

    Raises:
        Conflict: that is under way already.
    """
    try:
        with session.begin_nested():
            stream = create_stream(session, client_id, kind)
            work.create(
                session,
                client_id=client_id,
                stream_id=stream.id,
                kind=kind,
                lane=LANE,
                args=args,
                ready=True,
                dedup_key=dedup_key,
            )
    except IntegrityError:
        raise Conflict(f"{already} already.") from None


def dedup_key(catalog_id: UUID) -> str:
    """Of the work that fits a catalog: one at a time."""
    return f"{KIND}:{catalog_id}"


def fit(client_id: UUID, catalog_id: UUID, *, user_id: UUID | None, actor: Actor) -> Fitted:
    """Fit the catalog's calibrator to its decisions and use it from now on. No transaction stays open meanwhile."""
    from webapp.phases.calibration.fitting import fit as fit_curves  # numpy: for those who fit only

    with reading() as session:
        found = observations.decisions(session, catalog_id)
    try:
        fitted = fit_curves(found)
    except NotEnough as few:
        return Fitted(None, _not_enough(few))
    with transaction() as session:
        kept = calibrations.keep_calibrator(session, client_id, catalog_id, fitted, user_id=user_id, actor=actor)
    return Fitted(kept.version, _says(kept))


def _not_enough(few: NotEnough) -> str:
    return (
        f"The defaults stay: {few.decisions} of {MIN_DECISIONS} decisions are there,"
        f" {few.sure} of {MIN_SURE} on products that Lotline was sure of"
    )


def _says(kept: Calibration) -> str:
    fitted = kept.calibrator
    bound = f"{100 * fitted['lower']:.1f} % right at least" if fitted["accepted"] else "no score keeps the promise yet"
    return (
        f"Version {kept.version} from {kept.decisions} decisions:"
        f" {100 * fitted['accepted']:.0f} % at 80 and above, {bound}"
    )


def catalogs(session: Session, limit: int = 50) -> list[Catalog]:
    """The client's catalogs, the default one first."""
    return list(
        session.execute(
            select(Catalog).order_by(Catalog.is_default.desc(), Catalog.name, Catalog.id).limit(limit)
        ).scalars()
    )
