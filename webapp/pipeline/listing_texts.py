"""A person's hand in a listing: title, bullet points, description, price and category as they want them."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.audit.services import Actor
from webapp.audit.services import record as write_down
from webapp.errors import Conflict, NotFound
from webapp.phases.facts import Listing
from webapp.phases.listing.edited import TEXTS, VALUES, with_edited
from webapp.pipeline import findings, services
from webapp.pipeline.models import ListingFinding, PhaseName
from webapp.together import read_together
from webapp.work.events import NewEvent, record
from webapp.work.models import Work, WorkState


def version(session: Session, run_id: UUID) -> str:
    """Names the listing of the run as it is now: another one as soon as anybody, or a later run, writes it."""
    [rows] = read_together(session, findings.ask_versions(run_id))
    written = findings.versions(rows)[PhaseName.LISTING.value]
    return f"{run_id} {written.isoformat()}" if written else ""


def edit(
    session: Session, product_id: UUID, texts: dict[str, Any], actor: Actor, by_name: str, currency: str, seen: str
) -> list[str]:
    """Put a person's texts (and price, in this currency, and category) in the place of those in the newest listing, for
    good: later runs keep them. Which of them changed; what is the same stays whoever's it was. `seen`: the `version`
    of the listing that they looked at while they wrote.

    Raises:
        NotFound: there is no such product, or no listing of it.
        Conflict: its listing is being written, or was changed since they looked.
    """
    product, run = services.locked_product(session, product_id)
    if product.deleted_at is not None:
        raise NotFound("There is no such product.")
    places, found = findings.read_all(session, run.id)
    listing: Listing | None = found[PhaseName.LISTING]
    if listing is None:
        raise NotFound("This product's listing is not written yet.")
    place = places[PhaseName.LISTING]
    state = session.execute(select(Work.state).where(Work.id == place.work_id)).scalar_one()
    if state is not WorkState.DONE:
        raise Conflict("The listing is being written anew. Edit it when it is done.")
    if version(session, run.id) != seen:
        raise Conflict(
            "The listing was changed while you wrote. Compare yours with it as it is now, and save again to put yours"
            " in its place."
        )
    present: dict[str, Any] = {name: getattr(listing, name) for name in (*TEXTS, *VALUES, "currency")}
    present["bullets"] = list(listing.bullets)
    changed = {name: text for name, text in texts.items() if text != present[name]}
    if "price" in texts and currency != present["currency"]:
        changed["price"] = texts["price"]
    if "price" in changed:
        changed["currency"] = currency
    if not changed:
        return []
    product.listing_texts = {**product.listing_texts, **changed}
    if "price" in changed:
        product.price, product.currency = Decimal(changed["price"]), currency
    product.category = changed.get("category", product.category)
    session.flush()
    epoch = session.execute(select(ListingFinding.epoch).where(ListingFinding.phase_id == place.phase_id)).scalar_one()
    after = with_edited(listing, changed)
    run.to_add = len(after.missing)
    findings.write(session, run.client_id, place.phase_id, PhaseName.LISTING.number, epoch, after)
    event = NewEvent("listing.edited", f"Listing edited by {by_name}", data={"phase": PhaseName.LISTING.value})
    record(run.client_id, run.stream_id, event)
    old = {name: present[name] for name in changed}
    write_down(
        actor, "listing_edited", client_id=run.client_id, table="products", row_id=product_id, old=old, new=changed
    )
    return list(changed)
