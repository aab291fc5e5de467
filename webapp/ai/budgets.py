"""Money for models: reserved before a call by its upper estimate, settled after it by what was used.

Postgres decides. One row per client and month holds what is spent and what is reserved; a reservation is one
conditional UPDATE of it, so that however many workers ask at once, the budget is not overdrawn. What nobody knows the
end of (a worker died, a server went silent) is booked at its estimate.
"""

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from webapp.ai.models import CallState
from webapp.phases.facts import ModelUse
from webapp.work.services import Claim

SMALLEST = Decimal("0.000001")


class OverBudget(Exception):
    """There is no money left for this call. The message finishes a sentence about the model."""


@dataclass(frozen=True)
class Asking:
    """For whom and for what a call is: the work that makes it, its product, its use, and which model."""

    claim: Claim
    product_id: UUID
    use: ModelUse
    provider: str
    model: str


KEPT_DAYS = 400
_FORGET = text("""
    DELETE FROM ai_calls WHERE id IN (
        SELECT id FROM ai_calls
        WHERE client_id = :client_id AND at < clock_timestamp() - make_interval(days => :days)
        ORDER BY at LIMIT 20 FOR UPDATE SKIP LOCKED)
""")
_OPEN_MONTH = text("""
    INSERT INTO ai_spending (client_id, month)
    VALUES (:client_id, date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date)
    ON CONFLICT (client_id, month) DO NOTHING
""")
_RESERVE = text("""
    UPDATE ai_spending SET reserved = reserved + :amount
    FROM clients
    WHERE clients.id = ai_spending.client_id AND ai_spending.client_id = :client_id
      AND month = date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date
      AND (:amount = 0 OR spent + reserved + :amount <= model_budget_usd)
    RETURNING month, model_cap_usd
""")
# The month's row is locked by now, so no other call of this client comes in between.
_SPENT_ON_PRODUCT = text("""
    SELECT coalesce(sum(cost_usd), 0) FROM ai_calls WHERE client_id = :client_id AND product_id = :product_id
""")
_INTEND = text("""
    INSERT INTO ai_calls (client_id, work_id, epoch, product_id, use, provider, model, state, month, reserved_usd,
                          cost_usd)
    VALUES (:client_id, :work_id, :epoch, :product_id, :use, :provider, :model, 'reserved', :month, :amount, :amount)
    RETURNING id
""")
# What is reserved for work that nobody does any more: its worker died in the middle of the call.
_ABANDON = text("""
    WITH lost AS (
        SELECT id, month, reserved_usd FROM ai_calls AS calls
        WHERE client_id = :client_id AND state = 'reserved' AND NOT EXISTS (
            SELECT FROM work WHERE work.id = calls.work_id AND work.state = 'running' AND work.epoch = calls.epoch)
        FOR UPDATE OF calls SKIP LOCKED
    ), marked AS (
        UPDATE ai_calls SET state = 'unknown', error = 'its worker ended in the middle of the call'
        FROM lost WHERE ai_calls.id = lost.id
    )
    UPDATE ai_spending SET reserved = reserved - amount, spent = spent + amount
    FROM (SELECT month AS of_month, sum(reserved_usd) AS amount FROM lost GROUP BY month) AS sums
    WHERE client_id = :client_id AND month = of_month
""")
# One that was given up as unknown may still be settled by the worker that was only slow.
_SETTLE = text("""
    WITH was AS (
        SELECT id, client_id, month, state, reserved_usd, coalesce(CAST(:cost AS numeric), reserved_usd) AS cost,
               CASE state WHEN 'reserved' THEN 0 ELSE cost_usd END AS booked
        FROM ai_calls WHERE id = :id AND state IN ('reserved', 'unknown') FOR UPDATE
    ), settled AS (
        UPDATE ai_calls SET state = :state, cost_usd = was.cost, tokens_in = :tokens_in, tokens_out = :tokens_out,
               duration_ms = :duration_ms, error = :error
        FROM was WHERE ai_calls.id = was.id
    )
    UPDATE ai_spending SET spent = spent + was.cost - was.booked,
           reserved = reserved - CASE was.state WHEN 'reserved' THEN was.reserved_usd ELSE 0 END
    FROM was WHERE ai_spending.client_id = was.client_id AND ai_spending.month = was.month
""")


def reserve(session: Session, asking: Asking, amount: Decimal) -> int:
    """Set aside what a call may cost at most (US dollars); the call's id.

    Raises:
        OverBudget: the month's budget or the product's cap does not allow it; nothing was reserved.
    """
    client_id = asking.claim.client_id
    amount = amount.quantize(SMALLEST, ROUND_UP)
    session.execute(_ABANDON, {"client_id": client_id})
    session.execute(_FORGET, {"client_id": client_id, "days": KEPT_DAYS})
    session.execute(_OPEN_MONTH, {"client_id": client_id})
    row = session.execute(_RESERVE, {"client_id": client_id, "amount": amount}).one_or_none()
    if row is None:
        raise OverBudget("this month's budget does not allow it")
    month, cap = row
    product = {"client_id": client_id, "product_id": asking.product_id}
    if amount and session.execute(_SPENT_ON_PRODUCT, product).scalar_one() + amount > cap:
        raise OverBudget("the cap per product does not allow it")
    values = {
        **product,
        "work_id": asking.claim.work_id,
        "epoch": asking.claim.fence.epoch,
        "use": asking.use,
        "provider": asking.provider,
        "model": asking.model,
        "month": month,
        "amount": amount,
    }
    return int(session.execute(_INTEND, values).scalar_one())


def settle(
    session: Session,
    call_id: int,
    state: CallState,
    cost: Decimal | None = None,
    *,
    tokens_in: int = 0,
    tokens_out: int = 0,
    duration_ms: int = 0,
    error: str | None = None,
) -> None:
    """Book what became of a call, once. `cost`: in US dollars; None: what was reserved."""
    values = {"id": call_id, "state": state, "cost": cost and cost.quantize(SMALLEST, ROUND_UP), "error": error}
    values |= {"tokens_in": tokens_in, "tokens_out": tokens_out, "duration_ms": duration_ms}
    session.execute(_SETTLE, values)
