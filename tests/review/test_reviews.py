"""The review queue and desk, as reviewers use them, alone and two at a time."""

import re

import msgspec
import pytest
from sqlalchemy import select

from tests import factories
from tests.pipeline.conftest import answer_bells, client, fresh, make_run  # noqa: F401 - fixtures
from webapp.audit.models import AuditEntry
from webapp.catalog.models import Product
from webapp.database import db, transaction
from webapp.phases.facts import NO_BARCODE, Analysis, Field
from webapp.pipeline import findings, settling
from webapp.pipeline.models import PhaseName, Run, RunState
from webapp.review.models import Review

GOOD = {"name": "Kettle K1", "brand": "Acme", "model": "K1", "condition": "used", "gtin": "4006381333931"}


@pytest.fixture
def waiting(app, client, make_run):  # noqa: F811
    """Two runs that wait for a person, in the order of their upload."""
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = "tests.pipeline.engines.unsure"
    runs = [make_run(model="typed model"), make_run()]
    answer_bells()
    return runs


def test_the_queue_is_longest_waiting_first_and_says_why(reviewer, waiting):
    page = reviewer.get("/reviews").text
    first, second = (page.index(str(run.id)) for run in waiting)
    assert first < second
    assert "No barcode was found." in page


def test_an_empty_queue_is_good_news(reviewer):
    assert reviewer.get("/reviews").status_code == 200


def test_staff_may_not_review(client, waiting, sign_in):  # noqa: F811
    staff = sign_in(factories.make_member(client, "staff"), client)
    for address in ("/reviews", f"/reviews/{waiting[0].id}"):
        assert staff.get(address).status_code == 403
    assert staff.submit(f"/reviews/{waiting[0].id}/decision", GOOD).status_code == 403
    assert fresh(Run, waiting[0].id).state is RunState.REVIEW


def test_the_desk_is_filled_with_what_was_typed_and_a_guess_is_offered(reviewer, waiting):
    page = reviewer.get(f"/reviews/{waiting[0].id}").text
    assert re.search(r'id="name"\s+name="name"\s+value=""', page)
    assert re.search(r'data-fill="name"\s+data-value="Perhaps a kettle"', page)
    assert 'value="typed model"' in page


@pytest.mark.parametrize(("says", "way"), [(NO_BARCODE, "Add a photo"), ("The photo is blurred.", "Take it again")])
def test_a_missing_barcode_asks_for_one_more_photo_not_for_the_same_again(reviewer, waiting, says, way):
    product = fresh(Product, waiting[0].product_id)
    photo = factories.make_photo(product, quality_score=90, quality_says=says)
    to = f"/products/{product.id}/photos" if way == "Add a photo" else f"/photos/{photo.id}/retake"
    page = reviewer.get(f"/reviews/{waiting[0].id}").text
    assert re.search(rf'href="{to}"\s+data-retake>.*?</svg>\s*{way}', page, re.DOTALL)


def test_a_decision_goes_to_the_next_and_the_run_to_its_end(reviewer, waiting):
    answer = reviewer.submit(f"/reviews/{waiting[0].id}/decision", GOOD)
    assert (answer.status_code, answer.location) == (303, f"/reviews/{waiting[1].id}")
    answer_bells()
    assert fresh(Run, waiting[0].id).state is RunState.COMPLETED
    product = fresh(Product, waiting[0].product_id)
    assert (product.name, product.gtin14) == ("Kettle K1", "04006381333931")
    review = db.session.execute(select(Review).where(Review.run_id == waiting[0].id)).scalar_one()
    assert (review.decision, review.decided_by) == ("corrected", reviewer.user.id)
    entry = db.session.execute(select(AuditEntry).where(AuditEntry.action == "review_corrected")).scalar_one()
    assert (entry.old["name"], entry.new["name"]) == ("Perhaps a kettle", "Kettle K1")
    assert "name" in entry.changed_fields
    last = reviewer.submit(f"/reviews/{waiting[1].id}/decision", GOOD)
    assert last.location == "/reviews"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": " "}, "needs a name"),
        ({"gtin": "4006381333930"}, "last digit"),
        ({"gtin": "4.00638E+12"}, ""),
        ({"condition": "shiny"}, "Choose one"),
        ({"name": "x" * 201}, "At most 200"),
    ],
)
def test_a_mistake_is_named_and_what_was_typed_is_kept(reviewer, waiting, wrong, says):
    answer = reviewer.submit(f"/reviews/{waiting[0].id}/decision", {**GOOD, "brand": "Typed brand", **wrong})
    assert answer.status_code == 422
    assert says in answer.text
    assert "Typed brand" in answer.text
    assert fresh(Run, waiting[0].id).state is RunState.REVIEW


def test_the_second_of_two_reviewers_is_told_who_was_faster(client, reviewer, waiting, sign_in):  # noqa: F811
    rita = factories.make_member(client, "reviewer")
    other = sign_in(rita, client)
    reviewer.get(f"/reviews/{waiting[0].id}")
    assert reviewer.user.name in other.get(f"/reviews/{waiting[0].id}").text
    assert reviewer.user.name in other.get("/reviews").text
    assert reviewer.submit(f"/reviews/{waiting[0].id}/decision", GOOD).status_code == 303
    late = other.submit(f"/reviews/{waiting[0].id}/decision", {**GOOD, "name": "My own careful name"})
    assert late.status_code == 409
    assert reviewer.user.name in late.text
    assert "My own careful name" in late.text
    assert fresh(Product, waiting[0].product_id).name == "Kettle K1"


def test_another_clients_review_is_not_found(waiting, sign_in):
    elsewhere = factories.make_client()
    stranger = sign_in(factories.make_member(elsewhere, "admin"), elsewhere)
    assert stranger.get(f"/reviews/{waiting[0].id}").status_code == 404
    assert stranger.submit(f"/reviews/{waiting[0].id}/decision", GOOD).status_code == 404


def test_the_queue_asks_the_same_number_of_queries_for_many(reviewer, waiting, make_run, count_queries):  # noqa: F811
    reviewer.get("/reviews")
    with count_queries() as few:
        reviewer.get("/reviews")
    for _ in range(8):
        make_run()
    answer_bells()
    with count_queries() as many:
        reviewer.get("/reviews")
    assert len(many) == len(few)


def test_a_code_is_given_with_the_first_name_and_stays_when_the_name_changes(reviewer, client, waiting):  # noqa: F811
    run = waiting[0]
    reviewer.submit(f"/reviews/{run.id}/decision", GOOD)
    answer_bells()
    code = fresh(Product, run.product_id).code
    assert code.endswith("_kettle_k1")
    with transaction() as session:
        settling.apply_analysis(session, run.product_id, analysis_named("Toaster T1"), ("name",))
    product = fresh(Product, run.product_id)
    assert (product.name, product.code) == ("Toaster T1", code)


def analysis_named(name):
    """What analysis finds of a product that is called so."""
    nothing = Field()
    return Analysis(
        name=Field(value=name, confidence=90), model=nothing, brand=nothing, condition=nothing, gtin=nothing
    )


def test_what_a_model_wrote_is_no_claim_of_the_machine(reviewer, waiting):
    """Calibrators learn from decisions: a model's good or bad name says nothing about the machine's own evidence."""
    [run, _] = waiting
    with transaction() as session:
        places, found = findings.read_all(session, run.id)
        analysis = found[PhaseName.ANALYSIS]
        name = msgspec.structs.replace(analysis.name, value="A model's kettle", written_by="model")
        place = places[PhaseName.ANALYSIS]
        changed = msgspec.structs.replace(analysis, name=name)
        findings.write(session, run.client_id, place.phase_id, 1, 1, changed)
    reviewer.submit(f"/reviews/{run.id}/decision", GOOD)
    db.session.rollback()
    review = db.session.execute(select(Review).where(Review.run_id == run.id)).scalar_one()
    assert (review.decision, review.before["name"], review.after["name"]) == ("corrected", None, "Kettle K1")
    old = db.session.execute(select(AuditEntry.old).where(AuditEntry.action == "review_corrected")).scalar_one()
    assert old["name"] == "A model's kettle"
