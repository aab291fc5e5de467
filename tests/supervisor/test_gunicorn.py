"""The web server's settings, on a real gunicorn: peers that fall silent do not keep its few threads."""

import os
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from types import SimpleNamespace

import pytest

from tests.running import CLONE, free_port
from webapp.supervisor import gunicorn_conf


@pytest.fixture
def said(tmp_path):
    """What the server writes to its error output."""
    with (tmp_path / "said").open("w+") as file:
        yield file


@pytest.fixture
def port(said):
    """Where a gunicorn of one worker with two threads serves a demonstration, patient for one second."""
    port = free_port()
    few = {"PORT": str(port), "HOST": "127.0.0.1", "WEB_WORKERS": "1", "WEB_THREADS": "2", "WEB_SILENCE_SECONDS": "1"}
    settings = "webapp/supervisor/gunicorn_conf.py"
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", settings, "wsgiref.simple_server:demo_app"],
        cwd=CLONE,
        env={**os.environ, **few},
        stderr=said,
    )
    until = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            assert time.monotonic() < until, "gunicorn did not start"
            time.sleep(0.05)
    yield port
    process.terminate()
    process.wait(20)


def test_headers_that_only_a_proxy_may_send_are_not_believed(port):
    forged = {"SCRIPT_NAME": "//evil.example", "PATH_INFO": "/elsewhere", "X-Forwarded-Proto": "https"}
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/here", headers=forged)
    with urllib.request.urlopen(asked, timeout=30) as answer:
        environ = answer.read().decode()
    assert "evil.example" not in environ
    assert "PATH_INFO = '/here'" in environ
    assert "wsgi.url_scheme = 'http'" in environ


def test_connections_that_say_nothing_hold_no_thread(port):
    idle = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(300)]
    began = time.monotonic()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
        assert answer.status == 200
    assert time.monotonic() - began < 2
    for peer in idle:
        peer.close()


def test_a_body_may_take_longer_than_a_header():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        request = SimpleNamespace(unreader=SimpleNamespace(sock=ours))
        for hook, seconds in ((gunicorn_conf.pre_request, 20), (gunicorn_conf.post_request, 5)):
            hook(None, request)
            kept = ours.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.calcsize("ll"))
            assert struct.unpack("ll", kept) == (seconds, 0)


def test_peers_that_fall_silent_are_let_go_and_others_are_served(port, said):
    silent = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(4)]
    for peer in silent:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n")  # and no end
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
        assert answer.status == 200
    # Each gets an end, be it an error first; a socket still held would run into its time-out here.
    for peer in silent:
        while peer.recv(1000):
            pass
        peer.close()
    said.seek(0)
    assert "Traceback" not in said.read()
