"""The dock screen: nothing that was photographed is lost, and what it asks is clear and in reach."""

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.test_retake import send, shots, take

pytestmark = pytest.mark.browser
__all__ = ["shots"]  # a fixture

SHORT = {"width": 390, "height": 640}


def shoot(page: Page, *files: Path) -> None:
    """What the ordinary buttons at the top give."""
    page.locator("input[type=file][multiple]").set_input_files([str(file) for file in files])


def test_a_photo_taken_by_the_ordinary_button_goes_to_the_stored_product(page: Page, shots: dict[str, Path]) -> None:
    send(page, shots["blurred"])
    expect(page.get_by_role("heading", name="Keep it in your hand")).to_be_visible()
    shoot(page, shots["sharp"], shots["back"])
    page.wait_for_url("**/products/*")
    expect(page.locator("figure.photo")).to_have_count(3)


def test_a_missing_barcode_is_told_in_the_hand_and_its_photo_taken_on_the_spot(
    page: Page, shots: dict[str, Path]
) -> None:
    send(page, shots["front"], shots["side"])
    missing = page.get_by_text("No barcode was found")
    expect(missing).to_have_count(1)
    expect(page.get_by_role("heading", name="Keep it in your hand")).to_be_visible()
    button = page.get_by_role("link", name="Add a photo")
    expect(button).to_be_focused()
    take(page, button, shots["back"])
    page.wait_for_url("**/products/*")
    expect(page.locator("figure.photo")).to_have_count(3)


def test_a_photo_without_a_barcode_once_more_is_told_once_more(page: Page, shots: dict[str, Path]) -> None:
    send(page, shots["front"])
    take(page, page.get_by_role("link", name="Add a photo"), shots["side"])
    expect(page.locator("[data-shot-place]")).to_have_count(2)
    expect(page.locator("[data-shot-place]").first).to_contain_text("This one is good")
    expect(page.get_by_text("No barcode was found")).to_have_count(1)
    expect(page.get_by_role("link", name="Add a photo")).to_be_focused()
    blurred = shots["blurred"]
    shoot(page, blurred)
    expect(page.locator("[data-shot-place]").filter(has_text="blurred")).to_have_count(1)
    expect(page.get_by_text("No barcode was found")).to_have_count(0)
    take(page, page.get_by_role("link", name="Take it again"), shots["other"])
    page.wait_for_url("**/products/*")
    expect(page.locator("figure.photo")).to_have_count(3)


def test_without_a_barcode_one_press_goes_on(page: Page, shots: dict[str, Path]) -> None:
    send(page, shots["front"])
    expect(page.get_by_text("No barcode was found")).to_be_visible()
    page.wait_for_timeout(1000)  # longer than it takes to go on by itself
    page.get_by_role("link", name="Go on as it is").click()
    page.wait_for_url("**/products/*")


def test_a_barcode_by_the_ordinary_button_ends_the_word_of_its_absence(page: Page, shots: dict[str, Path]) -> None:
    send(page, shots["front"])
    expect(page.get_by_text("No barcode was found")).to_be_visible()
    shoot(page, shots["back"])
    page.wait_for_url("**/products/*")


def test_a_photo_that_is_refused_then_is_told_and_the_others_go_on(page: Page, shots: dict[str, Path]) -> None:
    send(page, shots["blurred"])
    expect(page.get_by_role("heading", name="Keep it in your hand")).to_be_visible()
    broken = shots["sharp"].with_name("broken.jpg")
    broken.write_bytes(shots["sharp"].read_bytes()[:3000])
    page.route("**/products/*/photos", lambda route: route.abort())
    shoot(page, broken, shots["back"])
    expect(page.locator("[data-added]")).to_contain_text("still here")
    expect(page.get_by_role("link", name="Go on as it is")).to_be_visible()
    page.unroute("**/products/*/photos")
    page.get_by_role("button", name="Send again").click()
    expect(page.locator(".shot[data-state=safe]")).to_have_count(2)
    expect(page.locator(".shot[data-state=refused]")).to_contain_text("broken.jpg")
    expect(page.locator(".shot[data-state=refused] .shot-reason")).not_to_be_empty()
    page.wait_for_timeout(1000)  # longer than it takes to go on by itself
    page.get_by_role("link", name="Go on as it is").click()
    page.wait_for_url("**/products/*")
    expect(page.locator("figure.photo")).to_have_count(2)


def test_a_photo_taken_while_another_is_sent_is_kept_and_sent_too(page: Page, shots: dict[str, Path]) -> None:
    held = []
    page.route("**/intake", lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    send(page, shots["sharp"])
    expect(page.locator("[data-send-word]")).to_have_text("Sending…")
    shoot(page, shots["back"])
    expect(page.locator("[data-shots] .shot")).to_have_count(2)
    page.wait_for_timeout(100)
    held[0].continue_()
    page.wait_for_url("**/products/*")
    expect(page.locator("figure.photo")).to_have_count(2)


def test_nothing_lies_over_the_way_on(page: Page, shots: dict[str, Path]) -> None:
    page.set_viewport_size(SHORT)
    send(page, shots["blurred"])
    way = page.get_by_role("link", name="Go on as it is")
    expect(way).to_be_visible()
    way.scroll_into_view_if_needed()
    reached = """link => {
      const { x, y, width, height } = link.getBoundingClientRect();
      const at = (down) => document.elementFromPoint(x + width / 2, y + down);
      return [2, height / 2, height - 2].every((down) => link.contains(at(down)));
    }"""
    assert way.evaluate(reached)


def test_a_known_photo_leaves_two_ways_and_a_change_brings_sending_back(page: Page, shots: dict[str, Path]) -> None:
    send(page, shots["sharp"])
    page.wait_for_url("**/products/*")
    send(page, shots["sharp"])
    anyway = page.get_by_role("button", name="Upload anyway")
    expect(anyway).to_be_visible()
    expect(page.get_by_role("link", name="Open the earlier one")).to_be_visible()
    expect(page.locator("[data-send]")).not_to_be_visible()
    shoot(page, shots["back"])
    expect(anyway).to_have_count(0)
    expect(page.locator("[data-send]")).to_contain_text("Send 2 photos")
    page.locator("[data-send]").click()
    anyway.click()
    page.wait_for_url("**/products/*")
    expect(page.locator("figure.photo")).to_have_count(2)


def test_no_network_is_said_once_and_sending_goes_on_by_itself(
    page: Page, context: BrowserContext, shots: dict[str, Path]
) -> None:
    page.goto("/intake")
    context.set_offline(True)
    shoot(page, shots["sharp"])
    page.locator("[data-send]").click()
    expect(page.get_by_text("no network right now")).to_have_count(1)
    expect(page.locator("[data-offline]")).to_contain_text("sent as soon as it is back")
    expect(page.locator("[data-answer] .answer")).to_have_count(0)
    context.set_offline(False)
    page.wait_for_url("**/products/*")


def test_what_was_refused_is_not_told_over_the_next_item(page: Page, shots: dict[str, Path]) -> None:
    broken = shots["sharp"].with_name("broken.jpg")
    broken.write_bytes(shots["sharp"].read_bytes()[:3000])
    send(page, shots["blurred"], broken)
    expect(page.locator(".answer")).to_contain_text("broken.jpg")
    page.goto("/intake")
    expect(page.get_by_text("broken.jpg")).to_have_count(0)
    send(page, shots["back"], broken)
    page.wait_for_url("**/products/*")
    expect(page.locator("#flashes")).to_contain_text("broken.jpg was not accepted")


def test_that_the_item_before_may_be_put_down_is_not_said_over_the_next(page: Page, shots: dict[str, Path]) -> None:
    page.route("**/products/*", lambda route: route.abort())  # who takes the next item does not wait for this page
    send(page, shots["back"])
    expect(page.get_by_role("heading", name="Safe to put down")).to_be_visible()
    page.goto("/intake")
    flashes = page.locator("#flashes")
    expect(flashes).to_contain_text("You can put the item down")
    shoot(page, shots["front"])
    page.locator("[data-send]").click()
    expect(page.get_by_role("heading", name="Keep it in your hand")).to_be_visible()
    expect(flashes).not_to_contain_text("put the item down")


def test_the_ways_in_stand_in_the_middle_of_their_box(page: Page) -> None:
    page.goto("/intake")
    off_by = """box => {
      const middle = (part) => { const { left, right } = part.getBoundingClientRect(); return (left + right) / 2; };
      return [...box.children].filter((way) => way.offsetParent).map((way) => Math.abs(middle(way) - middle(box)));
    }"""
    assert max(page.locator("[data-drop]").evaluate(off_by)) < 1
