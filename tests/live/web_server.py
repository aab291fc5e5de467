"""A real gunicorn around the tiny application."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def gunicorn(var, port=0):
    """Two workers of four threads: the port and the process."""
    port = port or free_port()
    command = [sys.executable, "-m", "gunicorn", "tiny_app:create()", "-b", f"127.0.0.1:{port}", "-k", "gthread"]
    command += ["-w", "2", "--threads", "4", "--no-control-socket", "--graceful-timeout", "2"]
    process = subprocess.Popen(
        command,
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LOTLINE_VAR": str(var)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                page(port)
                break
            except OSError:
                assert process.poll() is None, process.stdout.read()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield port, process
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=20)
        # Whatever was done to its sockets, the web server must not have noticed.
        assert output.count("Traceback") == output.count("RuntimeError: no state today"), output


def page(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/page", timeout=5) as answer:
        return answer.read().decode()
