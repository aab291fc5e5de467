"""The desk's chips in a real browser: a name and its number come and go together, and no chip moves."""

import pytest
from playwright.sync_api import Page, expect

from tests import factories
from tests.pipeline.conftest import client, fresh, make_run  # noqa: F401 - fixtures
from tests.review.test_proposals import torn  # noqa: F401 - a fixture
from tests.site import DESK
from webapp.access.models import Role
from webapp.catalog.models import Product
from webapp.database import tenant

pytestmark = pytest.mark.browser

FIRST = {"name": "Acme kettle 1.7 l", "brand": "Acme", "model": "", "gtin": "9521101530018", "size": "1.7 l"}
OTHER = {"name": "Zeta kettle", "brand": "Zeta", "model": "Z2", "gtin": "9521101530025", "size": ""}


@pytest.fixture
def desk(client, torn, open_page) -> Page:  # noqa: F811
    return open_page(f"/reviews/{torn.id}", factories.make_member(client, Role.REVIEWER), client)


def expect_form(page: Page, values: dict[str, str]) -> None:
    for name, value in values.items():
        expect(page.locator(f"#{name}")).to_have_value(value)


def chip(page: Page, value: str):
    return page.locator(f'button[data-value="{value}"]')


def test_a_name_brings_its_number_along_and_takes_it_away_again(desk: Page):
    expect_form(desk, FIRST)
    chip(desk, OTHER["name"]).click()
    expect_form(desk, OTHER)
    expect(desk.locator(".brought")).to_contain_text("filled in too: Brand, Barcode (GTIN), Model.")
    expect(desk.locator(".brought")).to_contain_text("Emptied, since it was another product’s: Size")
    chip(desk, FIRST["name"]).click()
    expect_form(desk, FIRST)
    expect(desk.locator(".brought")).to_contain_text("Put back as it was")


def test_what_was_typed_comes_back_and_what_was_changed_meanwhile_stays(desk: Page):
    desk.locator("#name").fill("My own kettle")
    desk.locator("#model").fill("M1")
    chip(desk, OTHER["name"]).click()
    desk.locator("#brand").fill("Zeta & Sons")
    chip(desk, "My own kettle").click()
    expect_form(desk, {**FIRST, "name": "My own kettle", "model": "M1", "brand": "Zeta & Sons"})
    chip(desk, OTHER["name"]).click()
    chip(desk, "What was typed").click()
    expect_form(desk, {"name": "What was typed", "gtin": FIRST["gtin"]})


def test_no_chip_moves_and_the_chosen_one_is_marked(desk: Page):
    chips = desk.locator('[data-field="name"] .chip')
    places = [chips.nth(at).bounding_box() for at in range(3)]
    expect(chips).to_have_count(3)
    for at in (1, 2, 0):
        chips.nth(at).click()
        marked = [chips.nth(each).get_attribute("aria-pressed") for each in range(3)]
        assert [each for each in range(3) if marked[each] == "true"] == [at]
        now = [chips.nth(each).bounding_box() for each in range(3)]
        assert [(box["x"], box["width"]) for box in now] == [(box["x"], box["width"]) for box in places]
        assert len({round(box["y"] - other["y"]) for box, other in zip(now, places, strict=True)}) == 1


def test_a_page_that_comes_back_with_a_mistake_still_knows_what_the_name_brought(desk: Page):
    chip(desk, OTHER["name"]).click()
    desk.locator("#quantity").fill("many")
    desk.locator(".decide-bar button[type=submit]").click()
    expect(desk.locator("#quantity-error")).to_be_visible()
    expect_form(desk, OTHER)
    chip(desk, FIRST["name"]).click()
    expect_form(desk, FIRST)


BOX = "one => { const {x, y, width, height} = one.getBoundingClientRect(); return {x, y, width, height} }"


def test_a_photo_is_turned_in_sight_and_only_here(client, torn, open_page):  # noqa: F811
    with tenant(client.id):
        factories.make_photo(fresh(Product, torn.product_id), width=640, height=320)
    desk = open_page(f"/reviews/{torn.id}", factories.make_member(client, Role.REVIEWER), client, viewport=DESK)
    picture = desk.locator(".view-picture")
    image = picture.locator("image")
    for press in (lambda: desk.get_by_role("button", name="Rotate").click(), lambda: desk.keyboard.press("r")) * 2:
        before = image.evaluate(BOX)
        press()
        turned, frame = image.evaluate(BOX), picture.evaluate(BOX)
        assert (turned["width"] > turned["height"]) is (before["width"] < before["height"])
        assert turned["x"] >= frame["x"] - 1
        assert turned["y"] >= frame["y"] - 1
        assert turned["x"] + turned["width"] <= frame["x"] + frame["width"] + 1
        assert turned["y"] + turned["height"] <= frame["y"] + frame["height"] + 1
    assert picture.get_attribute("viewBox") == "0 0 640 320"
    desk.locator("#name").press("r")
    assert picture.get_attribute("viewBox") == "0 0 640 320"
    desk.get_by_role("button", name="Rotate").click()
    desk.once("dialog", lambda dialog: dialog.accept())
    desk.reload()
    assert picture.get_attribute("viewBox") == "0 0 640 320"
