"""Everything that `make run` starts, in a folder and on a port of its own, for tests and benchmarks of the whole."""

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
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

CLONE = Path(__file__).parents[1]
START_SECONDS = 180
STOP_SECONDS = 20


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


@contextmanager
def running() -> Iterator[Stack]:
    """A whole Lotline for the time of the block; ended with all its processes afterwards."""
    var = Path(tempfile.mkdtemp(prefix="lotline-stack-"))
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
    stack = Stack(var, port, process)
    reader = threading.Thread(target=lambda: stack.lines.extend(process.stdout or ()), daemon=True)
    reader.start()
    try:
        until = time.monotonic() + START_SECONDS
        while not any("Lotline is ready" in line for line in list(stack.lines)):
            assert process.poll() is None, "".join(stack.lines)
            assert time.monotonic() < until, "".join(stack.lines)
            time.sleep(0.1)
        yield stack
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)
        shutil.rmtree(var, ignore_errors=True)
