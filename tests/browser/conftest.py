"""The whole product as a person meets it: `make run`'s own stack on free ports, and a real Chromium."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.running import Stack, running


@pytest.fixture(scope="session")
def stack(browser: Browser) -> Iterator[Stack]:
    """A whole Lotline; not started where there is no browser to look at it."""
    with running() as started:
        yield started


expect.set_options(timeout=60_000)  # a busy machine is no failure
KNOWN = (
    "WebSocket",
    "[object Event]",
    "the server responded with a status of 4",
    "status of 503",
    "Status Error Code 503",
    "htmx:sendError",
    "net::ERR_FAILED",
    "net::ERR_CONNECTION_",
    "net::ERR_EMPTY_RESPONSE",
)
"""What a console may say: a socket that the test itself cuts, by the browser and by htmx (which logs the bare event);
answers that the test asked for; that the database or the web server is away, where the test has just killed it; a
request that the test cuts."""
SIZES = {"phone": {"width": 390, "height": 844}, "desk": {"width": 1280, "height": 900}}


@pytest.fixture(params=list(SIZES))
def context(browser: Browser, stack: Stack, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A fresh browser profile, once as wide as a phone and once as a desk's screen."""
    fresh = browser.new_context(viewport=SIZES[request.param], base_url=stack.url)
    fresh.set_default_timeout(60_000)
    yield fresh
    fresh.close()


@pytest.fixture
def page(context: BrowserContext, stack: Stack) -> Iterator[Page]:
    """A page of somebody who came by the one-time link. An error on the page's console fails the test."""
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.goto(stack.link())
    yield opened
    assert [said for said in complaints if not any(word in said for word in KNOWN)] == []
