"""A file of offers in a real browser: checked without leaving the page, then taken in without being chosen again."""

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from werkzeug.serving import make_server

from tests import factories
from tests.providers.test_offers_page import OFFERS, kept
from webapp.access import sessions
from webapp.access.models import Role
from webapp.audit.services import Actor
from webapp.database import transaction

pytestmark = pytest.mark.browser


@pytest.fixture
def site(app) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_checked_file_is_taken_in_by_one_press(app, in_app, site, browser: Browser):
    client = factories.make_client("Harbour Trade")
    admin = factories.make_member(client, Role.ADMIN)
    with transaction():
        token = sessions.begin(admin.id, Actor(user_id=admin.id), 30, client.id)
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.add_cookies([{"name": app.config["ACCESS_COOKIE"], "value": token, "url": site}])
    page = context.new_page()
    page.goto(f"{site}/offers")

    def choose(name: str, table: str) -> None:
        page.get_by_label("CSV file").set_input_files({"name": name, "mimeType": "text/csv", "buffer": table.encode()})

    choose("empty.csv", "title;price\n")
    page.get_by_role("button", name="Only check").click()
    expect(page.locator("#file-says")).to_contain_text("no rows below it")
    choose("list.csv", OFFERS)
    page.get_by_role("button", name="Only check").click()
    expect(page.locator("#checked")).to_contain_text("Checked; nothing was written.")
    expect(page.locator("#file-says")).to_be_empty()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert kept(client) == []
    page.get_by_role("button", name="Take in this row now").click()
    expect(page.locator("#flashes")).to_contain_text("1 row was taken in.")
    expect(page.get_by_label("CSV file")).to_have_value("")
    assert len(kept(client)) == 1
    context.close()
