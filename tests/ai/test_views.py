"""The page of models: who may change what, what it shows, and that it costs the same however much there is."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import text

from tests.factories import make_client, make_member, make_product, make_user
from webapp.access.models import Client, Role
from webapp.ai import configured
from webapp.database import tenant, transaction

KEYS = {
    "LOTLINE_MODEL_URL": "https://api.example.com/v1",
    "LOTLINE_MODEL_KEY": "sk-very-secret",
    "LOTLINE_MODEL_ID": "tiny-1",
    "LOTLINE_MODEL_NAME": "Tiny",
    "LOTLINE_MODEL_PRICE_IN": "0.15",
    "LOTLINE_MODEL_PRICE_OUT": "0.60",
}


@pytest.fixture
def one_model(app, monkeypatch):
    monkeypatch.setitem(app.extensions, "lotline_models", configured.read(KEYS))


@pytest.fixture
def home(app, in_app):
    return make_client()


@pytest.fixture
def operator(home, sign_in):
    return sign_in(make_member(home, Role.ADMIN, make_user(is_operator=True)), home)


@pytest.fixture
def admin(home, sign_in):
    return sign_in(make_member(home, Role.ADMIN), home)


def terms(client):
    with tenant(client.id), transaction() as session:
        row = session.get_one(Client, client.id, populate_existing=True)
        return row.model_budget_usd, row.model_cap_usd, row.model_uses


def make_calls(client, many, product=None, **changes):
    values = {"cost_usd": "0.01", "state": "settled", "error": None} | changes
    with tenant(client.id), transaction() as session:
        for _ in range(many):
            session.execute(
                text("""INSERT INTO ai_calls (client_id, provider, model, use, month, tokens_in, tokens_out, cost_usd,
                          state, error, product_id)
                        VALUES (:client_id, 'Tiny', 'tiny-1', 'listing',
                          date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date, 100, 20, :cost_usd,
                          :state, :error, :product_id)"""),
                {"client_id": client.id, "product_id": product.id if product else None, **values},
            )


def test_without_a_model_the_page_says_so_in_plain_words(admin):
    page = admin.get("/models")
    assert page.status_code == 200
    assert "No model is set up on this installation, and none is needed" in page.text
    assert "What a model may do once there is one" in page.text
    assert "LOTLINE_MODEL_URL" in page.text
    assert "No model was asked yet." in page.text
    assert "Spent in" not in page.text


def test_money_reads_like_a_sentence(home, one_model, operator):
    page = operator.get("/models").text
    assert f"Spent in {datetime.now(UTC):%B %Y}" in page
    assert "set aside" not in page
    with tenant(home.id), transaction() as session:
        session.execute(
            text(
                "INSERT INTO ai_spending (client_id, month, spent, reserved)"
                " VALUES (:id, date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date, 1, 0.0021)"
            ),
            {"id": home.id},
        )
    assert "$0.0021 more are set aside for calls under way." in operator.get("/models").text


def test_a_model_is_shown_without_its_key(one_model, admin):
    page = admin.get("/models").text
    assert "Tiny" in page
    assert "at api.example.com" in page
    assert "$0.15 read, $0.60 written" in page
    assert "sk-very-secret" not in page


def test_an_operator_sets_budget_cap_and_uses(home, operator):
    answer = operator.submit("/models", {"use": ["listing"], "budget": "12,5", "cap": "0.0125"})
    assert answer.status_code == 303
    assert terms(home) == (Decimal("12.50"), Decimal("0.0125"), ["listing"])
    page = operator.get("/models").text
    assert 'value="12.50"' in page
    assert 'value="0.0125"' in page


def test_an_admin_switches_uses_but_spends_no_more(home, admin):
    assert "operator of this installation can change it" in admin.get("/models").text
    assert admin.submit("/models", {"use": "", "budget": "1000", "cap": "1000"}).status_code == 303
    assert terms(home) == (0, Decimal("0.05"), [])


@pytest.mark.parametrize("budget", ["", "-1", "a lot", "1.234", "1e9", "99999999999", "NaN", "٣"])
def test_what_is_no_amount_is_named_and_nothing_changes(home, operator, budget):
    answer = operator.submit("/models", {"use": ["listing", "nonsense"], "budget": budget, "cap": "0.05"})
    assert answer.status_code == 422
    assert "Enter an amount from 0 to 1000000" in answer.text
    assert terms(home)[0] == 0


@pytest.mark.parametrize("cap", ["1000000", "999999.5", "0.00001"])
def test_a_cap_that_the_database_cannot_hold_is_named(home, operator, cap):
    answer = operator.submit("/models", {"use": "", "budget": "5", "cap": cap})
    assert answer.status_code == 422
    assert "Enter an amount from 0 to 999999" in answer.text
    assert operator.submit("/models", {"use": "", "budget": "5", "cap": "999999"}).status_code == 303


def test_only_a_form_with_the_switches_changes_them(home, operator, admin):
    operator.submit("/models", {"use": ["", "listing"], "budget": "5", "cap": "0.05"})
    assert admin.submit("/models", {}).status_code == 303
    assert terms(home)[2] == ["listing"]
    assert 'name="use" value=""' in admin.get("/models").text
    assert admin.submit("/models", {"use": ""}).status_code == 303
    assert terms(home)[2] == []


def test_the_change_is_written_down(home, operator):
    operator.submit("/models", {"use": ["listing"], "budget": "5", "cap": "0.05"})
    with tenant(home.id), transaction() as session:
        new = session.execute(text("SELECT new FROM audit WHERE action = 'client_changed'")).scalar_one()
    assert (new["model_budget_usd"], new["model_uses"]) == ("5", ["listing"])


def test_calls_are_listed_by_product_and_paged(home, admin):
    pen, cup = make_product(home, name="A pen"), make_product(home, name="A cup")
    make_calls(home, 60, pen)
    make_calls(home, 1, cup, state="unknown", error="its worker ended in the middle of the call")
    page = admin.get("/models").text
    assert page.count("A pen</a>") == 49
    assert "nobody knows; counted in full" in page
    assert "61 calls" in page
    assert "$0.6100" in page
    before = page.split("before=")[1].split('"')[0]
    assert admin.get(f"/models?before={before}").text.count("A pen</a>") == 11
    of_cup = admin.get(f"/models?product={cup.id}").text
    assert of_cup.count("A cup</a>") == 1
    assert "A pen</a>" not in of_cup
    assert admin.get("/models?product=nonsense&before=nonsense").status_code == 200


def test_the_page_costs_the_same_however_many_calls_there_are(home, admin, count_queries):
    make_calls(home, 1, make_product(home))
    admin.get("/models")
    with count_queries() as few:
        admin.get("/models")
    for _ in range(30):
        make_calls(home, 1, make_product(home))
    with count_queries() as many:
        admin.get("/models")
    assert len(many) == len(few)


def test_another_clients_calls_are_not_there(home, sign_in):
    make_calls(home, 3, make_product(home, name="A pen"))
    other = make_client()
    page = sign_in(make_member(other, Role.ADMIN), other).get("/models").text
    assert "A pen" not in page
    assert "No model was asked yet." in page
