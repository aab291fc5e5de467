"""A poor photo is told on the uploader's own screen, and taken again right there."""

import re
from pathlib import Path
from zlib import crc32

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, expect

from webapp.intake.sample_drawing import back, front, photographed
from webapp.intake.samples import LABELS

pytestmark = pytest.mark.browser

BOTTLE = next(label for label in LABELS if label.key == "bottle")


@pytest.fixture
def shots(tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, Path]:
    """For each test and width its own: a blurred front and a sharp one, neither with a barcode, and good photos of the
    back, which has one."""
    seed = crc32(request.node.name.encode())
    drawn = {
        "blurred": photographed(front(BOTTLE), seed, blurred=True),
        "front": photographed(front(BOTTLE), seed + 4),
        "side": photographed(front(BOTTLE), seed + 5),
        "sharp": photographed(back(BOTTLE), seed + 1),
        "other": photographed(back(BOTTLE), seed + 2),
        "back": photographed(back(BOTTLE), seed + 3),
    }
    for name, data in drawn.items():
        (tmp_path / f"{name}.jpg").write_bytes(data)
    return {name: tmp_path / f"{name}.jpg" for name in drawn}


def take(page: Page, button: Locator, photo: Path) -> None:
    """Press the button and let the camera give `photo`."""
    with page.expect_file_chooser() as opened:
        button.click()
    opened.value.set_files(str(photo))


def send(page: Page, *files: Path) -> None:
    page.goto("/intake")
    page.locator("input[type=file][multiple]").set_input_files([str(file) for file in files])
    page.locator("[data-send]").click()


def test_a_blurred_photo_is_told_at_once_and_taken_again_on_the_spot(page: Page, shots: dict[str, Path]) -> None:
    send(page, shots["blurred"], shots["back"])
    poor = page.locator("[data-poor]")
    expect(poor).to_have_count(1)
    expect(poor).to_contain_text("blurred")
    expect(poor.locator("img")).to_have_js_property("complete", True)
    expect(page.get_by_text("nothing is lost")).to_be_visible()
    button = poor.get_by_role("link", name="Take it again")
    expect(button).to_be_focused()
    assert page.locator("[data-retake-input]").get_attribute("capture") == "environment"
    take(page, button, shots["sharp"])
    page.wait_for_url("**/products/*")
    photo = page.locator("figure.photo-first")
    expect(photo).to_contain_text("Good photo")
    expect(photo).to_contain_text("1 earlier photo")
    expect(page.locator("section.run")).to_have_attribute("data-state", re.compile("completed|review"))
    expect(page.locator("figure.photo")).to_have_count(2)


def test_a_new_photo_that_is_poor_too_is_told_again_and_one_may_go_on(page: Page, shots: dict[str, Path]) -> None:
    send(page, shots["blurred"])
    again = shots["blurred"].with_name("again.jpg")
    again.write_bytes(photographed(front(BOTTLE), 7, blurred=True))
    take(page, page.get_by_role("link", name="Take it again"), again)
    poor = page.locator("[data-poor]")
    expect(poor).to_contain_text("again.jpg")
    page.get_by_role("link", name="Go on as it is").click()
    page.wait_for_url("**/products/*")
    expect(page.locator("figure.photo-first")).to_contain_text("blurred")


def test_what_the_network_loses_is_sent_again(page: Page, context: BrowserContext, shots: dict[str, Path]) -> None:
    send(page, shots["blurred"])
    button = page.get_by_role("link", name="Take it again")
    expect(button).to_be_visible()
    page.route("**/retake", lambda route: route.abort())
    take(page, button, shots["sharp"])
    note = page.locator("[data-retake-note]")
    expect(note).to_contain_text("still here")
    page.unroute("**/retake")
    note.get_by_role("button", name="Send again").click()
    page.wait_for_url("**/products/*")


def test_on_the_products_page_a_photo_is_taken_again_and_the_earlier_one_comes_back(
    page: Page, shots: dict[str, Path]
) -> None:
    send(page, shots["sharp"])
    page.wait_for_url("**/products/*")
    expect(page.locator("section.run")).to_have_attribute("data-state", re.compile("completed|review"))
    before = page.locator("figure.photo-first .photo-frame").get_attribute("href") or ""
    take(page, page.get_by_role("link", name="Take it again").first, shots["other"])
    earlier = page.locator("figure.photo-first details")
    expect(earlier).to_contain_text("1 earlier photo")
    expect(page.locator("figure.photo-first .photo-frame")).not_to_have_attribute("href", before)
    expect(page.locator("section.run")).to_have_attribute("data-state", re.compile("completed|review"))
    while not earlier.evaluate("details => details.open"):  # a press may meet a part that is just being replaced
        earlier.locator("summary").click()
    earlier.get_by_role("button", name="Use this one again").click()
    expect(page.locator("figure.photo-first .photo-frame")).to_have_attribute("href", before)
    take(page, page.get_by_role("link", name="Add a photo"), shots["back"])
    expect(page.locator("figure.photo")).to_have_count(2)


def test_what_reading_finds_comes_to_the_open_page_with_the_way_to_mend_it(page: Page, shots: dict[str, Path]) -> None:
    cut = shots["front"].with_name("cut.jpg")
    with Image.open(shots["side"]) as whole:
        whole.crop((0, 0, whole.width // 2, whole.height)).save(cut, quality=90)
    send(page, cut, shots["front"])
    page.get_by_role("link", name="Go on as it is").click()
    page.wait_for_url("**/products/*")
    page.evaluate("document.documentElement.dataset.mark = 'here'")
    for says in ("The label goes on beyond the edge", "No barcode was found"):
        photo = page.locator("figure.photo").filter(has_text=says)
        expect(photo).to_have_count(1)
        expect(photo.get_by_role("link", name="Take it again")).to_be_visible()
    expect(page.get_by_role("link", name="Add a photo")).to_be_visible()
    assert page.evaluate("document.documentElement.dataset.mark") == "here"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_script_it_works_too(page: Page, context: BrowserContext, shots: dict[str, Path]) -> None:
    plain = context.browser.new_context(  # type: ignore[union-attr]
        java_script_enabled=False, base_url=page.url, storage_state=context.storage_state()
    )
    bare = plain.new_page()
    bare.goto("/intake")
    bare.locator("input[type=file][multiple]").set_input_files(str(shots["blurred"]))
    bare.locator("[data-send]").click()
    expect(bare.locator(".flash[data-level=warning]")).to_contain_text("blurred")
    bare.get_by_role("link", name="Take it again").first.click()
    bare.locator("input[type=file]").set_input_files(str(shots["sharp"]))
    bare.get_by_role("button", name="Send photo").click()
    expect(bare.locator("figure.photo-first")).to_contain_text("Good photo")
    plain.close()
