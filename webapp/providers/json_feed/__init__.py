"""Offers from a JSON feed: anything that answers GET with offers in the form below. Copy this folder to make the next.

    GET <url>?gtin=04006381333931&limit=100            or  ?q=words; then &cursor=<next>
    Authorization: Bearer <key>

    {"offers": [{"id": "a1", "title": "…", "price": "12.50", "currency": "EUR", "url": "https://…", "condition": "new",
                 "marketplace": "…", "brand": "…", "model": "…", "gtin": "…", "category": "…", "kind": "offer",
                 "shipping": "4.90", "seen_at": "2026-11-20T12:00:00Z"}],
     "next": "cursor of the next page, or null"}

`title`, `price` and `currency` are needed; an offer without them is left out, the others count. Environment:

    LOTLINE_FEED_URL      its address; without it there is no such source
    LOTLINE_FEED_KEY      sent as a bearer token, over https only (or to this machine)
    LOTLINE_FEED_NAME     what people call it ("eBay")                 The offers feed
    LOTLINE_FEED_HOURS    how long an answer is good for               24
    LOTLINE_FEED_PRIVATE  set when its name leads into your own network
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from webapp import endpoint as endpoints
from webapp.endpoint import Endpoint
from webapp.errors import ProviderDown
from webapp.phases.facts import Offer
from webapp.providers.entries import Entry, decoded, read_offers
from webapp.providers.interface import Answer, Question
from webapp.providers.settings import number
from webapp.work.circuits import Circuit

NAME = "feed"
PAGE_OFFERS = 100
MAX_PAGES = 5
CURSOR_LENGTH = 500


class Page(msgspec.Struct):
    """One answer of the feed; its offers are read one by one, so that a bad one spoils no other."""

    offers: list[msgspec.Raw]
    next: str | None = None


@dataclass(frozen=True)
class JsonFeed:
    """The feed as a source."""

    endpoint: Endpoint
    circuit: Circuit
    hours: float

    def search(self, question: Question) -> Answer:
        """Ask, page by page up to MAX_PAGES: see `webapp.providers.interface.Source`."""
        asked = {"gtin": question.gtin14} if question.gtin14 else {"q": question.words or ""}
        found: dict[str, Offer] = {}
        unreadable, cursor, now = 0, None, datetime.now(UTC)
        for _ in range(MAX_PAGES):
            entries, broken, cursor = self._page(asked | ({"cursor": cursor} if cursor else {}))
            offers, bad = read_offers(entries, now, self.circuit.label)
            found |= {offer.id: offer for offer in offers}
            unreadable += broken + bad
            if not cursor or len(cursor) > CURSOR_LENGTH:
                break
        return Answer(tuple(found.values()), unreadable, complete=not cursor)

    def _page(self, parameters: dict[str, str]) -> tuple[list[Entry], int, str | None]:
        """The entries of one page, how many more cannot be read, and where the next begins."""
        body = self.endpoint.get(limit=str(PAGE_OFFERS), **parameters)
        try:
            page = msgspec.json.decode(body, type=Page)
            return *decoded(page.offers[:PAGE_OFFERS]), page.next
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            says = f"{self.circuit.label} does not answer: what it says cannot be read"
            raise ProviderDown(says, cause=f"{NAME}.unreadable") from error


def configured(environ: Mapping[str, str]) -> JsonFeed | None:
    """The feed that the environment names, or None.

    Raises:
        ConfigError: a key is wrong; the message names it.
    """
    endpoint = endpoints.configured(environ, "LOTLINE_FEED", NAME, "The offers feed")
    if endpoint is None:
        return None
    hours = number(environ, "LOTLINE_FEED_HOURS", 24)
    patience = MAX_PAGES * (endpoint.connect_seconds + endpoint.total_seconds)
    return JsonFeed(endpoint, Circuit(NAME, endpoint.label, call_seconds=patience), hours)
