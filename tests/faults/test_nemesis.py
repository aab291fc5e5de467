"""A short ordeal, so that every change goes through one; `make faults` is the long one. The seed is in the output."""

import os
import secrets

from tests.faults import ordeal, stack


def test_killed_frozen_wiped_and_cut_off_nothing_is_lost_or_done_twice():
    seed = int(os.environ.get("SEED") or secrets.randbelow(10**6))
    ordeal.say(f"SEED={seed}")
    with stack.running() as lotline, ordeal.joined(lotline) as app:
        account = ordeal.suffer(lotline, app, seed=seed, seconds=20, runs=20, real=0, slots=2)
    assert account.broken == {}
    assert account.faults > 0
    assert account.uploads > 0
    assert account.payments > 0
