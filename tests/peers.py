"""Somebody else's HTTP service on loopback for tests: what all of them need, and how each of them may behave badly."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BAD_DAYS = ("hang", "drip", "drop", "huge", "babble")
"""Names of `Clerk`'s methods: says nothing; a byte now and then; half a body; a body without end; no HTTP at all."""


class Clerk(BaseHTTPRequestHandler):
    """Answers requests; a service adds its own `do_GET` or `do_POST`."""

    let_go: threading.Event
    """Ends what hangs."""

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """A whole answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang(self) -> None:
        self.let_go.wait(60)

    def drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        try:
            while not self.let_go.wait(0.05):
                self.wfile.write(b" ")
                self.wfile.flush()
        except OSError:
            pass

    def drop(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"')

    def huge(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while not self.let_go.is_set():
                self.wfile.write(b" " * 65536)
        except OSError:
            pass

    def babble(self) -> None:
        self.wfile.write(b"HELLO\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def serving(clerk: type[Clerk]) -> Iterator[str]:
    """The address of a server whose requests this clerk answers, for the time of the block."""
    clerk.let_go = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), clerk)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        clerk.let_go.set()
        server.shutdown()
        server.server_close()
