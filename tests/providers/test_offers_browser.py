"""A file of offers in a real browser: checked without leaving the page, then taken in without being chosen again."""

import pytest
from playwright.sync_api import expect

from tests import factories
from tests.providers.test_offers_page import OFFERS, kept
from webapp.access.models import Role

pytestmark = pytest.mark.browser


def test_a_checked_file_is_taken_in_by_one_press(open_page):
    client = factories.make_client("Harbour Trade")
    admin = factories.make_member(client, Role.ADMIN)
    page = open_page("/offers", admin, client)

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
