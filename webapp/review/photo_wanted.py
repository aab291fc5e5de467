"""A reviewer asks the dock for a new photo of a product that waits for a review, or takes the question back."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from webapp.access.models import User
from webapp.audit import services as audit
from webapp.audit.services import Actor
from webapp.catalog.models import Product
from webapp.errors import Conflict
from webapp.phases.facts import POOR, Analysis
from webapp.pipeline import photo_wanted
from webapp.pipeline import services as pipeline
from webapp.pipeline.models import RunState

MOST_NOTE = 200
"""Characters of a note."""


class Proposal(NamedTuple):
    """A note at one press. `fits`: whether the machine lacks what it asks for."""

    note: str
    fits: bool


def proposals(found: Analysis | None) -> list[Proposal]:
    """The notes that a press sends, first those that fit what the analysis lacks. All are there: a reviewer may see
    what the machine does not."""
    lacks_number = found is None or found.gtin.claimed is None
    lacks_name = found is None or found.name.claimed is None
    is_poor = found is not None and any(photo.score <= POOR for photo in found.photos)
    notes = [
        Proposal("The barcode, please", lacks_number),
        Proposal("The front with the name", lacks_name),
        Proposal("Closer and sharp", is_poor),
    ]
    return sorted(notes, key=lambda proposal: not proposal.fits)


def ask(
    session: Session, product_id: UUID, note: str, *, seen: datetime | None, user_id: UUID, user_name: str, actor: Actor
) -> None:
    """Ask the dock for a new photo; until it comes, the product is not in the line of the review queue. The same
    question of the same person, sent twice, is asked once.

    `seen`: when the review began that the reviewer looked at, which tells whether the photos are still those.

    Raises:
        Conflict: somebody else asks already, a photo came meanwhile, or the product waits for no review (any more).
    """
    product, run = pipeline.locked_product(session, product_id)
    if product.deleted_at is not None or run.state is not RunState.REVIEW:
        raise Conflict("This product is not waiting for a review any more.")
    if product.photo_wanted_at is not None:
        if (product.photo_wanted_by, product.photo_wanted_note) == (user_id, note):
            return
        raise Conflict(f"{_name_of(session, product)} asks for a new photo already: {product.photo_wanted_note}")
    if run.changed_at != seen:
        raise Conflict("This product was looked at anew since you opened it. Please look at it as it is now.")
    photo_wanted.begin(session, product, run, note, by=user_id, by_name=user_name)
    _note(actor, "photo_wanted", product, new={"photo_wanted_note": note})


def take_back(session: Session, product_id: UUID, *, user_name: str, actor: Actor) -> None:
    """Take the question back, whoever asked it: the product waits for a review as before.

    Raises:
        Conflict: no photo is wanted (any more).
    """
    product, run = pipeline.locked_product(session, product_id)
    note = product.photo_wanted_note
    if note is None:
        raise Conflict("No photo of this product is wanted any more.")
    photo_wanted.end(session, run, f"{user_name} took the question back")
    _note(actor, "photo_wanted_taken_back", product, old={"photo_wanted_note": note})


def _name_of(session: Session, product: Product) -> str:
    asker = session.get(User, product.photo_wanted_by) if product.photo_wanted_by else None
    return asker.name if asker else "Somebody"


def _note(actor: Actor, action: str, product: Product, **facts: dict[str, str]) -> None:
    audit.record(actor, action, client_id=product.client_id, table="products", row_id=product.id, **facts)
