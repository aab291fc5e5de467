"""Audits: drawn once, looked at without stopping anything, decided by one, taken back."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import select

from tests import factories
from tests.pipeline import judging
from tests.pipeline.conftest import answer_bells, client, fresh, make_run  # noqa: F401 - fixtures
from tests.review.conftest import latest
from webapp.audit.models import AuditEntry
from webapp.audit.services import Actor
from webapp.catalog.models import Product
from webapp.database import db, tenant, transaction
from webapp.errors import Conflict
from webapp.learning.models import Correction
from webapp.pipeline.models import AuditState, PhaseName, Run, RunState
from webapp.pipeline.sampling import Sampling, is_drawn
from webapp.pipeline.services import run_again
from webapp.review import forms, services
from webapp.review.models import Review
from webapp.work.models import Stream

RIGHT = {"name": "Kettle", "brand": "Acme", "model": "", "condition": "", "gtin": "4006381333931"}
WRONG = {**RIGHT, "name": "Toaster T2"}


@pytest.fixture
def all_drawn(app, client):  # noqa: F811
    """Everything that goes on by itself is audited."""
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = judging.ANALYSIS
    with transaction() as session:
        session.merge(client).audit_percent = 100


@pytest.fixture
def drawn(all_drawn, make_run):  # noqa: F811
    """A run that went on by itself, to its end, and was drawn."""
    run = make_run()
    answer_bells()
    return fresh(Run, run.id)


def test_the_draw_is_fair_and_cannot_be_thrown_again():
    products = [uuid4() for _ in range(4000)]
    few, many = (Sampling(percent, "key") for percent in (2, 10))
    drawn = {product for product in products if is_drawn(product, few)}
    assert 40 <= len(drawn) <= 130
    assert drawn <= {product for product in products if is_drawn(product, many)}
    assert drawn == {product for product in products if is_drawn(product, few)}
    assert drawn != {product for product in products if is_drawn(product, Sampling(2, "another key"))}
    assert not any(is_drawn(product, Sampling(0, "key")) for product in products)
    assert all(is_drawn(product, Sampling(100, "key")) for product in products)


def test_an_audited_run_goes_on(drawn):
    assert drawn.state is RunState.COMPLETED
    assert (drawn.audit, drawn.audit_percent) == (AuditState.OPEN, 100)


def test_what_a_person_reviews_is_not_audited(all_drawn, make_run):  # noqa: F811
    run = make_run(model="50")
    answer_bells()
    assert fresh(Run, run.id).state is RunState.REVIEW
    assert fresh(Run, run.id).audit is None


def test_at_rate_nought_nothing_is_drawn(client, all_drawn, make_run):  # noqa: F811
    with transaction() as session:
        session.merge(client).audit_percent = 0
    run = make_run()
    answer_bells()
    assert fresh(Run, run.id).audit is None


def test_a_product_is_drawn_once_however_often_it_is_started(drawn):
    with transaction() as session:
        again = run_again(session, drawn.product_id, None)
    answer_bells()
    assert fresh(Run, again.id).state is RunState.COMPLETED
    assert fresh(Run, again.id).audit is None
    assert fresh(Run, drawn.id).audit is AuditState.OPEN


def test_the_review_page_tells_audits_from_reviews(reviewer, drawn, make_run):  # noqa: F811
    waiting = make_run(model="50")
    answer_bells()
    page = reviewer.get("/reviews").text
    reviews, audits = page.split('id="audits-head"')
    assert str(waiting.id) in reviews
    assert str(drawn.id) not in reviews
    assert str(drawn.id) in audits
    desk = reviewer.get(f"/reviews/{drawn.id}").text
    assert "went on by itself" in desk
    assert 'value="Kettle"' in desk
    for page in (desk, reviewer.get(f"/products/{drawn.product_id}").text):
        assert "Barcode, known" in page
        assert "Share of the name on the label" in page


def test_right_is_recorded_and_vouches_for_the_next(reviewer, drawn):
    answer = reviewer.submit(f"/reviews/{drawn.id}/decision", RIGHT)
    assert (answer.status_code, answer.location) == (303, "/reviews")
    assert answer_bells() == 0
    review = db.session.execute(select(Review).where(Review.run_id == drawn.id)).scalar_one()
    assert (review.decision, review.decided_by) == ("confirmed", reviewer.user.id)
    assert latest(drawn.product_id).id == drawn.id
    assert "name" in fresh(Product, drawn.product_id).fixed_fields
    assert db.session.execute(select(AuditEntry.action).where(AuditEntry.action.like("audit_%"))).scalars().all() == [
        "audit_confirmed"
    ]
    assert 'data-key="u">Change it' in reviewer.get("/reviews").text
    assert str(drawn.id) not in reviewer.get("/reviews").text


def test_wrong_starts_the_product_again_with_the_persons_values(reviewer, drawn):
    reviewer.submit(f"/reviews/{drawn.id}/decision", WRONG)
    answer_bells()
    again = latest(drawn.product_id)
    assert again.id != drawn.id
    assert again.state is RunState.COMPLETED
    assert (again.confidence, again.audit) == (100, None)
    product = fresh(Product, drawn.product_id)
    assert (product.name, product.gtin14) == ("Toaster T2", judging.GTIN)


def test_wrong_stops_what_is_still_under_way(reviewer, all_drawn, make_run):  # noqa: F811
    run = make_run()
    answer_bells(1)
    assert fresh(Run, run.id).state is RunState.RUNNING
    reviewer.submit(f"/reviews/{run.id}/decision", WRONG)
    assert fresh(Run, run.id).state is RunState.STOPPED
    answer_bells()
    assert latest(run.product_id).state is RunState.COMPLETED
    assert fresh(Product, run.product_id).name == "Toaster T2"


def test_the_second_of_two_auditors_is_told_and_changes_nothing(client, reviewer, drawn, sign_in):  # noqa: F811
    other = sign_in(factories.make_member(client, "reviewer"), client)
    other.get(f"/reviews/{drawn.id}")
    reviewer.submit(f"/reviews/{drawn.id}/decision", RIGHT)
    late = other.submit(f"/reviews/{drawn.id}/decision", WRONG)
    assert late.status_code == 409
    assert reviewer.user.name in late.text
    assert "Toaster T2" in late.text
    assert fresh(Product, drawn.product_id).name == "Kettle"


@pytest.mark.parametrize("said", [RIGHT, WRONG], ids=["right", "wrong"])
def test_a_decision_can_be_taken_back_and_made_again(reviewer, drawn, said):
    run_id, product_id = drawn.id, drawn.product_id
    with transaction():
        fresh(Product, product_id).category = "Kettles"
    reviewer.submit(f"/reviews/{run_id}/decision", said)
    assert fresh(Product, product_id).category is None, "nothing that was found says so"
    answer_bells()
    assert "Take the decision back" in reviewer.get(f"/reviews/{run_id}").text
    reviewer.submit(f"/reviews/{run_id}/decision/return")
    answer_bells()
    product = fresh(Product, product_id)
    assert (product.name, product.category, product.fixed_fields) == ("Kettle", "Kettles", [])
    assert fresh(Run, run_id).audit is AuditState.OPEN
    assert latest(product_id).state is RunState.COMPLETED
    assert db.session.execute(select(Correction)).all() == []
    review = db.session.execute(select(Review).where(Review.run_id == run_id)).scalar_one()
    assert (review.decision, review.after, review.replaced) == (None, None, None)
    assert reviewer.submit(f"/reviews/{run_id}/decision", WRONG).status_code == 303
    assert fresh(Product, product_id).name == "Toaster T2"


def test_what_was_changed_since_is_not_taken_back(reviewer, drawn):
    reviewer.submit(f"/reviews/{drawn.id}/decision", RIGHT)
    with transaction():
        fresh(Product, drawn.product_id).name = "Renamed by somebody"
    answer = reviewer.submit(f"/reviews/{drawn.id}/decision/return", follow_redirects=True)
    assert "has changed this product since" in answer.text
    assert fresh(Product, drawn.product_id).name == "Renamed by somebody"
    assert fresh(Run, drawn.id).audit is AuditState.DECIDED


def test_only_audits_are_taken_back(reviewer, all_drawn, make_run):  # noqa: F811
    run = make_run(model="50")
    answer_bells()
    reviewer.submit(f"/reviews/{run.id}/decision", RIGHT)
    answer = reviewer.submit(f"/reviews/{run.id}/decision/return", follow_redirects=True)
    assert "no decision to take back" in answer.text
    assert fresh(Product, run.product_id).fixed_fields != []


def test_staff_and_strangers_do_not_audit(client, drawn, sign_in):  # noqa: F811
    staff = sign_in(factories.make_member(client, "staff"), client)
    elsewhere = factories.make_client()
    stranger = sign_in(factories.make_member(elsewhere, "admin"), elsewhere)
    for browser, status in ((staff, 403), (stranger, 404)):
        assert browser.get(f"/reviews/{drawn.id}").status_code == status
        for what in ("decision", "decision/return"):
            assert browser.submit(f"/reviews/{drawn.id}/{what}", RIGHT).status_code == status
    assert fresh(Run, drawn.id).audit is AuditState.OPEN


def test_the_page_asks_the_same_number_of_queries_for_many_audits(reviewer, drawn, make_run, count_queries):  # noqa: F811
    reviewer.get("/reviews")
    with count_queries() as few:
        reviewer.get("/reviews")
    for _ in range(3):
        make_run()
    answer_bells()
    with count_queries() as many:
        page = reviewer.get("/reviews").text
    assert page.count("Went on by itself") == 4
    assert len(many) == len(few)


def test_of_two_auditors_at_the_same_moment_one_decides(app, client, all_drawn, make_run):  # noqa: F811
    """Opposite decisions on many audits, sent at once: each audit has one, and its product is as that one says."""
    runs = [make_run() for _ in range(3)]
    answer_bells()
    users = [factories.make_member(client, "reviewer") for _ in range(2)]
    start = threading.Barrier(2)

    def decide(user, typed):
        answers = []
        for run in runs:
            start.wait()
            with app.app_context(), tenant(client.id, user.id, "reviewer"):
                try:
                    with transaction() as session:
                        services.decide(
                            session,
                            run.id,
                            forms.parse(typed)[1],
                            user_id=user.id,
                            user_name=user.name,
                            actor=Actor(user_id=user.id),
                        )
                    answers.append("decided")
                except Conflict:
                    answers.append("late")
                finally:
                    db.session.remove()
        return answers

    with ThreadPoolExecutor(2) as both:
        asked = [both.submit(decide, user, typed) for user, typed in zip(users, (RIGHT, WRONG), strict=True)]
        answers = [one.result() for one in asked]
    for number, run in enumerate(runs):
        assert sorted(of_one[number] for of_one in answers) == ["decided", "late"]
        review = db.session.execute(select(Review).where(Review.run_id == run.id)).scalar_one()
        assert fresh(Product, run.product_id).name == review.after["name"]
        assert (latest(run.product_id).id != run.id) == (review.decision == "corrected")


def test_who_looks_at_a_later_run_hears_that_an_audit_of_an_earlier_one_changed_the_name(reviewer, drawn):
    with transaction() as session:
        newest = run_again(session, drawn.product_id, None)
    answer_bells()
    before = fresh(Stream, newest.stream_id).seq
    reviewer.submit(f"/reviews/{drawn.id}/decision", RIGHT)
    assert fresh(Stream, newest.stream_id).seq > before
