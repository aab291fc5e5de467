"""A feed of offers for tests: a real HTTP server that speaks the protocol of `webapp.providers.json_feed`, or does not.

What is in `orders` comes first, one per request: a status code, (status, headers), raw bytes as the body, or one of
`hang`, `drip` (a byte now and then), `drop` (half a body), `huge`.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.peers import BAD_DAYS, Clerk, serving

KEY = "open sesame"


@dataclass
class Feed:
    """What the server has, and what it was asked."""

    url: str = ""
    offers: list[dict[str, Any]] = field(default_factory=list)
    orders: list[Any] = field(default_factory=list)
    always: Any = None
    """An order for every request while it is set."""
    asked: list[dict[str, str]] = field(default_factory=list)
    page: int = 100


def offer(number: int, **changes: Any) -> dict[str, Any]:
    """An offer as a feed writes it."""
    return {
        "id": f"offer{number}",
        "title": f"Stabilo point 88 pen {number}",
        "price": f"{10 + number}.50",
        "currency": "USD",
        "url": f"https://shop.example/{number}",
        "condition": "new",
        "gtin": "4006381333931",
        "brand": "Stabilo",
        "marketplace": "eBay",
        "seen_at": "2026-11-20T12:00:00Z",
    } | changes


@contextmanager
def running() -> Iterator[Feed]:
    """A feed for the time of the block."""
    feed, lock = Feed(), threading.Lock()

    class Desk(Clerk):
        def do_GET(self) -> None:
            asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            with lock:
                feed.asked.append(asked)
                order = feed.always or (feed.orders.pop(0) if feed.orders else None)
            if order in BAD_DAYS:
                getattr(self, order)()
            elif isinstance(order, bytes):
                self.answer(200, {}, order)
            elif order:
                status, headers = order if isinstance(order, tuple) else (order, {})
                self.answer(status, headers, b"{}")
            elif self.headers["Authorization"] != f"Bearer {KEY}":
                self.answer(401, {}, b"{}")
            else:
                start = int(asked.get("cursor", 0))
                stop = start + min(feed.page, int(asked["limit"]))
                following = str(stop) if stop < len(feed.offers) else None
                page = {"offers": feed.offers[start:stop], "next": following}
                self.answer(200, {}, json.dumps(page).encode())

    with serving(Desk) as url:
        feed.url = f"{url}/offers"
        yield feed
