"""Corrections noted, rules proposed, accepted, refused, taken back; calibrations kept and chosen.

Callers hold a `transaction()` (or `reading()` for look-ups); nothing here commits.
"""

from collections.abc import Mapping
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.access.models import User
from webapp.audit import services as audit
from webapp.audit.services import Actor
from webapp.errors import Conflict, NotFound
from webapp.learning.models import Calibration, Correction, Rule, RuleState
from webapp.phases.calibration import Calibrator
from webapp.phases.facts import Analysis
from webapp.phases.rules import KeyKind, Ruling, keys_of

TIMES = 3
"""Equal corrections of as many products propose a rule."""
KEPT_VERSIONS = 20
"""Calibrations kept per catalog."""
RULINGS_LIMIT = 50

# --- corrections ----------------------------------------------------------------------------------


def note_corrections(
    session: Session,
    *,
    client_id: UUID,
    run_id: UUID,
    product_id: UUID,
    found: Analysis,
    after: Mapping[str, str | None],
) -> None:
    """Keep what a person changed in what the machine found, and propose the rules that this makes frequent enough."""
    changed = {name: (getattr(found, name).value, value) for name, value in after.items()}
    rows = [
        {
            "client_id": client_id,
            "run_id": run_id,
            "product_id": product_id,
            "field": field,
            "old": old,
            "new": new,
            "key_kind": kind,
            "key_value": key,
        }
        for field, (old, new) in changed.items()
        for kind, key in keys_of(found).items()
        # A brand alone does not say what a field should hold where nothing was found. The condition is the item's own.
        if old != new and (kind is KeyKind.GTIN or old is not None) and field != "condition"
    ]
    if not rows:
        return
    # Two reviewers who make the third equal correction at once: the second sees the first's.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"corrections of {client_id}", 0))))
    session.execute(insert(Correction), rows)
    session.execute(_PROPOSE, {"run_id": run_id, "times": TIMES})


_PROPOSE = text("""
    INSERT INTO rules (client_id, key_kind, key_value, field, old, new)
    SELECT c.client_id, c.key_kind, c.key_value, c.field, c.old, c.new
    FROM corrections c
    JOIN (SELECT client_id, key_kind, key_value, field, old, new FROM corrections WHERE run_id = :run_id) news
      ON (c.client_id, c.key_kind, c.key_value, c.field) = (news.client_id, news.key_kind, news.key_value, news.field)
     AND c.old IS NOT DISTINCT FROM news.old AND c.new IS NOT DISTINCT FROM news.new
    GROUP BY c.client_id, c.key_kind, c.key_value, c.field, c.old, c.new
    HAVING count(DISTINCT c.product_id) >= :times
    ON CONFLICT DO NOTHING
""")
_RETRACT = text("""
    DELETE FROM rules r USING corrections gone
    WHERE gone.run_id = :run_id AND r.state = 'proposed'
      AND (r.client_id, r.key_kind, r.key_value, r.field)
        = (gone.client_id, gone.key_kind, gone.key_value, gone.field)
      AND r.old IS NOT DISTINCT FROM gone.old AND r.new IS NOT DISTINCT FROM gone.new
      AND (SELECT count(DISTINCT c.product_id) FROM corrections c
           WHERE (c.client_id, c.key_kind, c.key_value, c.field) = (r.client_id, r.key_kind, r.key_value, r.field)
             AND c.old IS NOT DISTINCT FROM r.old AND c.new IS NOT DISTINCT FROM r.new
             AND c.run_id <> :run_id) < :times
""")


def forget_corrections(session: Session, run_id: UUID) -> None:
    """A decision was taken back: its corrections go, and proposals that stood on them."""
    session.execute(_RETRACT, {"run_id": run_id, "times": TIMES})
    session.execute(delete(Correction).where(Correction.run_id == run_id))


# --- rules ----------------------------------------------------------------------------------------


def rulings_for(session: Session, keys: Mapping[KeyKind, str]) -> list[Ruling]:
    """Accepted rules for a product with these keys."""
    if not keys:
        return []
    rows = session.execute(
        select(Rule, User.name)
        .outerjoin(User, User.id == Rule.decided_by)
        .where(Rule.state == RuleState.ACCEPTED, tuple_(Rule.key_kind, Rule.key_value).in_(list(keys.items())))
        .order_by(Rule.id)
        .limit(RULINGS_LIMIT)
    )
    return [
        Ruling(
            id=str(rule.id),
            field=rule.field,
            old=rule.old,
            new=rule.new,
            key_kind=rule.key_kind,
            key_value=rule.key_value,
            by=name or "somebody",
            on=(rule.decided_at or rule.created_at).date(),
        )
        for rule, name in rows
    ]


MOVES = {
    RuleState.ACCEPTED: (RuleState.PROPOSED, RuleState.REFUSED, RuleState.WITHDRAWN),
    RuleState.REFUSED: (RuleState.PROPOSED,),
    RuleState.WITHDRAWN: (RuleState.ACCEPTED,),
    RuleState.PROPOSED: (RuleState.REFUSED,),
}
"""From which states a rule gets to each: what was refused or taken back can come again."""
_SAID = {
    RuleState.ACCEPTED: "rule_accepted",
    RuleState.REFUSED: "rule_refused",
    RuleState.WITHDRAWN: "rule_taken_back",
    RuleState.PROPOSED: "rule_reopened",
}


def decide_rule(session: Session, rule_id: int, state: RuleState, *, user_id: UUID, actor: Actor) -> Rule:
    """Accept, refuse, take back or reopen a rule; it holds for products whose analysis ends from now on.

    Raises:
        Conflict: it is not in a state that leads there, or another accepted rule says otherwise.
    """
    rule = session.get(Rule, rule_id, with_for_update=True, populate_existing=True)
    if rule is None:
        raise NotFound("There is no such rule.")
    old = rule.state
    if old not in MOVES[state]:
        raise Conflict(f"This rule is {old} already; somebody else was faster.")
    try:
        with session.begin_nested():
            session.execute(
                update(Rule)
                .where(Rule.id == rule_id)
                .values(state=state, decided_by=user_id, decided_at=func.clock_timestamp())
            )
    except IntegrityError:
        raise Conflict(
            "Another accepted rule says something else of the same products. Take that one back first."
        ) from None
    audit.record(
        actor,
        _SAID[state],
        client_id=rule.client_id,
        table="rules",
        row_id=rule_id,
        old={"state": old},
        new={"state": state},
        details={"field": rule.field, "from": rule.old, "to": rule.new, rule.key_kind.value: rule.key_value},
    )
    session.refresh(rule)
    return rule


# --- calibrations ---------------------------------------------------------------------------------


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
