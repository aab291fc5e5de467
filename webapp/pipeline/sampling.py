"""The draw: a random few of what goes on by itself are put before a person, without stopping.

Whether a product is drawn hangs on its id and the installation's key alone: nobody can foresee it, and starting it
again does not throw the dice again.
"""

import hashlib
import hmac
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from webapp.phases.facts import Analysis
from webapp.pipeline.models import AuditState, Run


class Sampling(NamedTuple):
    """At which rate products are drawn, in per cent, and the key of the dice."""

    percent: int
    key: str


def is_drawn(product_id: UUID, sampling: Sampling) -> bool:
    """Whether this product is one of the few; at a higher rate those of a lower one are drawn too."""
    drawn = hmac.digest(sampling.key.encode(), b"audit" + product_id.bytes, hashlib.sha256)
    return int.from_bytes(drawn[:8]) < sampling.percent * (1 << 64) // 100


def marks(session: Session, product_id: UUID, found: Analysis, sampling: Sampling | None) -> dict[str, Any]:
    """What a run that goes on by itself keeps of the draw; nothing where it was not drawn, where a person has settled
    it already, or where an earlier run of the product was."""
    if sampling is None or found.assessment is None or not is_drawn(product_id, sampling):
        return {}
    earlier = select(exists().where(Run.product_id == product_id, Run.audit.is_not(None)))
    if session.execute(earlier).scalar_one():
        return {}
    return {"audit": AuditState.OPEN, "audit_percent": sampling.percent}
