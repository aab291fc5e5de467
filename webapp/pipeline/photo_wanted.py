"""A photo is wanted: a reviewer asks the dock for a new one. Kept with the product, and only while its newest run waits
for a review: whatever ends that ends the question.

Callers hold a `transaction()` and the locks of `services.locked_product`.
"""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.catalog.models import Product
from webapp.pipeline.models import Run
from webapp.work.events import NewEvent, record


def begin(session: Session, product: Product, run: Run, note: str, *, by: UUID, by_name: str) -> None:
    """Ask for a photo on which is what the note says."""
    product.photo_wanted_at = session.execute(select(func.clock_timestamp())).scalar_one()
    product.photo_wanted_by, product.photo_wanted_note = by, note
    session.flush()
    record(run.client_id, run.stream_id, NewEvent("run.photo_wanted", f"Photo wanted by {by_name}: {note}"))


def end(session: Session, run: Run, why: str) -> None:
    """No photo is wanted any more, if one was; `why` ends the line of the log."""
    session.flush()
    product = session.get_one(Product, run.product_id, populate_existing=True)  # plain statements change it as well
    if product.photo_wanted_at is None:
        return
    product.photo_wanted_at = product.photo_wanted_by = product.photo_wanted_note = None
    session.flush()
    record(run.client_id, run.stream_id, NewEvent("run.photo_wanted_ended", f"No photo is wanted any more: {why}"))
