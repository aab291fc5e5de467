"""`python -m tests.ai.reserving CLIENT PRODUCT WORK TIMES AMOUNT`: reserves as often, says how often it could."""

import sys
from decimal import Decimal
from uuid import UUID, uuid4

from webapp.ai import budgets
from webapp.ai.budgets import Asking, OverBudget
from webapp.database import tenant, transaction
from webapp.phases.facts import ModelUse
from webapp.work.moves import Fence
from webapp.work.services import Claim


def asking(claim: Claim, product_id: UUID) -> Asking:
    """Somebody who asks for the listing of a product."""
    return Asking(claim, product_id, ModelUse.LISTING, "Tiny", "tiny-1")


def reserve(who: Asking, amount: Decimal) -> int | None:
    """The call's id; None where the money does not allow it."""
    try:
        with transaction() as session:
            return budgets.reserve(session, who, amount)
    except OverBudget:
        return None


def main(client: str, product: str, work: str, times: str, amount: str) -> None:
    """Reserve and say how often it worked, once somebody says go."""
    from webapp import create_app

    fence = Fence(1, uuid4())
    claim = Claim(UUID(client), int(work), 0, "phase", {}, fence, attempts=1, failures=0, crashes=0, max_failures=3)
    who = asking(claim, UUID(product))
    with create_app().app_context(), tenant(who.claim.client_id):
        reserve(who, Decimal(10**6))  # connects
        print("ready", flush=True)
        sys.stdin.readline()
        print(sum(reserve(who, Decimal(amount)) is not None for _ in range(int(times))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
