"""Correcting what went on, by itself or after a decision: the product starts again, and what was learned follows."""

import re

import msgspec
import pytest
from sqlalchemy import func, select

from tests import factories
from tests.pipeline import judging
from tests.pipeline.conftest import answer_bells, client, fresh, make_run  # noqa: F401 - fixtures
from tests.review.conftest import latest
from webapp.audit.models import AuditEntry
from webapp.catalog.models import Product
from webapp.database import db, transaction
from webapp.learning.models import Correction, Rule
from webapp.phases.calibration.decisions import rightness
from webapp.phases.facts import Evidence, Field
from webapp.pipeline import services as pipeline
from webapp.pipeline import settling
from webapp.pipeline.corrections import shown
from webapp.pipeline.models import AuditState, PhaseName, Run, RunState
from webapp.review import forms
from webapp.review.models import Review

SAME = {"name": "Kettle", "brand": "Acme", "model": "", "condition": "", "gtin": "4006381333931"}
BETTER = {**SAME, "brand": "Acme Foods", "condition": "used", "size": "1.7 l", "quantity": "2"}


@pytest.fixture
def judged(app, client):  # noqa: F811
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = judging.ANALYSIS
    with transaction() as session:
        session.merge(client).audit_percent = 0


@pytest.fixture
def done(judged, make_run):  # noqa: F811
    """A run that went on by itself, to its end."""
    run = make_run()
    answer_bells()
    assert fresh(Run, run.id).state is RunState.COMPLETED
    return fresh(Run, run.id)


@pytest.fixture
def waiting(judged, make_run):  # noqa: F811
    run = make_run(model="50")
    answer_bells()
    return fresh(Run, run.id)


def seen(browser, run):
    return re.search(r'name="seen" value="([^"]+)"', browser.get(f"/reviews/{run.id}").text)[1]


def correct(browser, run, values, mark=None):
    return browser.submit(f"/reviews/{run.id}/correction", {**values, "seen": mark or seen(browser, run)})


def corrections():
    rows = db.session.execute(select(Correction.field, Correction.key_kind, Correction.old, Correction.new))
    return {(row.field, row.key_kind.value): (row.old, row.new) for row in rows}


def test_the_products_page_leads_to_the_desk_which_shows_what_the_product_is(reviewer, done):
    page = reviewer.get(f"/products/{done.product_id}").text
    assert f'href="/reviews/{done.id}"' in page
    desk = reviewer.get(f"/reviews/{done.id}").text
    assert 'value="Kettle"' in desk
    assert "Correct and start again" in desk
    assert "disabled" not in desk.split('class="decide-fields"')[1].split(">")[0]


def test_a_product_that_went_on_by_itself_is_corrected_and_starts_again(reviewer, done):
    answer = correct(reviewer, done, BETTER)
    assert (answer.status_code, answer.location) == (303, f"/products/{done.product_id}")
    assert latest(done.product_id).id != done.id
    answer_bells()
    product, run = fresh(Product, done.product_id), latest(done.product_id)
    assert (run.state, run.confidence) == (RunState.COMPLETED, 100)
    assert (product.brand, product.condition.value, product.size, product.quantity) == (
        "Acme Foods",
        "used",
        "1.7 l",
        "2",
    )
    assert {"brand", "condition", "size", "quantity"} <= set(product.fixed_fields)
    entry = db.session.execute(select(AuditEntry).where(AuditEntry.action == "product_corrected")).scalar_one()
    assert (entry.old["brand"], entry.new["brand"]) == ("Acme", "Acme Foods")


def test_what_people_notice_by_themselves_counts_for_no_calibration_but_is_learned(reviewer, done):
    correct(reviewer, done, BETTER)
    assert db.session.execute(select(func.count()).where(Review.decided_at.is_not(None))).scalar_one() == 0
    noted = corrections()
    assert noted["brand", "gtin"] == ("Acme", "Acme Foods")
    assert noted["brand", "brand"] == ("Acme", "Acme Foods")
    assert ("size", "gtin") in noted
    assert ("size", "brand") not in noted  # how much is in one product says nothing of the brand's others
    assert not any(field == "condition" for field, _ in noted)


def test_a_second_correction_stands_in_the_place_of_the_first(reviewer, done):
    correct(reviewer, done, BETTER)
    answer_bells()
    correct(reviewer, latest(done.product_id), {**BETTER, "brand": "Acme Kitchen"})
    assert corrections()["brand", "gtin"] == ("Acme", "Acme Kitchen")
    answer_bells()
    correct(reviewer, latest(done.product_id), {**BETTER, "brand": "Acme"})
    assert ("brand", "gtin") not in corrections()


def test_a_proposed_rule_goes_when_a_correction_under_it_is_changed(reviewer, judged, make_run):  # noqa: F811
    runs = [make_run() for _ in range(3)]
    answer_bells()
    for run in runs:
        correct(reviewer, run, BETTER)
    answer_bells()
    brand = select(func.count()).select_from(Rule).where(Rule.field == "brand", Rule.new == "Acme Foods")
    assert db.session.execute(brand).scalar_one() == 2
    correct(reviewer, latest(runs[0].product_id), {**BETTER, "brand": "Acme"})
    db.session.expire_all()
    assert db.session.execute(brand).scalar_one() == 0


def test_a_correction_after_a_plain_confirmation_is_learned(reviewer, waiting):
    reviewer.submit(f"/reviews/{waiting.id}/decision", SAME)
    assert corrections() == {}
    answer_bells()
    correct(reviewer, latest(waiting.product_id), BETTER)
    assert corrections()["brand", "gtin"] == ("Acme", "Acme Foods")
    assert corrections()["brand", "brand"] == ("Acme", "Acme Foods")
    answer_bells()
    correct(reviewer, latest(waiting.product_id), SAME)
    assert ("brand", "gtin") not in corrections()


def test_a_proposed_rule_goes_when_a_product_of_two_corrected_runs_says_otherwise(reviewer, judged, make_run):  # noqa: F811
    runs = [make_run() for _ in range(3)]
    answer_bells()
    for run in runs:
        correct(reviewer, run, BETTER)
    answer_bells()
    again = latest(runs[0].product_id)
    with transaction() as session:
        kept = session.execute(select(Correction).where(Correction.run_id == runs[0].id)).scalars()
        columns = ("client_id", "product_id", "field", "old", "new", "key_kind", "key_value")
        session.add_all([Correction(run_id=again.id, **{name: getattr(row, name) for name in columns}) for row in kept])
    correct(reviewer, again, {**BETTER, "brand": "Acme"})
    db.session.expire_all()
    assert not db.session.execute(select(Rule).where(Rule.new == "Acme Foods")).scalars().all()


def test_a_decision_that_was_a_slip_is_changed_and_with_it_what_calibration_learns(reviewer, waiting):
    reviewer.submit(f"/reviews/{waiting.id}/decision", {**SAME, "name": "Toaster"})
    page = reviewer.get(f"/reviews/{waiting.id}").text
    assert "You have decided this one already" in page
    assert 'value="Toaster"' in page
    correct(reviewer, waiting, SAME)
    answer_bells()
    assert fresh(Run, waiting.id).state is RunState.STOPPED
    assert fresh(Product, waiting.product_id).name == "Kettle"
    review = db.session.execute(select(Review).where(Review.run_id == waiting.id)).scalar_one()
    assert review.after["name"] == "Kettle"
    assert ("name", "gtin") not in corrections()


def test_after_a_decision_the_next_page_offers_the_way_back(reviewer, waiting):
    reviewer.submit(f"/reviews/{waiting.id}/decision", SAME)
    assert f'href="/reviews/{waiting.id}" data-key="u">Change it</a>' in reviewer.get("/reviews").text


def test_nothing_changed_starts_nothing(reviewer, done):
    correct(reviewer, done, SAME)
    assert latest(done.product_id).id == done.id
    assert "Nothing was changed" in reviewer.get(f"/products/{done.product_id}").text


def test_of_two_who_correct_at_once_the_second_is_told_and_keeps_what_was_typed(reviewer, client, sign_in, done):  # noqa: F811
    other = sign_in(factories.make_member(client, "reviewer"), client)
    mark = seen(other, done)
    correct(reviewer, done, BETTER)
    late = correct(other, done, {**SAME, "name": "Toaster T2"}, mark)
    assert late.status_code == 409
    assert "started again since" in late.text
    assert 'value="Toaster T2"' in late.text
    answer_bells()
    late = correct(other, latest(done.product_id), {**SAME, "name": "Toaster T2"}, mark)
    assert late.status_code == 409
    assert "Somebody has changed this product" in late.text
    assert fresh(Product, done.product_id).name == "Kettle"


def test_what_waits_for_a_person_is_decided_not_corrected(reviewer, waiting):
    answer = correct(reviewer, waiting, SAME, "any")
    assert answer.status_code == 409
    assert fresh(Run, waiting.id).state is RunState.REVIEW


def test_an_earlier_run_is_only_looked_at(reviewer, done):
    with transaction() as session:
        pipeline.run_again(session, done.product_id, None)
    answer_bells()
    page = reviewer.get(f"/reviews/{done.id}").text
    assert "an earlier run" in page
    assert "Correct and start again" not in page


def test_what_is_hardly_sure_stands_beside_its_field_and_goes_nowhere_by_itself(done):
    guess = Field(value="485D", confidence=35)
    found = msgspec.structs.replace(judging.found(90), model=guess, size=Field(value="200ml", confidence=45))
    form = forms.prefill(found, {})
    assert (form.values["model"], form.values["size"]) == ("", "200ml")
    assert forms.prefill(found, {"model": "K1"}).values["model"] == "K1"
    with transaction() as session:
        settling.apply_analysis(session, done.product_id, found)
    product = fresh(Product, done.product_id)
    assert (product.name, product.model, product.size) == ("Kettle", None, None)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"quantity": "none"}, "from 1 to 9999"), ({"size": "x" * 61}, "At most 60"), ({"name": ""}, "needs a name")],
)
def test_what_is_wrong_is_said_and_kept(reviewer, done, wrong, says):
    answer = correct(reviewer, done, {**BETTER, **wrong})
    assert answer.status_code == 422
    assert says in answer.text
    assert 'value="Acme Foods"' in answer.text
    assert latest(done.product_id).id == done.id


def test_staff_and_other_clients_may_not(client, sign_in, done):  # noqa: F811
    staff = sign_in(factories.make_member(client, "staff"), client)
    assert correct(staff, done, BETTER, "any").status_code == 403
    stranger_client = factories.make_client()
    stranger = sign_in(factories.make_member(stranger_client, "reviewer"), stranger_client)
    assert correct(stranger, done, BETTER, "any").status_code == 404


@pytest.fixture
def guessing(app, client):  # noqa: F811
    """Sure of the product, with a guess at its model; everything is audited."""
    app.config["PHASE_ENGINES"][PhaseName.ANALYSIS] = f"{__name__}.with_a_guess"
    with transaction() as session:
        session.merge(client).audit_percent = 100


def with_a_guess(photos, hints, reference, report, **_more):
    return msgspec.structs.replace(judging.found(90), model=Field(value="485D", confidence=35))


def test_a_guess_that_is_left_where_it_stands_is_no_error(reviewer, guessing, make_run):  # noqa: F811
    run = make_run()
    answer_bells()
    reviewer.submit(f"/reviews/{run.id}/decision", SAME)
    review = db.session.execute(select(Review).where(Review.run_id == run.id)).scalar_one()
    assert (review.decision, review.before["model"]) == ("confirmed", None)
    assert rightness(review.before, review.after)[1] is True
    assert corrections() == {}
    assert latest(run.product_id).id == run.id


def test_an_audit_that_is_taken_back_leaves_a_later_correction(reviewer, guessing, make_run):  # noqa: F811
    run = make_run()
    answer_bells()
    reviewer.submit(f"/reviews/{run.id}/decision", SAME)
    correct(reviewer, run, BETTER)
    reviewer.submit(f"/reviews/{run.id}/decision/return", {})
    product = fresh(Product, run.product_id)
    assert (product.brand, product.size) == ("Acme Foods", "1.7 l")
    assert "brand" in product.fixed_fields
    assert corrections()["brand", "gtin"] == ("Acme", "Acme Foods")


def test_an_audit_that_is_taken_back_leaves_a_later_correction_of_what_it_corrected(reviewer, guessing, make_run):  # noqa: F811
    run = make_run()
    answer_bells()
    reviewer.submit(f"/reviews/{run.id}/decision", {**SAME, "brand": "Acne"})
    answer_bells()
    correct(reviewer, latest(run.product_id), BETTER)
    reviewer.submit(f"/reviews/{run.id}/decision/return", {})
    assert fresh(Run, run.id).audit is AuditState.OPEN
    assert fresh(Product, run.product_id).brand == "Acme Foods"
    assert corrections()["brand", "gtin"] == ("Acme", "Acme Foods")


def test_a_size_that_stood_at_the_desk_stays_with_another_name():
    record = Evidence(kind="catalog", says="The catalog has it.")
    found = msgspec.structs.replace(judging.found(90), size=Field(value="500 ml", confidence=90, evidence=(record,)))
    renamed = {**dict.fromkeys(settling.SETTLED_FIELDS), "name": "Toaster", "size": "500 ml"}
    assert settling.settle(found, renamed, "she").size.value == "500 ml"
    assert settling.settle(found, {"name": "Toaster"}, "she").size.value is None  # nobody was asked about it


def test_what_a_product_lacks_that_nobody_settled_is_shown_as_it_was_found(done):
    found = msgspec.structs.replace(judging.found(90), size=Field(value="500 ml", confidence=90))
    assert shown(fresh(Product, done.product_id), found)["size"] == "500 ml"
