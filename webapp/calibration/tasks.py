"""What a worker does when somebody asks for a fit, or for learning from reviews."""

import logging
from uuid import UUID

from sqlalchemy.orm import Session

from webapp.audit.services import Actor
from webapp.calibration import matching, services
from webapp.database import transaction
from webapp.work import services as work
from webapp.work.lease import Lease
from webapp.work.moves import Moved

log = logging.getLogger(__name__)


def fit(lease: Lease) -> None:
    """Fit the catalog that the lease is on. Done twice it changes nothing: the same decisions give the same curves."""
    user_id = UUID(lease.claim.args["user_id"])
    lease.report(10, "Reading the decisions")
    fitted = services.fit(
        lease.claim.client_id,
        UUID(lease.claim.args["catalog_id"]),
        user_id=user_id,
        actor=Actor(user_id=user_id),
    )
    with transaction() as session:
        work.finish(session, lease.claim, fitted.says)


def fit_failed(_session: Session, moved: Moved) -> None:
    """Nothing to tidy up: the calibrator in use stays in use."""
    log.warning("calibration_failed", extra={"work_id": moved.id})


def learn_matching(lease: Lease) -> None:
    """Learn from the client's reviews which names are the same product."""
    matching.learn(lease, Actor(user_id=UUID(lease.claim.args["user_id"])))


def learn_matching_failed(_session: Session, moved: Moved) -> None:
    """Nothing to tidy up: the matcher in use stays in use."""
    log.warning("matching_not_learned", extra={"work_id": moved.id})
