"""The main job in a real browser: photos in, four phases moving without a reload, a review, a listing out."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.phases.photos import scene
from tests.running import Stack
from webapp.intake.samples import samples

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """The project's own sample products as photo files, by the name of the sample."""
    folder = tmp_path_factory.mktemp("photos")
    files: dict[str, list[Path]] = {}
    for sample in samples():
        for file in sample.files:
            path = folder / file.name
            path.write_bytes(file.data)
            files.setdefault(sample.key, []).append(path)
    return files


def upload(page: Page, files: list[Path]) -> None:
    """Upload from the dock screen; ends on the product's page."""
    page.goto("/intake")
    page.locator("input[type=file][multiple]").set_input_files([str(path) for path in files])
    page.locator("[data-send]").click()
    again = page.get_by_role("button", name=re.compile("upload anyway", re.IGNORECASE))
    poor = page.get_by_role("link", name="Go on as it is")
    expect(page.locator("section.run").or_(again).or_(poor).first).to_be_visible()
    if again.is_visible():  # the other width has sent the same photos before
        again.click()
        expect(page.locator("section.run").or_(poor).first).to_be_visible()
    if poor.is_visible():
        poor.click()
    page.wait_for_url("**/products/*")


def know_samples(page: Page) -> None:
    """Press "try samples", wherever the button is shown by now: catalog and offers know the sample products then."""
    page.goto("/")
    token = page.locator("input[name=csrf_token]").first.get_attribute("value")
    answer = page.request.post("/intake/samples", form={"csrf_token": token or ""}, headers={"Referer": page.url})
    assert answer.ok


def mark(page: Page) -> None:
    """Leave a mark that a reload would wipe away."""
    page.evaluate("document.documentElement.dataset.mark = 'here'")


def expect_no_reload(page: Page) -> None:
    assert page.evaluate("document.documentElement.dataset.mark") == "here"


def test_the_link_signs_in_and_the_desk_is_there(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("[data-live-status]")).to_have_text(re.compile("live", re.IGNORECASE))


def test_photos_become_a_listing_before_ones_eyes(
    page: Page, context: BrowserContext, stack: Stack, photos: dict[str, list[Path]]
) -> None:
    know_samples(page)
    watcher = context.new_page()
    watcher.goto("/")
    expect(watcher.locator("[data-live-status]")).to_have_text(re.compile("live", re.IGNORECASE))
    mark(watcher)
    upload(page, photos["bottle"])
    mark(page)
    product = page.url.rsplit("/", 1)[-1]
    row = watcher.locator(f"#row-{product}")
    expect(row).to_be_visible()
    expect(page.locator("section.run")).to_have_attribute("data-state", "completed")
    expect(page.locator(".stop[data-state=done]")).to_have_count(4)
    expect(page.locator("[id^=lines-] > li")).not_to_have_count(0)
    expect(page.get_by_text("The listing is ready").first).to_be_visible()
    expect_no_reload(page)
    expect(row).to_have_attribute("data-state", "completed")
    expect_no_reload(watcher)
    page.get_by_role("link", name=re.compile("open the listing", re.IGNORECASE)).click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    watcher.close()


def test_an_unsure_product_is_reviewed_to_its_end(page: Page, tmp_path: Path) -> None:
    # Each width has an item of its own: what the other width confirmed would be recognised.
    words = {390: ("Obrecht", "Clay bowl"), 1280: ("Vintner", "Straw hat")}[(page.viewport_size or {})["width"]]
    taken = tmp_path / "item.jpg"
    scene(lines=words, text_size=70).save(taken)
    upload(page, [taken])
    mark(page)
    expect(page.locator("section.run")).to_have_attribute("data-state", "review")
    expect(page.locator(".run-reasons li").first).to_be_visible()
    expect_no_reload(page)
    address = page.url
    page.get_by_role("link", name="Review", exact=True).last.click()
    page.get_by_role("textbox", name="Name").fill("Hand-made bowl, blue")
    page.get_by_label("Brand").fill("Nobody")
    page.get_by_role("radio", name="Used", exact=True).check(force=True)
    page.get_by_role("button", name=re.compile("confirm", re.IGNORECASE)).click()
    page.wait_for_url(re.compile("/reviews"))
    page.goto(address)
    expect(page.locator("section.run")).to_have_attribute("data-state", "completed")
    expect(page.get_by_role("heading", name="Hand-made bowl, blue").first).to_be_visible()


def test_a_file_that_is_no_photo_is_named_and_the_other_goes_on(
    page: Page, tmp_path: Path, photos: dict[str, list[Path]]
) -> None:
    bad = tmp_path / "notes.jpg"
    bad.write_text("this is not a photo")
    upload(page, [bad, photos["grinder"][0]])
    expect(page.get_by_text("notes.jpg").first).to_be_visible()
    expect(page.locator("section.run")).to_be_visible()


def test_without_its_socket_the_page_says_so_and_keeps_up_by_asking(page: Page, photos: dict[str, list[Path]]) -> None:
    page.route_web_socket(re.compile("/live"), lambda socket: socket.close())
    upload(page, photos["bottle"][:1])
    mark(page)
    expect(page.locator("[data-live-status]")).to_have_text(re.compile("reconnecting|stale", re.IGNORECASE))
    expect(page.locator("section.run")).to_have_attribute("data-state", re.compile("completed|review"))
    expect_no_reload(page)
