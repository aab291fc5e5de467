"""static/js/live.js with htmx and its websocket extension, in a real browser under the strict content policy."""

import re
import threading
import time
from contextlib import ExitStack
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.live.web_server import free_port, gunicorn
from webapp.live import audience, wire

pytestmark = pytest.mark.browser


@pytest.fixture
def chromium(browser):
    return browser


class Server:
    """Hub, renderer and web server, each of which can go and come back."""

    def __init__(self, stage):
        self.stage = stage
        self.port = free_port()
        self.web = ExitStack()
        self.fresh = True
        self.beat = threading.Thread(target=self._beat, daemon=True)
        self.over = threading.Event()
        self.start_web()
        stage.start_renderer()
        self.beat.start()

    def start_web(self):
        self.web.enter_context(gunicorn(self.stage.var, self.port))

    def stop_web(self):
        self.web.close()

    def stop_renderer(self):
        renderer, self.stage.renderer = self.stage.renderer, None
        renderer.close()

    def _beat(self):
        while not self.over.wait(0.5):
            if self.stage.renderer is not None:
                self.stage.renderer.tell(wire.Alive(time.monotonic() if self.fresh else 0.0))


@pytest.fixture
def server(stage):
    stage.renderer.close()
    server = Server(stage)
    yield server
    server.over.set()
    server.beat.join()
    server.stop_web()


@pytest.fixture
def page(server, chromium):
    """The page, opened by somebody who is signed in. Complaints of the browser fail the test."""
    context = chromium.new_context()
    context.add_cookies([{"name": "user", "value": str(uuid4()), "url": f"http://127.0.0.1:{server.port}"}])
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"http://127.0.0.1:{server.port}/watch")
    yield page
    context.close()
    # That a connection fails is said by the browser and by htmx (an event); anything else would be ours.
    expected = re.compile(r"WebSocket connection to|Failed to load resource|^\[object Event\]$")
    assert [complaint for complaint in complaints if not expected.search(complaint)] == []


def status(page):
    return page.locator("[data-live-status]")


def head(page):
    return page.locator("#head")


def test_live_page_swaps_frames_and_marks_change_nothing(server, page):
    expect(status(page)).to_have_text("live")
    expect(head(page)).to_have_text("a")
    server.stage.push("run:a", ("head", 2, "<p id=head>pushed</p>"))
    expect(head(page)).to_have_text("pushed")
    server.stage.push("run:a", ("lines", 8, '<ol hx-swap-oob="beforeend:#lines"><li>one</li></ol>'))
    server.stage.push("run:a", ("lines", 9, '<ol hx-swap-oob="beforeend:#lines"><li>two</li></ol>'))
    expect(page.locator("#lines li")).to_have_text(["one", "two"])
    before = page.content()
    server.fresh = False
    expect(status(page)).not_to_have_text("live")
    server.fresh = True
    expect(status(page)).to_have_text("live")
    # Polls came in between; apart from what they brought and the status, nothing moved.
    strip = re.compile(r"<span data-live-status.*?</span>|<p id=\"head\".*?</p>", re.DOTALL)
    assert strip.sub("", page.content()) == strip.sub("", before)


def test_while_the_socket_is_down_the_page_polls_and_comes_back_by_itself(server, page):
    expect(status(page)).to_have_text("live")
    server.stop_renderer()
    expect(status(page)).to_have_text("reconnecting")
    expect(head(page)).to_contain_text("from poll")
    first = head(page).text_content()
    expect(head(page)).not_to_have_text(first)
    assert status(page).text_content() == "reconnecting"  # polls keep it fresh
    server.stage.start_renderer()
    expect(status(page)).to_have_text("live")
    expect(head(page)).to_have_text("a")
    page.wait_for_timeout(4000)
    assert head(page).text_content() == "a", "a poll went on after the socket was back"


def test_without_a_server_the_page_says_since_when_it_is_stale(server, page):
    expect(status(page)).to_have_text("live")
    server.stop_web()
    server.stop_renderer()
    expect(status(page)).to_have_text(re.compile(r"^stale since \d\d:\d\d:\d\d$"), timeout=15_000)
    expect(status(page)).to_have_attribute("data-live-status", "stale")
    since = status(page).text_content()
    page.wait_for_timeout(1500)
    assert status(page).text_content() == since
    server.start_web()
    server.stage.start_renderer()
    expect(status(page)).to_have_text("live", timeout=15_000)


def test_a_socket_that_fell_silent_is_replaced(server, page, monkeypatch):
    monkeypatch.setattr(audience, "TICK_SECONDS", 1e9)
    page.clock.install()
    page.reload()
    expect(status(page)).to_have_text("live")
    (first,) = server.stage.viewers("run:a")
    page.clock.fast_forward(17_000)
    deadline = time.monotonic() + 10
    while not server.stage.viewers("run:a") - {first}:
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)
    expect(status(page)).to_have_text("live")
    page.clock.fast_forward(5_000)
    page.wait_for_timeout(500)
    assert len(server.stage.viewers("run:a")) == 1, "old and new socket took turns"


def test_who_is_signed_out_elsewhere_is_told_and_who_signs_in_again_goes_on(server, page):
    expect(status(page)).to_have_text("live")
    cookies = page.context.cookies()
    page.context.clear_cookies()
    server.stop_renderer()
    server.stage.start_renderer()
    expect(status(page)).to_have_text("not live: reload the page", timeout=15_000)
    page.context.add_cookies(cookies)
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(status(page)).to_have_text("live", timeout=15_000)


def test_a_socket_that_comes_live_ends_what_a_poll_said(server, page):
    """Its attempt was under way when a poll found nobody signed in; signed in again, it is through before another."""
    expect(status(page)).to_have_text("live")
    keep = "document.addEventListener('htmx:wsClose', (event) => { window.wrapper = event.detail.socketWrapper; })"
    page.evaluate(keep)
    page.route("**/poll", lambda route: route.fulfill(status=401))
    server.stop_renderer()
    expect(status(page)).to_have_text("not live: reload the page", timeout=15_000)
    server.stage.start_renderer()
    page.evaluate("window.wrapper.reconnect()")
    expect(status(page)).to_have_text("live", timeout=15_000)
