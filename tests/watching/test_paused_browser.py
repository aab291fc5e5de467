"""Where people wait: what is paused reads so, on the desk and on the product's page; what runs already does not."""

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from tests import factories
from tests.pipeline.conftest import client, make_run  # noqa: F401 - fixtures
from webapp.access.models import Role
from webapp.database import tenant, transaction
from webapp.pipeline.models import Phase
from webapp.work import services as work

pytestmark = pytest.mark.browser


@pytest.fixture
def runs(client, make_run):  # noqa: F811
    """One that waits for its turn, and one that a worker has taken."""
    waits, taken = make_run(), make_run()
    with tenant(client.id), transaction() as session:
        work_id = session.scalars(select(Phase.work_id).where(Phase.run_id == taken.id, Phase.number == 1)).one()
        work.claim(session, work_id, "somebody", 60)
    return waits, taken


def word(page: Page, run) -> str:
    return page.locator(f"#row-{run.product_id} .row-state").inner_text().strip()


@pytest.mark.parametrize(
    ("what", "says"), [("own", "Paused"), ("activity:analysis", "Paused"), ("activity:market", "Running")]
)
def test_what_waits_for_its_turn_reads_paused_where_that_is(client, runs, open_page, sign_in, what, says):  # noqa: F811
    waits, taken = runs
    page = open_page("/", factories.make_member(client, Role.STAFF), client)
    assert (word(page, waits), word(page, taken)) == ("Running", "Running")
    operator = sign_in(factories.make_member(client, Role.ADMIN, factories.make_user("Olga", is_operator=True)), client)
    what = f"client:{client.id}" if what == "own" else what
    assert operator.submit("/watching/pauses", {"subject": what}).status_code == 303
    page.reload()
    assert (word(page, waits), word(page, taken)) == (says, "Running")
    page.goto(page.url.rstrip("/") + f"/products/{waits.product_id}")
    state = page.locator(".run-state")
    expect(state).to_have_text(says if says == "Paused" else "On the line", use_inner_text=True)
