"""Offers from eBay's Browse API. Facts: developer.ebay.com, Browse API `item_summary/search`, OAuth client credentials.

    POST <url>/identity/v1/oauth2/token                    Basic <id>:<secret>; see `tokens`
    GET  <url>/buy/browse/v1/item_summary/search?gtin=4006381333931&limit=200&offset=0      or  ?q=words
    Authorization: Bearer <token>
    X-EBAY-C-MARKETPLACE-ID: EBAY_DE

Pages follow while the answer has a `next`, which is only read for its being there: our own address is asked again, with
the next `offset`. Environment:

    LOTLINE_EBAY_ID, LOTLINE_EBAY_SECRET    the application's keys; without them there is no such source
    LOTLINE_EBAY_MARKETPLACE                where to search (EBAY_US, EBAY_DE, EBAY_GB …)       EBAY_US
    LOTLINE_EBAY_CAMPAIGN                   an eBay Partner Network campaign: links then carry it
    LOTLINE_EBAY_HOURS                      how long an answer is good for                      24
    LOTLINE_EBAY_URL                        https://api.sandbox.ebay.com for the sandbox        https://api.ebay.com
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

from webapp.endpoint import Endpoint, is_private_host
from webapp.errors import ConfigError, ProviderDown
from webapp.lib import gtin
from webapp.lib.text import clean, cut
from webapp.phases.facts import Offer
from webapp.providers.ebay import faults
from webapp.providers.ebay.items import read_items
from webapp.providers.ebay.tokens import Tokens
from webapp.providers.entries import Entry, decoded
from webapp.providers.interface import Answer, Question
from webapp.providers.settings import number
from webapp.work.circuits import Circuit

LABEL = "eBay"
HOME = "https://api.ebay.com"
SEARCH = "/buy/browse/v1/item_summary/search"
PAGE_ITEMS = 200
"""The most that eBay gives at once."""
MAX_PAGES = 2
QUERY_LENGTH = 100
"""eBay takes no longer keywords."""


class Page(msgspec.Struct):
    """One answer. Items are read one by one, so that a bad one spoils no other; without any there is no list."""

    itemSummaries: list[msgspec.Raw] = []
    next: str | None = None


@dataclass(frozen=True)
class Ebay:
    """One marketplace of eBay as a source."""

    endpoint: Endpoint
    tokens: Tokens
    marketplace: str
    circuit: Circuit
    hours: float

    def search(self, question: Question) -> Answer:
        """Ask, page by page up to MAX_PAGES: see `webapp.providers.interface.Source`. What eBay takes for no question
        at all has no offers."""
        asked = self._asked(question)
        if not any(asked.values()):
            return Answer(())
        found: dict[str, Offer] = {}
        unreadable, following, now = 0, None, datetime.now(UTC)
        for place in range(MAX_PAGES):
            try:
                items, broken, following = self._page(asked | {"offset": str(place * PAGE_ITEMS)})
            except faults.NoQuestion:
                break
            offers, bad = read_items(items, now, self.marketplace, question.gtin14)
            found |= {offer.id: offer for offer in offers}
            unreadable += broken + bad
            if not following:
                break
        return Answer(tuple(found.values()), unreadable, complete=not following)

    @staticmethod
    def _asked(question: Question) -> dict[str, str]:
        if question.gtin14:
            return {"gtin": gtin.written(question.gtin14)}
        # `*` is a wildcard that eBay refuses; brackets and commas mean "or".
        return {"q": cut(clean(re.sub(r"[*(),]", " ", question.words or "")), QUERY_LENGTH)}

    def _page(self, asked: dict[str, str]) -> tuple[list[Entry], int, str | None]:
        """The items of one page, how many more cannot be read, and where the next begins."""
        token = self.tokens.current()
        try:
            body = self._get(token, asked)
        except faults.TokenRefused:  # it may have been withdrawn before its time: once, with a new one
            body = self._get(self.tokens.instead_of(token), asked)
        try:
            page = msgspec.json.decode(body, type=Page)
            return *decoded(page.itemSummaries[:PAGE_ITEMS]), page.next
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ProviderDown(
                f"{LABEL} does not answer: what it says cannot be read", cause="ebay.unreadable"
            ) from error

    def _get(self, token: str, asked: dict[str, str]) -> bytes:
        headers = {**self.endpoint.headers, "Authorization": f"Bearer {token}"}
        # Auctions say what somebody hopes to pay, so only what can be bought at its price counts.
        fixed = {"limit": str(PAGE_ITEMS), "filter": "buyingOptions:{FIXED_PRICE}"}
        return replace(self.endpoint, headers=headers).get(**asked, **fixed)


def configured(environ: Mapping[str, str]) -> Ebay | None:
    """eBay as the environment has it, or None.

    Raises:
        ConfigError: a key is wrong; the message names it.
    """
    given = {
        name: environ.get(f"LOTLINE_EBAY_{name}", "").strip() for name in ("ID", "SECRET", "MARKETPLACE", "CAMPAIGN")
    }
    if not given["ID"] and not given["SECRET"]:
        return None
    for name, value in given.items():
        if not (value.isascii() and (value.isprintable() or not value)):
            raise ConfigError(f"LOTLINE_EBAY_{name} has characters that cannot be sent")
    if not given["ID"] or not given["SECRET"]:
        raise ConfigError("LOTLINE_EBAY_ID and LOTLINE_EBAY_SECRET go together; one of them is missing")
    marketplace = given["MARKETPLACE"] or "EBAY_US"
    if not re.fullmatch(r"EBAY(_[A-Z]{2,12}){1,2}", marketplace):
        raise ConfigError(f"LOTLINE_EBAY_MARKETPLACE={marketplace!r} is not one such as EBAY_US or EBAY_DE")
    if not re.fullmatch(r"\d{0,20}", given["CAMPAIGN"]):
        raise ConfigError("LOTLINE_EBAY_CAMPAIGN is not a campaign's number")
    hours, home = number(environ, "LOTLINE_EBAY_HOURS", 24), _home(environ)
    headers = {"X-EBAY-C-MARKETPLACE-ID": marketplace}
    if given["CAMPAIGN"]:
        headers["X-EBAY-C-ENDUSERCTX"] = f"affiliateCampaignId={given['CAMPAIGN']}"
    endpoint = Endpoint("ebay", LABEL, home + SEARCH, headers, explain=faults.explain)
    patience = (MAX_PAGES + 2) * (endpoint.connect_seconds + endpoint.total_seconds)
    tokens = Tokens.of(home, given["ID"], given["SECRET"])
    return Ebay(endpoint, tokens, marketplace, Circuit("ebay", LABEL, call_seconds=patience), hours)


def _home(environ: Mapping[str, str]) -> str:
    home = environ.get("LOTLINE_EBAY_URL", "").strip().rstrip("/") or HOME
    try:
        parts = urlsplit(home)
        is_fit = bool(parts.hostname) and not parts.username and not parts.query and parts.port != 0
        is_fit = is_fit and (
            parts.scheme == "https" or (parts.scheme == "http" and is_private_host(parts.hostname or ""))
        )
    except ValueError:
        is_fit = False
    if not is_fit:
        raise ConfigError(f"LOTLINE_EBAY_URL must be an address such as {HOME}; the keys travel by https only")
    return home
