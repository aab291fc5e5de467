"""What language models may add to a phase, and why they did not."""

from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from webapp.ai import configured
from webapp.ai.broker import Broker
from webapp.phases import facts
from webapp.work.lease import Lease

Noted = TypeVar("Noted", facts.Analysis, facts.Market, facts.Listing)


def broker_for(lease: Lease, product_id: UUID, uses: Sequence[str]) -> Broker | None:
    """The models that a phase may ask for a product, for the uses that its client allows; None where none is
    configured, so that engines that know of no model are not told of one."""
    models = configured.configured()
    if not models:
        return None
    return Broker(lease, product_id, frozenset(facts.ModelUse) & frozenset(uses), models)


def asked(broker: Broker | None) -> dict[str, Any]:
    """What an engine is given besides its facts."""
    return {} if broker is None else {"model": broker}


def noted(found: Noted, broker: Broker | None) -> Noted:
    """The findings, with the reasons why no model helped where one should."""
    if broker is None or not broker.notes:
        return found
    notes: list[str] = broker.notes
    return msgspec.structs.replace(found, model_notes=(*found.model_notes, *notes))
