"""What a person corrects about a product at any time: its values are the person's from then on, and it starts again."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from webapp.catalog.models import Product
from webapp.errors import Conflict, NotFound
from webapp.lib.fingerprint import fingerprint
from webapp.phases.facts import Analysis
from webapp.pipeline import findings, services, settling
from webapp.pipeline.models import AuditState, PhaseName, Run, RunState

Values = dict[str, str | None]
"""What a product is, by the names of settling.SETTLED_FIELDS."""


def correct(session: Session, run_id: UUID, after: Values, *, seen: str, by: UUID, by_name: str) -> Analysis | None:
    """Put a person's values in the place of the product's, whoever settled them, and start it again with them. `seen`:
    the mark of what the person looked at. Returns what the run had found; None where the values are the product's.

    Raises:
        Conflict: the run is not the product's newest, waits for a person, or has found nothing; or the product was
            removed, or changed since it was looked at.
    """
    product, newest, run = locked(session, run_id)
    if product.deleted_at is not None:
        raise Conflict("This product has been removed.")
    if run.id != newest.id:
        raise Conflict("This product was started again since. Please look at its newest run.")
    if run.state is RunState.REVIEW or run.audit is AuditState.OPEN:
        raise Conflict("This product waits for a person; please decide it as it stands.")
    found = analysis_of(session, run_id)
    if found is None:
        raise Conflict("Nothing has been found yet that could be corrected.")
    if mark_of(product) != seen:
        raise Conflict("Somebody has changed this product since you opened it. What you typed is still here.")
    if values_of(product) == after:
        return None
    settled = settling.settle(found, after, f"{by_name} corrected it")
    settling.apply_analysis(session, product.id, settled, fixed=settling.SETTLED_FIELDS)
    start_again(session, newest, by, f"Started again with what {by_name} corrected")
    return found


def locked(session: Session, run_id: UUID) -> tuple[Product, Run, Run]:
    """The product of a run, its newest run and the run itself, all locked and as they are now."""
    found = session.get(Run, run_id)
    if found is None:
        raise NotFound("There is no such run.")
    product, newest = services.locked_product(session, found.product_id)
    run = session.get_one(Run, run_id, with_for_update=True, populate_existing=True)
    return product, newest, run


def analysis_of(session: Session, run_id: UUID) -> Analysis | None:
    """What phase 1 of the run found."""
    found: Analysis | None = findings.read_all(session, run_id)[1][PhaseName.ANALYSIS]
    return found


def start_again(
    session: Session, newest: Run, by: UUID, message: str, why: str = "a person corrected the product"
) -> None:
    """A new run of the product, in the place of the newest where that is under way; `why` that one stops."""
    if newest.state in (RunState.RUNNING, RunState.REVIEW):
        services.stop_active(session, newest, why)
    services.start_run(
        session,
        client_id=newest.client_id,
        product_id=newest.product_id,
        created_by=newest.created_by,
        started_by=by,
        hints=newest.hints,
        message=message,
    )


def values_of(product: Any) -> Values:
    """What the product is now. `product` has settling.SETTLED_COLUMNS."""
    values = {name: getattr(product, settling.column_of(name)) for name in settling.SETTLED_FIELDS}
    return {name: value.value if name == "condition" and value else value for name, value in values.items()}


def shown(product: Any, found: Analysis) -> Values:
    """What the product is, for the form; what nobody settled and it lacks, as it was found."""
    values = values_of(product)
    for name, value in values.items():
        if value is None and settling.column_of(name) not in product.fixed_fields:
            values[name] = getattr(found, name).trusted
    return values


def mark_of(product: Any) -> str:
    """Tells whether what a person looked at is still so. What the machine writes besides (price, texts) counts not."""
    return fingerprint("settled", sorted(values_of(product).items()))
