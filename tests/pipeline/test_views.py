"""The desk, a product's page and the buttons on it, as a browser asks for them."""

import re
from uuid import uuid4

import msgspec
import pytest

from tests import factories
from tests.pipeline.conftest import answer_bells, fresh
from tests.pipeline.engines import broken
from webapp.database import tenant, transaction
from webapp.phases.facts import Evidence, Field
from webapp.pipeline import cards, desk, findings
from webapp.pipeline.models import PhaseName, Run, RunState
from webapp.together import read_together


@pytest.fixture
def staff(client, sign_in):
    user = factories.make_member(client, "staff")
    browser = sign_in(user, client)
    browser.user = user
    return browser


def test_an_empty_desk_offers_photos_and_samples(staff):
    page = staff.get("/").text
    assert 'href="/intake"' in page
    assert "/intake/samples" in page


def test_the_desk_shows_products_by_state_and_by_uploader(staff, make_run, client):
    mine, other = make_run(user=staff.user), make_run()
    everything = staff.get("/").text
    assert f"row-{mine.product_id}" in everything
    assert f"row-{other.product_id}" in everything
    own = staff.get("/?scope=mine").text
    assert f"row-{mine.product_id}" in own
    assert f"row-{other.product_id}" not in own
    assert f"row-{mine.product_id}" not in staff.get("/?state=completed").text


@pytest.mark.parametrize("query", ["state=nonsense", "scope=x", "before=not-an-id", "before=%00", "state=&before="])
def test_nonsense_in_the_address_is_no_error(staff, make_run, query):
    make_run()
    assert staff.get(f"/?{query}").status_code in (200, 400)


def test_the_first_of_several_pages_lets_new_products_in(staff, make_run, monkeypatch):
    monkeypatch.setattr(desk, "PAGE", 2)
    for _ in range(3):
        make_run()
    (rows,) = re.findall(r'<ol id="rows"[^>]*>', staff.get("/").text)
    assert {"data-first-page", "data-more"} <= set(rows.split())


def test_pages_of_the_desk_follow_each_other_without_gap_or_repeat(staff, make_run, monkeypatch):
    runs = [make_run() for _ in range(7)]
    monkeypatch.setattr(desk, "PAGE", 3)
    seen, before = [], None
    from webapp.database import db

    for _ in range(3):
        [rows] = read_together(db.session(), desk.ask_newest(created_by=None, state=None, before=before))
        rows, before = desk.newest(db.session(), rows)
        seen += [row.id for row in rows]
    assert seen == [run.id for run in reversed(runs)]
    assert before is None


@pytest.mark.parametrize("address", ["/", "/?scope=mine", "/live/desk?scope=all"])
def test_the_number_of_queries_does_not_grow_with_the_rows(staff, make_run, count_queries, address):
    make_run(user=staff.user)
    staff.get(address)
    with count_queries() as few:
        staff.get(address)
    for _ in range(12):
        make_run(user=staff.user)
    with count_queries() as many:
        staff.get(address)
    assert len(many) == len(few)


def test_a_products_page_shows_what_every_phase_found(staff, make_run):
    run = make_run()
    answer_bells()
    page = staff.get(f"/products/{run.product_id}")
    assert page.status_code == 200
    assert f'id="run-{run.id}"' in page.text
    assert f'id="findings-{run.id}"' in page.text
    assert "The listing is ready" in page.text
    assert staff.get(f"/products/{run.product_id}/listing").status_code == 200


def test_products_that_are_not_there_are_not_found(staff, make_run):
    run = make_run()
    for address in (
        f"/products/{uuid4()}",
        f"/products/{run.product_id}/listing",
        f"/runs/{uuid4()}/live",
        "/products/x",
    ):
        assert staff.get(address).status_code == 404


def test_another_clients_product_is_not_found(staff, make_run, sign_in):
    run = make_run()
    other = factories.make_client()
    stranger = sign_in(factories.make_member(other, "admin"), other)
    assert stranger.get(f"/products/{run.product_id}").status_code == 404
    assert stranger.get(f"/runs/{run.id}/live").status_code == 404
    assert stranger.submit(f"/runs/{run.id}/phases/1/stop").status_code == 404
    assert fresh(Run, run.id).state is RunState.RUNNING


def test_stop_resume_and_retry_from_the_page(app, staff, make_run):
    app.config["PHASE_ENGINES"][PhaseName.MARKET] = f"tests.pipeline.engines.{broken.__name__}"
    run = make_run()
    assert staff.submit(f"/runs/{run.id}/phases/1/stop").status_code == 303
    assert fresh(Run, run.id).state is RunState.STOPPED
    assert staff.submit(f"/runs/{run.id}/phases/1/resume").status_code == 303
    answer_bells()
    assert fresh(Run, run.id).state is RunState.FAILED
    page = staff.get(f"/products/{run.product_id}").text
    assert "the photo cannot be read" in page
    assert "retry" in page
    fragment = staff.submit(f"/runs/{run.id}/phases/2/retry", headers={"HX-Request": "true"})
    assert fragment.status_code == 200
    assert fragment.text.lstrip().startswith(f'<section id="run-{run.id}"')
    assert fresh(Run, run.id).state is RunState.RUNNING


def test_a_button_that_came_too_late_says_so(staff, make_run):
    run = make_run()
    answer_bells()
    late = staff.submit(f"/runs/{run.id}/phases/1/stop", headers={"HX-Request": "true"})
    assert late.status_code == 409
    assert "ended already" in late.text


def test_without_the_forms_token_nothing_happens(staff, make_run):
    run = make_run()
    assert staff.post(f"/runs/{run.id}/phases/1/stop").status_code == 400
    assert fresh(Run, run.id).state is RunState.RUNNING


def test_run_again_makes_a_second_run_and_the_first_stays_readable(staff, make_run, client):
    run = make_run()
    answer_bells()
    assert staff.submit(f"/products/{run.product_id}/runs").status_code == 303
    assert "run=1" in staff.get(f"/products/{run.product_id}").text
    assert staff.get(f"/products/{run.product_id}?run=1").status_code == 200
    with tenant(client.id), transaction() as session:
        assert [card.number for card in cards.cards_of_product(session, run.product_id)] == [2, 1]


def test_a_removed_product_leaves_the_desk_and_can_be_put_back(client, staff, make_run):
    run = make_run()
    assert staff.submit(f"/products/{run.product_id}/removal").status_code == 303
    assert fresh(Run, run.id).state is RunState.STOPPED
    assert f"row-{run.product_id}" not in staff.get("/").text
    assert "Put it back" in staff.get(f"/products/{run.product_id}").text
    assert staff.submit(f"/products/{run.product_id}/removal").status_code == 409
    assert answer_bells() <= 1
    assert fresh(Run, run.id).state is RunState.STOPPED
    assert staff.submit(f"/products/{run.product_id}/return").status_code == 303
    assert f"row-{run.product_id}" in staff.get("/").text
    assert staff.submit(f"/runs/{run.id}/phases/1/resume").status_code == 303
    answer_bells()
    assert fresh(Run, run.id).state is RunState.COMPLETED


def test_what_can_be_opened_on_a_products_page_has_a_name_of_its_own(staff, make_run):
    """Live fragments keep open what was open, by its id."""
    run = make_run()
    answer_bells()
    why = Field(value="Pens", confidence=90, evidence=(Evidence(kind="rule", says="So it is."),))
    with transaction() as session:
        places, found = findings.read_all(session, run.id)
        for number, name in enumerate((PhaseName.ANALYSIS, PhaseName.MARKET), 1):
            changed = {"brand": why, "category": why}
            told = msgspec.structs.replace(found[name], **changed)
            findings.write(session, run.client_id, places[name].phase_id, number, 1, told)
    ids = re.findall(r'\sid="([^"]+)"', staff.get(f"/products/{run.product_id}").text)
    assert f"why-{run.id}-category" in ids
    assert [each for each in set(ids) if ids.count(each) > 1] == []
