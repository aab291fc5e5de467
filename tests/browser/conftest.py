"""The whole product as a person meets it: `make run`'s own stack on free ports, and a real Chromium."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CLONE = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START_SECONDS = 180
STOP_SECONDS = 20


def chromium() -> str | None:
    """A Chromium of this machine, or the one that CHROMIUM names."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session")
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


@dataclass
class Stack:
    """A running Lotline."""

    var: Path
    port: int
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str) -> str:
        """One command of the app beside it, as an operator would give it; what it printed."""
        return subprocess.run(
            [sys.executable, "-m", "webapp.supervisor", "exec", "python", "-m", "flask", "--app", "webapp", *arguments],
            cwd=CLONE,
            env=environment(self.var, self.port),
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def link(self) -> str:
        """A fresh one-time sign-in link of the first user."""
        return re.findall(r"http\S+/sign-in/\S+", self.command("bootstrap", "--base-url", self.url))[-1]


def environment(var: Path, port: int) -> dict[str, str]:
    """What `make run` is given, with nothing of the tests' own servers."""
    ours = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "BASE_URL", "MAKELEVEL"}
    kept = {key: value for key, value in os.environ.items() if key not in ours}
    return {**kept, "LOTLINE_VAR": str(var), "PORT": str(port), "LOTLINE_MIN_FREE_MB": "50"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def stack(browser: Browser) -> Iterator[Stack]:
    """Everything that `make run` starts, in a folder of its own; ended with all its processes afterwards."""
    var = Path(tempfile.mkdtemp(prefix="lotline-browser-"))
    var.chmod(0o755)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "webapp.supervisor"],
        cwd=CLONE,
        env=environment(var, port),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Stack(var, port, process)
    reader = threading.Thread(target=lambda: running.lines.extend(process.stdout or ()), daemon=True)
    reader.start()
    try:
        until = time.monotonic() + START_SECONDS
        while not any("Lotline is ready" in line for line in list(running.lines)):
            assert process.poll() is None, "".join(running.lines)
            assert time.monotonic() < until, "".join(running.lines)
            time.sleep(0.1)
        yield running
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)
        shutil.rmtree(var, ignore_errors=True)


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
    assert [said for said in complaints if "WebSocket" not in said] == []
