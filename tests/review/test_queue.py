"""The review queue, page by page, and searched."""

import re

import pytest

from tests import factories
from tests.pipeline.conftest import answer_bells, client, make_run  # noqa: F401 - fixtures
from webapp.catalog.models import Product
from webapp.database import db, transaction
from webapp.pipeline import queues
from webapp.pipeline.models import AuditState, PhaseName, Run


@pytest.fixture
def wait(app, client, make_run):  # noqa: F811
    """`wait(name="typed", sku="S-1")`: a run that waits for a person; what is no hint is its product's."""
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = "tests.pipeline.engines.unsure"

    def make(name=None, **of_product):
        run = make_run(**({"name": name} if name else {}))
        answer_bells()
        with transaction() as session:
            product = session.get_one(Product, run.product_id)
            for column, value in of_product.items():
                setattr(product, column, value)
        return run

    return make


def shown(browser, address: str) -> list[str]:
    page = browser.get(address)
    assert page.status_code == 200
    return re.findall(r'row-way" href="/reviews/([^"]+)"', page.text)


def test_it_is_searched_by_name_number_and_guess(reviewer, wait):
    kettle, toaster = wait("Philips Kettle"), wait("Toaster", gtin14="04006381333931", sku="S-100%", code="01_toaster")
    both = [str(kettle.id), str(toaster.id)]
    for typed, found in [
        ("kettle philips", both[:1]),
        ("TOASTER", both[1:]),
        ("4006381333931", both[1:]),
        ("4 006381 333931", both[1:]),
        ("333931", both[1:]),
        ("s-100%25", both[1:]),
        ("01_toaster", both[1:]),
        ("perhaps", both),  # what analysis takes both for
        ("philips toaster", []),
        ("%25", both[1:]),
        ("_", both[1:]),
        ("+", both),
    ]:
        assert shown(reviewer, f"/reviews?q={typed}") == found, typed


def test_what_nothing_fits_is_said_with_what_was_looked_through(reviewer, wait):
    wait("Kettle")
    page = reviewer.get("/reviews?q=<b>sofa").text
    assert "Nothing that waits fits “&lt;b&gt;sofa”" in page
    assert "that wait longest" not in page
    assert 'href="/reviews"' in page
    assert 'value="&lt;b&gt;sofa"' in page


def test_pages_follow_each_other_also_of_what_was_found(reviewer, wait, monkeypatch):
    monkeypatch.setattr(queues, "PAGE", 2)
    runs = [str(wait("Kettle" if number != 1 else "Toaster").id) for number in range(5)]
    assert shown(reviewer, "/reviews") == runs[:2]
    assert shown(reviewer, f"/reviews?after={runs[1]}") == runs[2:4]
    assert shown(reviewer, f"/reviews?after={runs[3]}") == runs[4:]
    page = reviewer.get("/reviews?q=perhaps").text
    assert f'href="/reviews?q=perhaps&amp;after={runs[1]}"' in page
    assert shown(reviewer, f"/reviews?q=perhaps&after={runs[1]}") == runs[2:4]
    assert "5 products wait for a person" in reviewer.get("/reviews").text


def test_a_search_looks_through_so_many_and_no_more(reviewer, wait, monkeypatch):
    monkeypatch.setattr(queues, "SEARCHED", 2)
    queues._statement.cache_clear()
    runs = [str(wait("Kettle").id) for _ in range(3)]
    try:
        assert shown(reviewer, "/reviews?q=kettle") == runs[:2]
        assert "Only the 2 that wait longest were looked through" in reviewer.get("/reviews?q=sofa").text
    finally:
        queues._statement.cache_clear()


def test_audits_are_searched_too(app, client, make_run, reviewer):  # noqa: F811
    lamp, other = make_run(name="Desk lamp"), make_run(name="Chair")
    answer_bells()
    with transaction() as session:
        for run in (lamp, other):
            drawn = session.get_one(Run, run.id)
            drawn.audit, drawn.audit_percent = AuditState.OPEN, 5
    assert shown(reviewer, "/reviews?q=lamp") == [str(lamp.id)]


def test_another_clients_products_are_not_found(wait, sign_in):
    wait("Kettle")
    elsewhere = factories.make_client()
    stranger = sign_in(factories.make_member(elsewhere, "admin"), elsewhere)
    assert shown(stranger, "/reviews?q=kettle") == []


def test_a_search_asks_the_same_number_of_queries_for_many(reviewer, wait, count_queries):
    wait("Kettle")
    reviewer.get("/reviews?q=kettle")
    with count_queries() as few:
        reviewer.get("/reviews?q=kettle")
    for _ in range(6):
        wait("Kettle")
    db.session.rollback()
    with count_queries() as many:
        reviewer.get("/reviews?q=kettle")
    assert len(many) == len(few)
