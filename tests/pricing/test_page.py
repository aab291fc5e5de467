"""Pricing rules in a real browser: trying them swaps the preview in without leaving the page."""

import pytest
from playwright.sync_api import expect

from tests.factories import make_member
from tests.pipeline.conftest import client, make_run  # noqa: F401 - fixtures
from tests.pricing.test_views import kept, priced  # noqa: F401 - fixture
from webapp.access.models import Client, Role
from webapp.database import transaction
from webapp.phases.pricing_rules import PricingRules

pytestmark = pytest.mark.browser


def test_trying_rules_shows_their_effect_and_saving_keeps_them(client, priced, open_page):  # noqa: F811
    priced()
    with transaction() as session:
        place = session.get_one(Client, client.id)
    admin = make_member(place, Role.ADMIN)
    page = open_page("/pricing", admin, place)
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
