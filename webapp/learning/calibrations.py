"""Calibrations: kept per catalog, one in use, earlier ones to go back to.

Callers hold a `transaction()` (or `reading()` for look-ups); nothing here commits.
"""

from uuid import UUID

import msgspec
from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from webapp.audit import services as audit
from webapp.audit.services import Actor
from webapp.errors import NotFound
from webapp.learning.models import Calibration
from webapp.phases.calibration import Calibrator

KEPT_VERSIONS = 20
"""Calibrations kept per catalog."""


def calibrator_for(session: Session, catalog_id: UUID) -> Calibrator | None:
    """The calibrator in use at a catalog; None: the defaults hold."""
    kept = session.execute(
        select(Calibration.calibrator).where(Calibration.catalog_id == catalog_id, Calibration.is_used)
    ).scalar_one_or_none()
    return msgspec.convert(kept, Calibrator) if kept is not None else None


def keep_calibrator(
    session: Session, client_id: UUID, catalog_id: UUID, fitted: Calibrator, *, user_id: UUID | None, actor: Actor
) -> Calibration:
    """Use a freshly fitted calibrator at a catalog from now on; where the one in use has seen the same decisions, that
    one stays."""
    lock_catalog(session, catalog_id)
    used = session.execute(
        select(Calibration).where(Calibration.catalog_id == catalog_id, Calibration.is_used)
    ).scalar_one_or_none()
    if used is not None and used.fingerprint == fitted.fingerprint:
        return used
    last = session.execute(
        select(func.max(Calibration.version)).where(Calibration.catalog_id == catalog_id)
    ).scalar_one_or_none()
    version = (last or 0) + 1
    kept = Calibration(
        client_id=client_id,
        catalog_id=catalog_id,
        version=version,
        calibrator=msgspec.to_builtins(msgspec.structs.replace(fitted, version=version)),
        decisions=fitted.decisions,
        fingerprint=fitted.fingerprint,
        fitted_by=user_id,
    )
    session.add(kept)
    session.flush()
    use_calibration(session, catalog_id, kept.version, actor=actor)
    session.execute(
        delete(Calibration).where(
            Calibration.catalog_id == catalog_id, ~Calibration.is_used, Calibration.version <= version - KEPT_VERSIONS
        )
    )
    return kept


def use_calibration(session: Session, catalog_id: UUID, version: int | None, *, actor: Actor) -> None:
    """Use another calibration of a catalog, an earlier one too; None: go back to the defaults."""
    lock_catalog(session, catalog_id)
    rows = (
        session.execute(
            select(Calibration).where(
                Calibration.catalog_id == catalog_id, or_(Calibration.is_used, Calibration.version == (version or 0))
            )
        )
        .scalars()
        .all()
    )
    wanted = next((row for row in rows if row.version == version), None)
    used = next((row for row in rows if row.is_used), None)
    if version is not None and wanted is None:
        raise NotFound("There is no such calibration any more.")
    if wanted is used:
        return
    for row, is_used in ((used, False), (wanted, True)):  # in this order: only one may be in use
        if row is not None:
            row.is_used = is_used
            session.flush()
    some = wanted or used
    audit.record(
        actor,
        "calibration_chosen",
        client_id=some.client_id if some else None,
        table="catalogs",
        row_id=catalog_id,
        old={"version": used.version if used else None},
        new={"version": version},
    )


def lock_catalog(session: Session, catalog_id: UUID) -> None:
    """One fit of a catalog at a time."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"calibration of {catalog_id}", 0))))
