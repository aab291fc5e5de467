"""eBay for tests: a real HTTP server that speaks the Browse API and its OAuth, with paging, errors and limits.

What is in `orders` comes first, one per search: (status, headers, body). `limit_per_day` searches are answered, then
none. `marketplaces` are those it knows.
"""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

ID, SECRET = "Lotline-Test-PRD-1234", "PRD-5678"
SCOPE = "https://api.ebay.com/oauth/api_scope"


@dataclass
class Shop:
    """What the server has, and what it was asked."""

    url: str = ""
    items: list[dict[str, Any]] = field(default_factory=list)
    orders: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    minted: list[str] = field(default_factory=list)
    good: set[str] = field(default_factory=set)
    expires_in: int = 7200
    limit_per_day: int = 5000
    marketplaces: tuple[str, ...] = ("EBAY_US", "EBAY_DE")
    down: bool = False


def item(number: int, **changes: Any) -> dict[str, Any]:
    """An item summary as eBay writes it."""
    return {
        "itemId": f"v1|{number}|0",
        "title": f"Stabilo point 88 pen {number}",
        "price": {"value": f"{10 + number}.50", "currency": "USD"},
        "condition": "New",
        "conditionId": "1000",
        "buyingOptions": ["FIXED_PRICE"],
        "itemWebUrl": f"https://www.ebay.com/itm/{number}",
        "shippingOptions": [{"shippingCostType": "FIXED", "shippingCost": {"value": "4.00", "currency": "USD"}}],
        "categories": [
            {"categoryId": "1", "categoryName": "Fineliners"},
            {"categoryId": "2", "categoryName": "Office"},
        ],
        "listingMarketplaceId": "EBAY_US",
    } | changes


def fault(number: int, message: str, domain: str = "API_BROWSE", category: str = "REQUEST") -> bytes:
    """An error as eBay writes it."""
    return json.dumps(
        {"errors": [{"errorId": number, "domain": domain, "category": category, "message": message}]}
    ).encode()


@contextmanager
def running() -> Iterator[Shop]:
    """An eBay for the time of the block."""
    shop, lock = Shop(), threading.Lock()

    class Clerk(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = {
                name: values[0]
                for name, values in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()
            }
            keys = base64.b64encode(f"{ID}:{SECRET}".encode()).decode()
            if self.path != "/identity/v1/oauth2/token":
                return self.answer(404, b"")
            if self.headers["Content-Type"] != "application/x-www-form-urlencoded":
                return self.refuse(400, "invalid_request", "the content type is not supported")
            if self.headers["Authorization"] != f"Basic {keys}":
                return self.refuse(401, "invalid_client", "client authentication failed")
            if form.get("grant_type") != "client_credentials":
                return self.refuse(400, "unsupported_grant_type", "grant type in request is not supported")
            if form.get("scope") != SCOPE:
                return self.refuse(400, "invalid_scope", "The requested scope is invalid")
            with lock:
                token = f"v^1.1#token{len(shop.minted)}"
                shop.minted.append(token)
                shop.good.add(token)
            body = {"access_token": token, "expires_in": shop.expires_in, "token_type": "Application Access Token"}
            return self.answer(200, json.dumps(body).encode())

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            with lock:
                shop.asked.append(asked)
                shop.headers.append(dict(self.headers))
                order = shop.orders.pop(0) if shop.orders else None
                used_up = len(shop.asked) > shop.limit_per_day
            if shop.down:
                return self.answer(500, fault(12000, "There was a problem with an eBay internal system", "API_BROWSE"))
            if order:
                return self.answer(order[0], order[2], order[1])
            kind, _, token = (self.headers["Authorization"] or "").partition(" ")
            if kind != "Bearer" or token not in shop.good:
                return self.answer(401, fault(1001, "Invalid access token", "OAuth"))
            if used_up:
                return self.answer(429, fault(2001, "Too many requests.", "ACCESS"))
            if parts.path != "/buy/browse/v1/item_summary/search":
                return self.answer(404, b"")
            if (where := self.headers.get("X-EBAY-C-MARKETPLACE-ID", "EBAY_US")) not in shop.marketplaces:
                says = f"Currently, the {where} marketplace is not supported."
                return self.answer(409, fault(12019, says, category="BUSINESS"))
            if not asked.get("q") and not (asked.get("gtin") or "").isdigit():
                return self.answer(400, fault(12001, "The call must have a valid 'q', 'category_ids' or 'gtin'."))
            limit, offset = int(asked.get("limit", 50)), int(asked.get("offset", 0))
            if not 1 <= limit <= 200:
                return self.answer(400, fault(12006, "The 'limit' value should be between 1 and 200 (inclusive)."))
            if offset % limit:
                return self.answer(400, fault(12005, "The 'offset' must be zero or a multiple of the 'limit'."))
            return self.answer(200, json.dumps(self.page(asked, limit, offset)).encode())

        def page(self, asked: dict[str, str], limit: int, offset: int) -> dict[str, Any]:
            here, rest = shop.items[offset : offset + limit], {k: v for k, v in asked.items() if k != "offset"}
            page: dict[str, Any] = {"href": self.path, "total": len(shop.items), "limit": limit, "offset": offset}
            if offset + limit < len(shop.items):
                page["next"] = f"https://elsewhere.example/search?{urlencode(rest | {'offset': offset + limit})}"
            if here:  # without any there is no list
                page["itemSummaries"] = here
            return page

        def refuse(self, status: int, error: str, says: str) -> None:
            self.answer(status, json.dumps({"error": error, "error_description": says}).encode())

        def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Clerk)
    server.daemon_threads = True
    shop.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
