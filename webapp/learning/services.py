"""Corrections noted; rules proposed, accepted, refused, taken back, used.

Callers hold a `transaction()` (or `reading()` for look-ups); nothing here commits.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.access.models import User
from webapp.audit import services as audit
from webapp.audit.services import Actor
from webapp.errors import Conflict, NotFound
from webapp.learning.models import Correction, Rule, RuleState, RuleUse
from webapp.phases.facts import Analysis
from webapp.phases.rules import KeyKind, Ruling, keys_of, used_in

TIMES = 3
"""Equal corrections of as many products propose a rule."""
RULINGS_LIMIT = 50

_SIZES = ("size", "quantity")

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
    changed = {name: (getattr(found, name).claimed, value) for name, value in after.items()}
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
        # A brand alone does not say what a field should hold where nothing was found, nor how much is in a product. The
        # condition is the item's own.
        if old != new and field != "condition" and (kind is KeyKind.GTIN or (old is not None and field not in _SIZES))
    ]
    if not rows:
        return
    _one_at_a_time(session, client_id)
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
    DELETE FROM rules r
    WHERE r.client_id = :client_id AND r.state = 'proposed'
      AND (SELECT count(DISTINCT c.product_id) FROM corrections c
           WHERE (c.client_id, c.key_kind, c.key_value, c.field) = (r.client_id, r.key_kind, r.key_value, r.field)
             AND c.old IS NOT DISTINCT FROM r.old AND c.new IS NOT DISTINCT FROM r.new) < :times
""")


def forget_corrections(session: Session, client_id: UUID, run_id: UUID, until: datetime) -> None:
    """A decision of then was taken back: its corrections go, and proposals that stood on them. Later ones stay."""
    _one_at_a_time(session, client_id)
    session.execute(delete(Correction).where(Correction.run_id == run_id, Correction.created_at <= until))
    session.execute(_RETRACT, {"client_id": client_id, "times": TIMES})


def revise_corrections(
    session: Session, client_id: UUID, product_id: UUID, after: Mapping[str, str | None]
) -> set[str]:
    """A person changed what had been settled of a product: its corrections of these fields say what holds now, as of
    now, and those that say no more than the machine did go. Returns the fields of which there were any."""
    _one_at_a_time(session, client_id)
    rows = list(
        session.execute(
            select(Correction).where(Correction.product_id == product_id, Correction.field.in_(list(after)))
        ).scalars()
    )
    fields, runs = {row.field for row in rows}, {row.run_id for row in rows}
    for row in rows:
        if after[row.field] == row.old:
            session.delete(row)
        else:
            row.new = after[row.field]
            row.created_at = func.now()  # so that it outlives the decision that it was first made by
    session.flush()
    session.execute(_RETRACT, {"client_id": client_id, "times": TIMES})
    for run_id in runs:
        session.execute(_PROPOSE, {"run_id": run_id, "times": TIMES})
    return fields


def _one_at_a_time(session: Session, client_id: UUID) -> None:
    """Two reviewers who make the third equal correction at once: the second sees the first's."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"corrections of {client_id}", 0))))


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


def note_uses(session: Session, *, client_id: UUID, run_id: UUID, product_id: UUID, found: Analysis) -> None:
    """Keep which rules changed what a run found."""
    rows = [
        {"client_id": client_id, "rule_id": int(rule_id), "run_id": run_id, "product_id": product_id}
        for rule_id in used_in(found)
    ]
    if rows:
        session.execute(insert(RuleUse).on_conflict_do_nothing(), rows)


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
