"""Budgets under races, on the real Postgres: what is reserved and spent never exceeds what a client allows."""

import os
import subprocess
import sys
import threading
from decimal import Decimal

import pytest
from sqlalchemy import text

from tests import servers
from tests.ai.conftest import set_terms
from tests.ai.reserving import asking, reserve
from tests.factories import make_client, make_product
from tests.pipeline.conftest import client  # noqa: F401 - fixtures
from tests.running import CLONE
from tests.work.test_services import claimed, make_work, stream  # noqa: F401 - fixtures
from webapp.ai import budgets
from webapp.ai.models import CallState
from webapp.database import tenant, transaction
from webapp.work import services

CENT = Decimal("0.01")


@pytest.fixture
def who(client, stream):  # noqa: F811
    """Somebody who does a piece of work for a product."""
    return asking(claimed(make_work(client, stream)), make_product(client).id)


def spending():
    with transaction() as session:
        return session.execute(text("SELECT spent, reserved FROM ai_spending")).one()


def call(call_id):
    with transaction() as session:
        return session.execute(text("SELECT * FROM ai_calls WHERE id = :id"), {"id": call_id}).one()


def settle(call_id, state, cost=None, **more):
    with transaction() as session:
        budgets.settle(session, call_id, state, cost, **more)


def test_threads_do_not_overdraw_a_budget(app, client, who):  # noqa: F811
    set_terms(client, budget="0.25", cap="100")
    won, gate = [], threading.Barrier(5)

    def go():
        with app.app_context(), tenant(client.id):
            gate.wait()
            won.extend(reserve(who, CENT) is not None for _ in range(10))

    threads = [threading.Thread(target=go) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (won.count(True), len(won)) == (25, 50)
    assert spending() == (0, Decimal("0.25"))


@pytest.mark.parametrize(("budget", "cap"), [("0.25", "100"), ("100", "0.25")])
def test_processes_overdraw_neither_budget_nor_cap(app, client, who, budget, cap):  # noqa: F811
    set_terms(client, budget=budget, cap=cap)
    env = os.environ | servers.environment(app.extensions["lotline_config"])
    claim = who.claim
    command = [sys.executable, "-m", "tests.ai.reserving", str(claim.client_id), str(who.product_id)]
    command += [str(claim.work_id), "30", "0.01"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": CLONE, "env": env}
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]
    assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    won = [int(process.communicate(timeout=60)[0]) for process in both]
    assert sum(won) == 25
    assert spending() == (0, Decimal("0.25"))


def test_settling_gives_back_what_was_not_used(client, who):  # noqa: F811
    set_terms(client, budget="0.02", cap="1")
    first, second = reserve(who, CENT), reserve(who, CENT)
    assert reserve(who, CENT) is None
    settle(first, CallState.SETTLED, Decimal("0.002"), tokens_in=5, tokens_out=7, duration_ms=9)
    assert spending() == (Decimal("0.002"), CENT)
    settle(second, CallState.RELEASED, Decimal(0), error="it is away")
    assert spending() == (Decimal("0.002"), 0)
    assert (call(first).cost_usd, call(first).tokens_in, call(first).tokens_out) == (Decimal("0.002"), 5, 7)
    assert (call(second).cost_usd, call(second).state, call(second).error) == (0, "released", "it is away")
    assert reserve(who, CENT) is not None


def test_a_call_is_settled_once(client, who):  # noqa: F811
    set_terms(client)
    one = reserve(who, CENT)
    settle(one, CallState.SETTLED, Decimal("0.003"))
    settle(one, CallState.SETTLED, Decimal("0.009"))
    settle(one, CallState.RELEASED, Decimal(0))
    assert spending() == (Decimal("0.003"), 0)


def test_more_than_was_reserved_is_booked_as_it_is_and_counts(client, who):  # noqa: F811
    set_terms(client, budget="0.02", cap="1")
    settle(reserve(who, CENT), CallState.SETTLED, Decimal("0.05"))
    assert spending() == (Decimal("0.05"), 0)
    assert reserve(who, CENT) is None
    assert reserve(who, Decimal(0)) is not None, "what costs nothing is always allowed"


def test_what_a_dead_worker_left_is_booked_in_full_by_the_next(client, who):  # noqa: F811
    set_terms(client, budget="0.03", cap="1")
    lost = reserve(who, CENT)
    with transaction() as session:
        services.hand_back(session, who.claim)
        session.execute(text("UPDATE work SET run_at = now()"))
    later = asking(claimed_again(who), who.product_id)
    assert reserve(later, CENT) is not None
    assert (call(lost).state, call(lost).cost_usd) == ("unknown", CENT)
    assert spending() == (CENT, CENT)
    settle(lost, CallState.SETTLED, Decimal("0.004"))
    assert spending() == (Decimal("0.004"), CENT), "its worker was only slow"


def claimed_again(who):
    with transaction() as session:
        return services.claim(session, who.claim.work_id, "another slot", 15)


def test_last_months_money_is_no_more_of_this_months(client, who):  # noqa: F811
    set_terms(client, budget="0.01", cap="1")
    assert reserve(who, CENT) is not None
    assert reserve(who, CENT) is None
    with transaction() as session:
        session.execute(text("UPDATE ai_spending SET month = (month - interval '1 month')::date"))
        session.execute(text("UPDATE ai_calls SET month = (month - interval '1 month')::date"))
    assert reserve(who, CENT) is not None


def test_a_client_spends_its_own_money(client, who):  # noqa: F811
    set_terms(client, budget="0.01", cap="1")
    other = make_client()
    with tenant(other.id):
        set_terms(other, budget="0.01", cap="1")
    assert reserve(who, CENT) is not None
    with tenant(other.id), transaction() as session:
        assert session.execute(text("SELECT count(*) FROM ai_spending")).scalar_one() == 0


def test_calls_are_kept_for_a_year_and_a_month(client, who):  # noqa: F811
    set_terms(client)
    old, young = reserve(who, CENT), reserve(who, CENT)
    for call_id, days in ((old, 401), (young, 399)):
        settle(call_id, CallState.SETTLED, CENT)
        with transaction() as session:
            values = {"id": call_id, "days": days}
            session.execute(text("UPDATE ai_calls SET at = at - make_interval(days => :days) WHERE id = :id"), values)
    latest = reserve(who, CENT)
    with transaction() as session:
        assert session.execute(text("SELECT id FROM ai_calls ORDER BY id")).scalars().all() == [young, latest]
