"""The whole way of a photo that is wanted: asked for at the review desk, seen live, taken at the dock."""

import re
from pathlib import Path
from zlib import crc32

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.test_retake import BOTTLE, send, take
from tests.phases.photos import scene
from webapp.intake.sample_drawing import front, photographed

pytestmark = pytest.mark.browser


@pytest.fixture
def empty(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A photo of a bare wall, each test's own: nobody could tell what it is."""
    path = tmp_path / "wall.jpg"
    path.write_bytes(photographed(front(BOTTLE), crc32(request.node.name.encode()), blurred=True))
    return path


def expect_no_sideways_scrolling(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
