"""Supervisors in folders of their own, ended after each test with all they started."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from webapp.embedded import Home

STACK = Path(__file__).with_name("stack.py")
CLONE = Path(__file__).parents[2]
EXTERNAL = {"DATABASE_URL": "postgresql:///nowhere", "REDIS_URL": "redis://nowhere", "SECRET_KEY": "k" * 40}


class Stack:
    """One clone's worth of `make run`, with stub processes."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.running: list[subprocess.Popen[str]] = []
        self.seen: set[psutil.Process] = set()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def start(self, *arguments: str, **environment: object) -> subprocess.Popen[str]:
        """The supervisor, its stdout and stderr to be read. Keyword arguments become environment variables."""
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
        given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in environment.items()}
        env = {**kept, "PYTHONPATH": str(CLONE), "PORT": str(self.port), "LOTLINE_VAR": str(self.var), **given}
        process = subprocess.Popen(
            [sys.executable, STACK, *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.running.append(process)
        return process

    def wait_for(self, process: subprocess.Popen[str], words: str) -> str:
        """Its output up to the line that has `words` in it."""
        read = []
        assert process.stdout is not None
        for line in process.stdout:
            read.append(line)
            if words in line:
                self.remember(process)
                return "".join(read)
        raise AssertionError(f"it ended without {words!r}: {''.join(read)}{process.stderr and process.stderr.read()}")

    def remember(self, process: subprocess.Popen[str]) -> set[psutil.Process]:
        """All processes that stand below this one now; `left` looks for those seen here."""
        found = set(psutil.Process(process.pid).children(recursive=True))
        self.seen |= found
        return found

    def names(self, process: subprocess.Popen[str]) -> set[str]:
        """The names of all processes that stand below this one now."""
        return {below.name() for below in self.remember(process)}

    def left(self) -> list[psutil.Process]:
        """Which of the processes seen are alive after a short wait for the kernel's death signals."""
        return psutil.wait_procs(self.seen, timeout=20)[1]

    def ended(self) -> list[str]:
        return (self.var / "ended").read_text().split()


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A folder that every user may pass through; its `var` is shared, so that few tests make a database."""
    root = Path(tempfile.mkdtemp(prefix="lotline-test-"))
    root.chmod(0o711)
    yield root
    if (root / "var").exists():
        shutil.rmtree(Home.at(root / "var").sockets, ignore_errors=True)
    shutil.rmtree(root)


@pytest.fixture
def stack(root: Path) -> Iterator[Stack]:
    stack = Stack(root / "var")
    yield stack
    for process in stack.running:
        process.kill()
        process.communicate()
    for left in stack.left():
        left.kill()
    shutil.rmtree(stack.var / "log", ignore_errors=True)
    (stack.var / "ended").unlink(missing_ok=True)
