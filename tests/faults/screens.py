"""Browsers that hold a socket on a page, lose it now and then, and remember what they show, fragment by fragment."""

import difflib
import random
import re
import threading
import time
from contextlib import suppress

from flask import Flask

from tests.faults.people import Person
from tests.live.conftest import CLOSE, PING, PONG, TEXT, Browser
from webapp.database import db, tenant
from webapp.live.fragments import Fragments
from webapp.live.frames import Watcher

ROOT = re.compile(r'<\w+\s+id="([^"]+)"')
LINE = re.compile(r'id="(event-[^"]+)"')
DELETE = 'hx-swap-oob="delete"'
HEAR_SECONDS = 0.3
AGAIN_SECONDS = 0.3


class Screen:
    """One page on one topic. A reconnect is a new socket, whose state comes first."""

    def __init__(self, person: Person, topic: str, seed: int) -> None:
        self.topic = topic
        self.shown: dict[str, str] = {}
        self.lines: set[str] = set()
        self.is_live = False
        self.drops = 0
        self.is_restless = True
        self._person, self._chance = person, random.Random(f"{seed} {topic}")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leave."""
        self._over.set()
        self._thread.join(20)

    def _watch(self) -> None:
        port = int(self._person.url.rpartition(":")[2])
        while not self._over.is_set():
            browser: Browser | None = None
            try:
                browser = Browser.open(port, f"/live?topic={self.topic}", Cookie=self._person.cookie)
                self._listen(browser)
            except (OSError, EOFError, ConnectionError):
                pass
            finally:
                self.is_live = False
                if browser is not None:
                    with suppress(OSError):
                        browser.close()
            self._over.wait(self._chance.uniform(0.05, AGAIN_SECONDS))

    def _listen(self, browser: Browser) -> None:
        until = time.monotonic() + self._chance.uniform(2, 15)
        while not self._over.is_set():
            if self.is_restless and time.monotonic() > until:
                self.drops += 1
                return
            try:
                opcode, payload = browser.hear(HEAR_SECONDS)
            except TimeoutError:
                continue
            if opcode == PING:
                browser.say(payload, PONG)
            elif opcode == CLOSE:
                return
            elif opcode == TEXT:
                self._show(payload.decode())

    def _show(self, html: str) -> None:
        if html.startswith("<!--"):
            self.is_live = html == "<!--live-->"
            return
        self.lines.update(LINE.findall(html))
        found = ROOT.search(html)
        if found and not html.lstrip().startswith("<ol hx-swap-oob"):
            if DELETE in html:
                self.shown.pop(found[1], None)
            else:
                self.shown[found[1]] = html


def wrong(app: Flask, screen: Screen, watcher: Watcher) -> list[str]:
    """What a screen shows otherwise than the database has it: ids of log lines, fragments and what differs in them."""
    with app.test_request_context(base_url=screen._person.url), tenant(watcher.client_id, watcher.user_id, "staff"):
        try:
            provider = Fragments(app.config["LIVE_PROVIDERS"]).of_topic(screen.topic)
            assert provider is not None
            frames = list(provider.state(screen.topic))
        finally:
            db.session.remove()
    found = []
    for frame in frames:
        match = ROOT.search(frame.html)
        if frame.key == "log":
            found += [line for line in LINE.findall(frame.html) if line not in screen.lines]
        elif match and screen.shown.get(match[1]) != (None if DELETE in frame.html else frame.html):
            found.append(f"{match[1]}: {_difference(screen.shown.get(match[1], ''), frame.html)}")
    return found if screen.is_live else [*found, "not live"]


def _difference(shown: str, stored: str) -> str:
    """The lines that differ, for whoever wants to know why."""
    lines = difflib.unified_diff(shown.splitlines(), stored.splitlines(), n=0, lineterm="")
    return " ".join(" ".join(line.split()) for line in lines)[:500]
