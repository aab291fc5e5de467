"""Audits: what a person says about a run that went on by itself and was drawn to be looked at."""

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from webapp.errors import Conflict
from webapp.phases.facts import Analysis
from webapp.pipeline import corrections, settling
from webapp.pipeline.models import AuditState, Run
from webapp.work.events import NewEvent, record


class Settled(NamedTuple):
    """What an audit's decision did. `before`: what the machine had found. `replaced`: what the product was, to take the
    decision back; None where a person had settled it since, and nothing was changed."""

    before: Analysis
    replaced: dict[str, Any] | None


def settle(session: Session, run_id: UUID, settled: dict[str, str | None], *, by: UUID, by_name: str) -> Settled:
    """A reviewer's word on an audited run: the product's values are the reviewer's from now on. Where the machine was
    wrong, the product starts again with them.

    Raises:
        Conflict: the audit is decided already, or the product was removed.
    """
    product, newest, run = corrections.locked(session, run_id)
    if run.audit is not AuditState.OPEN:
        raise Conflict("This audit is decided already.")
    if product.deleted_at is not None:
        raise Conflict("This product has been removed.")
    before = corrections.analysis_of(session, run_id)
    if before is None:
        raise Conflict("This run has no findings to check.")
    is_right = {name: getattr(before, name).claimed for name in settled} == settled
    run.audit = AuditState.DECIDED
    session.flush()
    _tell(run, newest, NewEvent("run.audited", f"Checked by {by_name}: {'right' if is_right else 'corrected'}"))
    if "name" in product.fixed_fields:
        return Settled(before, None)
    replaced = {
        "fixed_fields": product.fixed_fields,
        "values": corrections.values_of(product),
        "category": product.category,
    }
    settling.apply_analysis(
        session,
        product.id,
        settling.settle(before, settled, f"{by_name} checked it"),
        fixed=settling.SETTLED_FIELDS,
    )
    if not is_right:
        corrections.start_again(session, newest, by, f"Started again with what {by_name} corrected")
    return Settled(before, replaced)


def take_back(
    session: Session,
    run_id: UUID,
    after: dict[str, str | None],
    replaced: dict[str, Any] | None,
    *,
    was_corrected: bool,
    by: UUID,
) -> None:
    """Undo an audit's decision: the audit is open again, the product is as it was; corrected, it starts again.

    Raises:
        Conflict: the audit is not decided, or somebody has changed the product since.
    """
    product, newest, run = corrections.locked(session, run_id)
    if run.audit is not AuditState.DECIDED:
        raise Conflict("This audit is not decided.")
    if product.deleted_at is not None:
        raise Conflict("This product has been removed.")
    if replaced is not None:
        values = corrections.values_of(product)
        if any(values[name] != value for name, value in after.items()):
            raise Conflict("Somebody has changed this product since; the decision cannot be taken back any more.")
        was = settling.Called(product.name, product.gtin14)
        for name, value in replaced["values"].items():
            setattr(product, settling.column_of(name), value)
        settling.note_another(session, product.id, was, settling.Called(product.name, product.gtin14))
        product.fixed_fields = replaced["fixed_fields"]
        product.category = replaced.get("category", product.category)
        session.flush()
        if was_corrected:
            corrections.start_again(session, newest, by, "Started again: a correction was taken back")
    run.audit = AuditState.OPEN
    session.flush()
    _tell(run, newest, NewEvent("run.audit_reopened", "The decision of the audit was taken back"))


def _tell(run: Run, newest: Run, event: NewEvent) -> None:
    """The audited run, and the one that stands for the product now: what the product is called may have changed."""
    for each in {run.stream_id, newest.stream_id}:
        record(run.client_id, each, event)
