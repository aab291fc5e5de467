"""Rules as the page lists them: in pages, with the products that they stand on and those that they changed."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import column, func, select, table
from sqlalchemy.orm import Session

from webapp.access.models import User
from webapp.learning.models import Correction, Rule, RuleState, RuleUse

PAGE = 25
SHOWN = 3
"""Products named with each rule, of either kind."""
# In words of SQL: products belong to a room beside this one.
_PRODUCTS = table("products", column("id"), column("name"), column("code"))


class Named(NamedTuple):
    """A product that a rule names."""

    id: UUID
    name: str | None
    code: str | None


class RuleCard(NamedTuple):
    """A rule as the page shows it. `made_by`: products whose correction it stands on, `changed`: products that it has
    changed, the newest few of `uses`."""

    id: int
    field: str
    old: str | None
    new: str | None
    key_kind: str
    key_value: str
    state: str
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime
    made_by: list[Named]
    changed: list[Named]
    uses: int


def page(
    session: Session, state: RuleState | None = None, before: int | None = None
) -> tuple[list[RuleCard], int | None]:
    """The newest rules, and the id to go on before, if there are more. Three queries, whatever their number."""
    conditions = [Rule.state == state] if state is not None else []
    if before is not None:
        conditions.append(Rule.id < before)
    rows = session.execute(
        select(Rule, User.name)
        .outerjoin(User, User.id == Rule.decided_by)
        .where(*conditions)
        .order_by(Rule.id.desc())
        .limit(PAGE + 1)
    ).all()
    rules = [rule for rule, _ in rows[:PAGE]]
    made_by, (changed, uses) = _made_by(session, rules), _changed(session, rules)
    cards = [
        RuleCard(
            id=rule.id,
            field=rule.field,
            old=rule.old,
            new=rule.new,
            key_kind=rule.key_kind.value,
            key_value=rule.key_value,
            state=rule.state.value,
            decided_by=name,
            decided_at=rule.decided_at,
            created_at=rule.created_at,
            made_by=made_by.get(rule.id, []),
            changed=changed.get(rule.id, []),
            uses=uses.get(rule.id, 0),
        )
        for rule, name in rows[:PAGE]
    ]
    return cards, rules[-1].id if len(rows) > PAGE else None


def _made_by(session: Session, rules: list[Rule]) -> dict[int, list[Named]]:
    """The newest products whose correction each rule stands on."""
    same = (
        (Correction.key_kind == Rule.key_kind)
        & (Correction.key_value == Rule.key_value)
        & (Correction.field == Rule.field)
        & Correction.old.is_not_distinct_from(Rule.old)
        & Correction.new.is_not_distinct_from(Rule.new)
    )
    place = func.row_number().over(partition_by=Rule.id, order_by=Correction.id.desc()).label("place")
    placed = (
        select(Rule.id, Correction.product_id, place)
        .join(Correction, same)
        .where(Rule.id.in_([rule.id for rule in rules]))
        .subquery()
    )
    found: dict[int, list[Named]] = {}
    for rule_id, *product in session.execute(
        select(placed.c.id, *_PRODUCTS.c)
        .join(_PRODUCTS, _PRODUCTS.c.id == placed.c.product_id)
        .where(placed.c.place <= SHOWN)
        .order_by(placed.c.id, placed.c.place)
    ):
        named = Named(*product)
        if named not in found.setdefault(rule_id, []):
            found[rule_id].append(named)
    return found


def _changed(session: Session, rules: list[Rule]) -> tuple[dict[int, list[Named]], dict[int, int]]:
    """The newest products that each rule changed, and how many runs it changed in all."""
    place = func.row_number().over(partition_by=RuleUse.rule_id, order_by=RuleUse.created_at.desc()).label("place")
    many = func.count().over(partition_by=RuleUse.rule_id).label("many")
    placed = (
        select(RuleUse.rule_id, RuleUse.product_id, place, many)
        .where(RuleUse.rule_id.in_([rule.id for rule in rules]))
        .subquery()
    )
    found: dict[int, list[Named]] = {}
    uses: dict[int, int] = {}
    for row in session.execute(
        select(placed.c.rule_id, placed.c.many, *_PRODUCTS.c)
        .join(_PRODUCTS, _PRODUCTS.c.id == placed.c.product_id)
        .where(placed.c.place <= SHOWN)
        .order_by(placed.c.place)
    ):
        found.setdefault(row.rule_id, []).append(Named(row.id, row.name, row.code))
        uses[row.rule_id] = row.many
    return found, uses


def counts(session: Session) -> dict[str, int]:
    """How many rules are in each state."""
    return {state.value: many for state, many in session.execute(select(Rule.state, func.count()).group_by(Rule.state))}
