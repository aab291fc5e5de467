"""A bank for tests: a real HTTP server that counts what it is asked, on a port of its own.

`POST /payments` with an Idempotency-Key pays (once per key, if `knows_keys`); `GET /payments/<key>` says what became of
it. What is in `orders` comes first: `hang`, `drop` (pays, then cuts the connection) or a status code.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Bank:
    """What the server did."""

    url: str = ""
    knows_keys: bool = True
    requests: list[str] = field(default_factory=list)
    payments: list[str] = field(default_factory=list)
    orders: list[str | int] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)


@contextmanager
def running() -> Iterator[Bank]:
    """A bank for the time of the block."""
    bank, lock = Bank(), threading.Lock()

    class Teller(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            key = self.headers["Idempotency-Key"]
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with lock:
                bank.requests.append(f"POST {key}")
                order = bank.orders.pop(0) if bank.orders else 200
                known = bank.knows_keys and key in bank.payments
                if order in (200, "hang", "drop") and not known:
                    bank.payments.append(key)
            if order == "hang":
                bank.let_go.wait(60)
            if order in ("hang", "drop"):
                self.close_connection = True
                return
            self.answer(int(order), {"paid": key})

        def do_GET(self) -> None:
            key = self.path.rsplit("/", 1)[1]
            bank.requests.append(f"GET {key}")
            self.answer(200 if key in bank.payments else 404, {"paid": key})

        def answer(self, status: int, what: dict[str, str]) -> None:
            body = json.dumps(what).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Teller)
    server.daemon_threads = True
    bank.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield bank
    finally:
        bank.let_go.set()
        server.shutdown()
        server.server_close()
