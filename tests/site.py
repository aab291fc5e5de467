"""The app's own pages in a real browser, without the processes around it: what a page does by itself."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

from webapp.access import sessions
from webapp.access.models import Client, User
from webapp.audit.services import Actor
from webapp.database import transaction

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


@pytest.fixture
def site(app: Flask) -> Iterator[str]:
    """The address of a web server that serves the app on the test's own database."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def open_page(app: Flask, in_app: None, site: str, browser: Browser) -> Iterator[Callable[..., Page]]:
    """`open_page(path, user, client)`: a page on a phone on which the user is signed in; more for the browser's context
    by name. An error in its scripts fails the test."""
    contexts, complaints = [], []

    def enter(path: str, user: User, client: Client, **more: Any) -> Page:
        with transaction():
            token = sessions.begin(user.id, Actor(user_id=user.id), 30, client.id)
        contexts.append(browser.new_context(**{"viewport": PHONE, **more}))
        contexts[-1].add_cookies([{"name": app.config["ACCESS_COOKIE"], "value": token, "url": site}])
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{site}{path}")
        return page

    yield enter
    for context in contexts:
        context.close()
    assert complaints == []
