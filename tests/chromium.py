"""The one real Chromium that all tests of a process share: Playwright starts once per process."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """A Chromium of this machine, or the one that CHROMIUM names."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session", name="browser")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests. A machine without one skips them; where CI is set, that is a failure."""
    path = chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium on this machine, and CI asks for the browser tests")
        pytest.skip("no Chromium on this machine: the browser tests are left out")
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--no-first-run", *quiet])
        yield launched
        launched.close()
