"""Pricing rules in a real browser: trying them swaps the preview in without leaving the page."""

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from werkzeug.serving import make_server

from tests.factories import make_member
from tests.pipeline.conftest import client, make_run  # noqa: F401 - fixtures
from tests.pricing.test_views import kept, priced  # noqa: F401 - fixture
from webapp.access import sessions
from webapp.access.models import Client, Role
from webapp.audit.services import Actor
from webapp.database import transaction
from webapp.phases.pricing_rules import PricingRules

pytestmark = pytest.mark.browser


@pytest.fixture
def site(app) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_trying_rules_shows_their_effect_and_saving_keeps_them(app, client, priced, site, browser: Browser):  # noqa: F811
    priced()
    with transaction() as session:
        place = session.get_one(Client, client.id)
    admin = make_member(place, Role.ADMIN)
    with transaction():
        token = sessions.begin(admin.id, Actor(user_id=admin.id), 30, client.id)
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.add_cookies([{"name": app.config["ACCESS_COOKIE"], "value": token, "url": site}])
    page = context.new_page()
    page.goto(f"{site}/pricing")
    page.evaluate("window.stayed = true")
    page.get_by_label("Floor, in USD").fill("25")
    page.get_by_role("button", name="Try it out").click()
    expect(page.locator("#pricing")).to_contain_text("These rules are not saved yet.")
    expect(page.locator(".pricing-changed")).to_have_text("25.00")
    page.get_by_label("Floor, in USD").fill("lots")
    page.get_by_role("button", name="Try it out").click()
    expect(page.locator("#floor-error")).to_be_visible()
    assert page.evaluate("window.stayed")
    assert kept(client) == PricingRules()
    page.get_by_label("Floor, in USD").fill("25")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#flashes")).to_contain_text("Saved.")
    assert kept(client).floor == 25
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
