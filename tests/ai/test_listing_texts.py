"""Phase 4 with a model: texts are taken where they hold, marked one by one, paid within the budget."""

from decimal import Decimal

import pytest
from sqlalchemy import text

from tests.ai.conftest import TEXTS, set_terms
from tests.factories import make_member
from tests.pipeline.conftest import answer_bells, fresh
from webapp.access.models import Client
from webapp.database import transaction
from webapp.pipeline import findings
from webapp.pipeline.models import PhaseName, Run, RunState

PLAIN_TITLE = "Stabilo Point 88 Fineliner - New"


def listing(run):
    with transaction() as session:
        return findings.read_all(session, run.id)[1][PhaseName.LISTING]


def calls():
    with transaction() as session:
        return session.execute(text("SELECT * FROM ai_calls ORDER BY id")).all()


def spending():
    with transaction() as session:
        return session.execute(text("SELECT spent, reserved FROM ai_spending")).one_or_none()


def test_a_model_writes_the_texts_and_each_is_marked(model, use_models, make_run, sign_in):
    use_models(model.environ(NAME="Tiny"))
    run = make_run()
    answer_bells()
    assert fresh(Run, run.id).state is RunState.COMPLETED
    found = listing(run)
    assert found.title == TEXTS["title"] == found.titles["ebay"]
    assert found.bullets == tuple(TEXTS["bullets"])
    assert found.description == TEXTS["description"]
    assert found.written == {"title": "Tiny", "bullets": "Tiny", "description": "Tiny"}
    with transaction() as session:
        client = session.get_one(Client, run.client_id)
    browser = sign_in(make_member(client), client)
    assert browser.get(f"/products/{run.product_id}").text.count("written by a model: Tiny") == 3
    assert browser.get(f"/products/{run.product_id}/listing").text.count("written by a model: Tiny") == 4


def test_what_it_costs_is_settled_by_what_was_used(model, use_models, make_run):
    use_models(model.environ())
    run = make_run()
    answer_bells()
    (call,) = calls()
    assert (call.state, call.use, call.tokens_in, call.tokens_out) == ("settled", "listing", 400, 200)
    assert call.cost_usd == Decimal("0.0028")  # 400 of 2 $ and 200 of 10 $ per million
    assert call.reserved_usd > call.cost_usd
    assert (call.product_id, call.model) == (run.product_id, "tiny-1")
    assert spending() == (Decimal("0.0028"), 0)


def test_the_same_question_is_asked_once_within_its_time(model, use_models, make_run):
    use_models(model.environ())
    runs = [make_run(), make_run()]
    answer_bells()
    assert [listing(run).title for run in runs] == [TEXTS["title"]] * 2
    assert len(model.asked) == len(calls()) == 1
    with transaction() as session:
        session.execute(text("UPDATE ai_answers SET asked_at = asked_at - interval '31 days'"))
    make_run()
    answer_bells()
    assert len(model.asked) == 2


def test_without_a_model_everything_works(make_run, use_models):
    use_models()
    run = make_run()
    answer_bells()
    assert fresh(Run, run.id).state is RunState.COMPLETED
    assert listing(run).written == {}
    assert listing(run).model_notes == ()
    assert calls() == []


def test_a_use_that_is_switched_off_asks_nobody(client, model, use_models, make_run):
    use_models(model.environ())
    set_terms(client, uses=("analysis",))
    run = make_run()
    answer_bells()
    assert (model.asked, listing(run).written, listing(run).model_notes) == ([], {}, ())


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"budget": "0"}, "this month's budget does not allow it"),
        ({"budget": "0.001"}, "this month's budget does not allow it"),
        ({"cap": "0.001"}, "the cap per product does not allow it"),
    ],
)
def test_without_money_nobody_is_asked_and_the_listing_says_so(client, model, use_models, make_run, terms, says):
    use_models(model.environ(NAME="Tiny"))
    set_terms(client, **terms)
    run = make_run()
    answer_bells()
    assert fresh(Run, run.id).state is RunState.COMPLETED
    assert listing(run).model_notes == (f"Tiny was not asked: {says}.",)
    assert (model.asked, calls(), spending()) == ([], [], None)


def test_a_model_that_costs_nothing_needs_no_budget(client, model, use_models, make_run):
    use_models(model.environ(PRICE_IN="0", PRICE_OUT="0"))
    set_terms(client, budget="0", cap="0")
    run = make_run()
    answer_bells()
    assert listing(run).title == TEXTS["title"]
    assert spending() == (0, 0)


def test_what_is_not_known_is_not_taken_and_the_rest_is(model, use_models, make_run, sign_in):
    use_models(model.environ(NAME="Tiny"))
    model.answers["listing"] = TEXTS | {"bullets": ["Writes for 12 hours"], "title": "Stabilo Point 88 Fineliner Gold"}
    run = make_run()
    answer_bells()
    found = listing(run)
    assert found.written == {"description": "Tiny"}
    assert found.model_notes == (
        "Tiny wrote a title that was not taken: “gold” is not among what is known.",
        "Tiny wrote bullet points that were not taken: “12” is not among what is known.",
    )
    with transaction() as session:
        client = session.get_one(Client, run.client_id)
    page = sign_in(make_member(client), client).get(f"/products/{run.product_id}").text
    assert "that were not taken" in page
    assert page.count("written by a model: Tiny") == 1
