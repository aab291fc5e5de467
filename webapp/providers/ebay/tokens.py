"""Application access tokens: minted with the application's keys (OAuth 2.0 client credentials, RFC 6749 section 4.4),
kept in this process until shortly before they expire."""

import base64
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

import msgspec

from webapp.endpoint import Endpoint
from webapp.errors import ProviderDown
from webapp.providers.ebay import faults

PATH = "/identity/v1/oauth2/token"
SCOPE = "https://api.ebay.com/oauth/api_scope"
"""The same for production and sandbox: public data."""
EARLY_SECONDS = 60.0
"""A token is not used in its last minute: it could expire on the way."""


class Minted(msgspec.Struct):
    """What the token service answers."""

    access_token: str
    expires_in: float
    token_type: str = ""


@dataclass
class Tokens:
    """The token of one application; threads of a process share it."""

    endpoint: Endpoint
    _token: str = field(default="", repr=False)
    _good_until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, home: str, application_id: str, secret: str) -> "Tokens":
        """Those of the application with these keys, minted at `home`."""
        keys = base64.b64encode(f"{application_id}:{secret}".encode()).decode()
        return cls(
            Endpoint("ebay", "eBay", home + PATH, {"Authorization": f"Basic {keys}"}, explain=faults.explain_token)
        )

    def current(self) -> str:
        """A token that is good for a while.

        Raises:
            PermanentError: eBay refuses the keys.
            ProviderDown: it does not answer.
        """
        with self._lock:
            if time.monotonic() >= self._good_until:
                self._mint()
            return self._token

    def instead_of(self, refused: str) -> str:
        """A token in the place of one that was refused; the current one, if somebody else has minted it meanwhile."""
        with self._lock:
            if self._token == refused:
                self._mint()
            return self._token

    def _mint(self) -> None:
        form = urlencode({"grant_type": "client_credentials", "scope": SCOPE}).encode()
        body = self.endpoint.post(form, {"Content-Type": "application/x-www-form-urlencoded"})
        try:
            minted = msgspec.json.decode(body, type=Minted)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ProviderDown("eBay does not answer: its token cannot be read", cause="ebay.unreadable") from error
        if not minted.access_token or not (minted.access_token.isascii() and minted.access_token.isprintable()):
            raise ProviderDown("eBay does not answer: its token cannot be read", cause="ebay.unreadable")
        self._token = minted.access_token
        self._good_until = time.monotonic() + max(minted.expires_in - EARLY_SECONDS, 0.0)
