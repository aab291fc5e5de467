"""`make faults [SEED=7] [ROUNDS=1] [DURATION=100] [RUNS=150] [REAL=10] [SLOTS=6]
[CONTROLS=1]`: kill anything, and look.

Prints the seed first, one JSON object last. Ends with 1 if an invariant is broken, if work that lost its worker was
not started again within a lease and two seconds, or if a control was not caught. `recovery_…` is the time to the next
start, the wait for a free slot included; `ready_again_…` the part of it until the loss was noticed.
"""

import os
import secrets
import sys
from typing import Any

from tests.bench.stack import print_result
from tests.faults import controls, ordeal, recovery, stack
from tests.faults.ordeal import Account, say


def main() -> int:
    """All rounds with their seeds one after the other, then the controls."""
    seed = int(os.environ.get("SEED") or secrets.randbelow(10**6))
    rounds = _number("ROUNDS", 1)
    say(f"SEED={seed}")
    accounts: list[Account] = []
    caught: dict[str, bool] = {}
    with stack.running() as lotline, ordeal.joined(lotline) as app:
        for number in range(rounds):
            accounts.append(
                ordeal.suffer(
                    lotline,
                    app,
                    seed=seed + number,
                    seconds=_number("DURATION", 100),
                    runs=_number("RUNS", 150),
                    real=_number("REAL", 10),
                    slots=_number("SLOTS", 6),
                )
            )
            _tell(accounts[-1])
        if _number("CONTROLS", 1):
            caught = controls.all_caught(lotline, app)
    limit = stack.LEASE_SECONDS + recovery.GRACE_SECONDS
    recoveries = sorted(each.seconds for account in accounts for each in account.recoveries)
    broken = sorted({name for account in accounts for name in account.broken})
    noticed = [each.noticed_after for account in accounts for each in account.recoveries]
    over = sum(1 for each in recoveries if each > limit)
    print_result(
        bench="faults",
        seed=seed,
        rounds=rounds,
        faults=sum(account.faults for account in accounts),
        runs=sum(account.runs for account in accounts),
        uploads=sum(account.uploads for account in accounts),
        sockets_dropped=sum(account.sockets_dropped for account in accounts),
        invariants_broken=len(broken),
        broken=broken,
        recoveries=len(recoveries),
        recovery_median_s=recoveries[len(recoveries) // 2] if recoveries else 0.0,
        recovery_max_s=recoveries[-1] if recoveries else 0.0,
        recovery_limit_s=limit,
        recoveries_over_limit=over,
        overtaken_max=max((each.overtaken for account in accounts for each in account.recoveries), default=0),
        ready_again_max_s=max(noticed, default=0.0),
        ready_again_late=sum(1 for each in noticed if each > limit),
        screens_right_s=max((account.screens_s for account in accounts), default=0.0),
        answers=_sums(account.requests for account in accounts),
        fault_kinds=_sums(account.kinds for account in accounts),
        controls=len(caught),
        controls_caught=sum(caught.values()),
    )
    return int(bool(broken or over or not all(caught.values())))


def _number(name: str, default: int) -> int:
    return int(os.environ.get(name) or default)


def _sums(parts: Any) -> dict[Any, int]:
    total: dict[Any, int] = {}
    for part in parts:
        for key, value in part.items():
            total[key] = total.get(key, 0) + value
    return dict(sorted(total.items()))


def _tell(account: Account) -> None:
    worst = account.recoveries[-1].seconds if account.recoveries else 0.0
    say(
        f"seed {account.seed}: {account.faults} faults, {account.runs} runs, {account.uploads} uploads,"
        f" quiet after {account.quiet_s:.1f} s, screens right after {account.screens_s:.1f} s,"
        f" worst recovery {worst:.1f} s of {len(account.recoveries)}, answers {account.requests}"
    )
    for each in account.recoveries:
        if each.seconds > stack.LEASE_SECONDS + recovery.GRACE_SECONDS:
            say(f"late: {each}")
    for name, rows in account.broken.items():
        say(f"BROKEN: {name}: {rows[:5]}")


if __name__ == "__main__":
    sys.exit(main())
