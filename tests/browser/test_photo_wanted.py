"""The whole way of a photo that is wanted: asked for with two keys, seen live, taken at the dock, back in the queue."""

import random
import re
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.test_main_job import expect_no_reload, mark, upload
from tests.browser.test_retake import take

pytestmark = pytest.mark.browser

NOTE = "The barcode, please"


@pytest.fixture
def unknown(tmp_path: Path) -> list[Path]:
    """Two photos of items that nobody knows, and that resemble nothing that other tests have made known."""
    paths = [tmp_path / "first.jpg", tmp_path / "second.jpg"]
    for path in paths:
        dice = random.Random(str(path))
        image = Image.new("RGB", (900, 700), (206, 200, 188))
        pen = ImageDraw.Draw(image)
        for _ in range(120):
            left, top = dice.randrange(860), dice.randrange(660)
            colour = tuple(dice.randrange(30, 256) for _ in range(3))
            pen.ellipse((left, top, left + dice.randrange(20, 120), top + dice.randrange(20, 120)), colour)
        image.save(path)
    return paths


def expect_it_fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_photo_is_asked_for_taken_at_the_dock_and_the_product_comes_back(
    page: Page, context: BrowserContext, unknown: list[Path]
) -> None:
    upload(page, unknown[:1])
    expect(page.locator("section.run")).to_have_attribute("data-state", "review")
    product = page.url.rsplit("/", 1)[-1]
    desk = context.new_page()
    desk.goto("/")
    row = desk.locator(f"#row-{product}")
    for watcher in (page, desk):
        expect(watcher.locator("[data-live-status]")).to_have_text(re.compile("live", re.IGNORECASE))
        mark(watcher)
    reviewer = context.new_page()
    way = page.locator(".run-ways a", has_text="Review").get_attribute("href") or ""
    reviewer.goto(way)
    reviewer.keyboard.press("n")
    expect(reviewer.get_by_role("button", name=NOTE)).to_be_focused()
    expect_it_fits(reviewer)
    reviewer.keyboard.press("Enter")
    expect(reviewer.locator(".flash")).to_contain_text("The dock is asked for a new photo")
    # Whoever looks at the product or the desk sees it without doing anything.
    expect(page.locator(".photo-wanted-note")).to_have_text(f"“{NOTE}”")
    expect(row).to_contain_text("Photo wanted")
    expect(row).to_contain_text(NOTE)
    expect_no_reload(page)
    reviewer.goto("/reviews")
    expect(reviewer.locator("#photos-wanted")).to_contain_text(NOTE)
    # The dock answers.
    dock = context.new_page()
    dock.goto("/intake")
    expect_it_fits(dock)
    dock.get_by_role("link", name="1 photo wanted", exact=True).click()
    item = dock.locator("#photos-wanted li").filter(has=dock.locator(f'a[href="/products/{product}"]'))
    button = item.get_by_role("link", name="Take the photo")
    assert ((button.bounding_box() or {}).get("height") or 0) >= 48
    take(dock, button, unknown[1])
    expect(dock.locator("[data-retake-note]")).to_contain_text("The new photo is safe.")
    expect(dock.locator("#photos-wanted")).to_contain_text("No barcode was found")  # while it is in the hand
    for watcher in (page, desk):
        expect(watcher.get_by_text(NOTE)).to_have_count(0 if watcher is desk else 1)  # the log keeps it
        expect_no_reload(watcher)
    expect(page.locator("section.run")).to_have_attribute("data-state", "review")
    expect(row).to_contain_text("Needs review")
    dock.goto("/intake")
    expect(dock.locator("#photos-wanted")).to_have_count(0)
    reviewer.goto("/reviews")
    expect(reviewer.locator("#photos-wanted")).to_have_count(0)
    expect(reviewer.locator(f'a[href="{way}"]').first).to_be_visible()
