"""What a client's models may do and cost, and what they did."""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Date, cast, func, literal_column, select, text
from sqlalchemy.orm import Session

from webapp.ai.models import AiCall, AiSpending

PAGE = 50


class Spending(NamedTuple):
    """A month's money, in US dollars."""

    month: date
    spent: Decimal
    reserved: Decimal


class UseSum(NamedTuple):
    """What one use cost in a month."""

    use: str
    calls: int
    tokens: int
    cost_usd: Decimal


class CallCard(NamedTuple):
    """A call as a page shows it."""

    id: int
    at: datetime
    product_id: UUID | None
    product_name: str | None
    use: str | None
    by: str
    model: str
    state: str
    tokens: int
    cost_usd: Decimal
    duration_ms: int
    error: str | None


_MONTH = cast(func.date_trunc("month", func.timezone("UTC", func.clock_timestamp())), Date)
_SPENDING = select(_MONTH.label("month"), AiSpending.spent, AiSpending.reserved).select_from(
    select(literal_column("1")).subquery().outerjoin(AiSpending, AiSpending.month == _MONTH)
)


def spending(session: Session) -> Spending:
    """This month's money."""
    row = session.execute(_SPENDING).one()
    return Spending(row.month, row.spent or Decimal(0), row.reserved or Decimal(0))


def sums(session: Session) -> list[UseSum]:
    """This month's calls by their use, the dearest first."""
    tokens = func.sum(AiCall.tokens_in + AiCall.tokens_out)
    rows = session.execute(
        select(AiCall.use, func.count(), tokens, func.sum(AiCall.cost_usd))
        .where(AiCall.month == _MONTH, AiCall.use.is_not(None))
        .group_by(AiCall.use)
        .order_by(func.sum(AiCall.cost_usd).desc(), AiCall.use)
    )
    return [UseSum(str(use), calls, int(used), cost) for use, calls, used, cost in rows]


# In words of SQL: products belong to a room beside this one.
_CALLS = text("""
    SELECT calls.id, calls.at, calls.product_id, products.name, calls.use, calls.provider, calls.model, calls.state,
           calls.tokens_in + calls.tokens_out, calls.cost_usd, calls.duration_ms, calls.error
    FROM ai_calls AS calls LEFT JOIN products ON products.id = calls.product_id
    WHERE (CAST(:product_id AS uuid) IS NULL OR calls.product_id = :product_id)
      AND (CAST(:before AS bigint) IS NULL OR calls.id < :before)
    ORDER BY calls.id DESC LIMIT :many
""")


def calls(
    session: Session, *, product_id: UUID | None = None, before: int | None = None, limit: int = PAGE
) -> tuple[list[CallCard], int | None]:
    """Calls, the newest first, of one product or of all; and the id to continue before, if there are more."""
    wanted = {"product_id": product_id, "before": before, "many": limit + 1}
    rows = session.execute(_CALLS, wanted).all()
    cards = [CallCard(*row) for row in rows[:limit]]
    return cards, cards[-1].id if len(rows) > limit else None
