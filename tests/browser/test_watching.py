"""The watching page in a real browser, on a phone and on a desk's screen: it is current, and its buttons work."""

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def watching(page: Page) -> Page:
    """The page, with a yes to every question."""
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("/watching")
    return page


def test_it_shows_every_slot_fits_the_screen_and_keeps_itself_current(watching: Page):
    for slot in ("slot-heavy-0", "slot-light-0"):
        expect(watching.locator("#watch")).to_contain_text(slot)
    assert watching.evaluate("document.documentElement.scrollWidth <= innerWidth")
    seen = watching.locator("#watch p.soft time").first
    before = seen.get_attribute("datetime") or ""
    expect(seen).not_to_have_attribute("datetime", before)


def test_what_is_paused_here_is_told_at_the_desk_until_it_is_resumed(watching: Page):
    watching.get_by_label("What").select_option(label="SEO, for all clients")
    watching.get_by_label("Why").fill("New prompts come at noon")
    watching.locator("#pause").click()
    expect(watching.locator("#watch .verdict")).to_contain_text("1 thing is paused.")
    watching.goto("/")
    expect(watching.locator("#paused")).to_contain_text("SEO is paused for everybody by Admin")
    expect(watching.locator("#paused")).to_contain_text("New prompts come at noon")
    watching.goto("/watching")
    watching.get_by_role("button", name="Resume").click()
    expect(watching.locator("#watch")).not_to_contain_text("is paused")
    watching.goto("/")
    expect(watching.locator("#paused")).not_to_contain_text("SEO")


def test_a_slot_is_drained_shows_it_and_works_again(watching: Page):
    row = watching.locator("#watch tr", has_text="slot-light-0")
    row.get_by_role("button", name="Drain").click()
    row = watching.locator("#watch tr", has_text="slot-light-0")
    expect(row).to_contain_text(re.compile("drained|finishes"))
    expect(watching.locator("#watch .verdict")).to_contain_text("1 slot is drained")
    row.get_by_role("button", name="Let it work").click()
    expect(watching.locator("#watch tr", has_text="slot-light-0")).to_contain_text("alive")


def test_it_says_so_when_it_is_not_current(watching: Page):
    away = watching.context.new_page()  # whose console may complain
    away.goto("/watching")
    away.route("**/watching/now", lambda route: route.abort())
    expect(away.locator("[data-watch-stale]")).to_contain_text("has not been current since")
    away.unroute_all()
    expect(away.locator("[data-watch-stale]")).to_be_empty()
