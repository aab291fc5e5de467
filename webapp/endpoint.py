"""One way to ask somebody else's service over HTTP: bounded in time and size, no redirects, its trouble sorted.

The address comes from the operator's environment, never from a client or from the source itself. A name that leads to
this machine or into a private network is refused (it could be made to, by whoever answers for the name), unless the
address says plainly that it is there: `localhost`, a private IP, or `private=True`.
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException
from types import MappingProxyType
from urllib.parse import urlencode, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from webapp.errors import ConfigError, PermanentError, ProviderDown, WorkError

CHUNK_BYTES = 64 * 1024
ERROR_BYTES = 16 * 1024
"""So much of what comes with an error is read; what it says stands at its beginning."""
LONGEST_RETRY_SECONDS = 3600.0
_TROUBLE = (HTTPError, HTTPException, OSError)
"""What a connection fails with: urllib3's errors, those of http.client that it lets through, the system's."""
BUSY_SECONDS = 30.0
"""How long one that is asked too often is left alone, when it does not say how long."""


@dataclass(frozen=True)
class Endpoint:
    """An address that answers. `name`: the key of its failures' causes; `label`: how a sentence names it."""

    name: str
    label: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # keys stand there
    private: bool = False
    connect_seconds: float = 5.0
    read_seconds: float = 10.0
    total_seconds: float = 30.0
    max_bytes: int = 2 * 1024 * 1024
    explain: Callable[[int, float | None, bytes], WorkError | None] | None = None
    """What an answer other than 200 means in the service's own words: from its status, its Retry-After in seconds and
    the beginning of its body. Without it, or where it returns None, HTTP's words hold."""

    def get(self, **parameters: str) -> bytes:
        """The body of a 200 to a GET with these parameters: see `post` for what is raised."""
        parts = urlsplit(self.url)
        return self._ask("GET", f"{parts.path or '/'}?{'&'.join(filter(None, [parts.query, urlencode(parameters)]))}")

    def post(self, body: bytes, headers: Mapping[str, str] = MappingProxyType({})) -> bytes:
        """The body of a 200 to a POST of `body`, JSON unless `headers` say otherwise.

        Raises:
            ProviderDown: it cannot be reached, is too slow, has an error of its own, or asks to be left alone.
            PermanentError: it refuses us or the question, is not there, or answers more than `max_bytes`.
        """
        parts = urlsplit(self.url)
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        return self._ask("POST", target, {"Content-Type": "application/json", **headers}, body)

    def _ask(
        self, method: str, target: str, more: Mapping[str, str] = MappingProxyType({}), body: bytes | None = None
    ) -> bytes:
        headers = {"User-Agent": "Lotline", "Host": urlsplit(self.url).netloc, "Accept": "application/json"}
        headers |= {"Accept-Encoding": "identity", **self.headers, **more}
        end = time.monotonic() + self.total_seconds
        try:
            with self._connected() as connection:
                connection.request(method, target, body=body, headers=headers, preload_content=False)
                response = connection.getresponse()
                self._require_ok(response)
                return self._body(response)
        except _TROUBLE as error:
            is_slow = isinstance(error, TimeoutError) or "timed out" in str(error) or time.monotonic() >= end
            babbles = isinstance(error, HTTPException) and not isinstance(error, OSError)  # a cut line is both
            raise self._down(
                "it is too slow" if is_slow else "what it says is no HTTP" if babbles else "it hangs up"
            ) from error

    @contextmanager
    def _connected(self) -> Iterator[HTTPConnection]:
        """A connection to the address that was checked, cut when the time is over however slowly it drips."""
        parts = urlsplit(self.url)
        host, is_tls = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if is_tls else 80)
        try:
            address = self._address(host, port)
            connection = (
                HTTPSConnection(address, port, timeout=self.connect_seconds, server_hostname=host, assert_hostname=host)
                if is_tls
                else HTTPConnection(address, port, timeout=self.connect_seconds)
            )
            connection.connect()
        except ssl.SSLError as error:
            raise self._down("its certificate is not valid", not_done=True) from error
        except _TROUBLE as error:
            raise self._down("it cannot be reached", not_done=True) from error
        wire: socket.socket = connection.sock
        wire.settimeout(self.read_seconds)
        end = threading.Timer(self.total_seconds, _cut, [wire])
        end.daemon = True
        end.start()
        try:
            yield connection
        finally:
            end.cancel()
            connection.close()

    def _address(self, host: str, port: int) -> str:
        found = [entry[4][0] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        if self.private or is_private_host(host):
            return str(found[0])
        public = [str(address) for address in found if is_public(str(address))]
        if not public:
            raise PermanentError(f"{self.label} is at a private address", cause=f"{self.name}.private_address")
        return public[0]

    def _require_ok(self, response: BaseHTTPResponse) -> None:
        status, after = response.status, retry_after_seconds(response.headers.get("Retry-After"))
        if status == HTTPStatus.OK:
            return
        own = self.explain(status, after, _beginning(response)) if self.explain else None
        if own is not None:
            raise own
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise self._down("it is asked too often", after or BUSY_SECONDS, status=status)
        if status >= 500 or status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY):
            raise self._down(f"it has an error of its own (HTTP {status})", after, status=status)
        cause, says = {
            HTTPStatus.UNAUTHORIZED: ("key_refused", "refused our key"),
            HTTPStatus.FORBIDDEN: ("key_refused", "refused our key"),
            HTTPStatus.PAYMENT_REQUIRED: ("payment_required", "wants to be paid first"),
            HTTPStatus.NOT_FOUND: ("not_there", "is not at the address that is configured"),
        }.get(HTTPStatus(status) if status in set(HTTPStatus) else HTTPStatus.IM_A_TEAPOT, ("", ""))
        if not says and 300 <= status < 400:
            cause, says = "redirects", "sends us to another address; configure that one"
        says = says or f"did not accept the question (HTTP {status})"
        cause = f"{self.name}.{cause or f'http_{status}'}"
        raise PermanentError(f"{self.label} {says}", cause=cause, not_done=True, status=status)

    def _body(self, response: BaseHTTPResponse) -> bytes:
        body, end = bytearray(), time.monotonic() + self.total_seconds
        while chunk := response.read1(CHUNK_BYTES, decode_content=False):
            body += chunk
            if len(body) > self.max_bytes:
                says = f"{self.label} answered more than {self.max_bytes // 1024} KB"
                raise PermanentError(says, cause=f"{self.name}.too_large")
            if time.monotonic() > end:
                break
        if time.monotonic() > end:
            raise self._down("it is too slow")
        if response.length_remaining:
            raise self._down("its answer broke off")
        return bytes(body)

    def _down(
        self, why: str, after_seconds: float | None = None, *, not_done: bool = False, status: int | None = None
    ) -> ProviderDown:
        return ProviderDown(
            f"{self.label} does not answer: {why}",
            after_seconds=after_seconds,
            cause=f"{self.name}.down",
            not_done=not_done,
            status=status,
        )


def configured(
    environ: Mapping[str, str], prefix: str, name: str, label: str, example: str = "https://feed.example.com/offers"
) -> Endpoint | None:
    """The endpoint that the keys `<prefix>_URL`, `_KEY` (a bearer token), `_NAME` (what people call it instead of
    `label`) and `_PRIVATE` describe, or None without an address. A key travels by https only, or to a private address.

    Raises:
        ConfigError: a key is wrong; the message names it.
    """
    url, key = environ.get(f"{prefix}_URL", "").strip(), environ.get(f"{prefix}_KEY", "").strip()
    if not url:
        return None
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
        is_address = is_address and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ConfigError(f"{prefix}_URL must be an address such as {example}")
    private = bool(environ.get(f"{prefix}_PRIVATE", "").strip())
    if key and parts.scheme == "http" and not (private or is_private_host(parts.hostname or "")):
        raise ConfigError(f"{prefix}_URL must begin with https://, else {prefix}_KEY could be read on the way")
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"{prefix}_KEY has characters that cannot be sent")
    label = environ.get(f"{prefix}_NAME", "").strip() or label
    return Endpoint(name, label, url, {"Authorization": f"Bearer {key}"} if key else {}, private=private)


def is_private_host(host: str) -> bool:
    """Whether a host is, as it is written, on this machine or in a private network."""
    with suppress(ValueError):
        return not is_public(host)
    return host == "localhost" or host.endswith(".localhost")


def is_public(address: str) -> bool:
    """Whether an IP address is reached over the public internet; one that carries an IPv4 address (6to4, NAT64, Teredo,
    the mapped form) only if that is too.

    Stricter than `is_global`, to which whatever was not set aside when Python was released is public: groups, IPv6
    beyond the one block that is handed out, later special ranges.

    Raises:
        ValueError: it is no address.
    """
    found = ipaddress.ip_address(address)
    if not found.is_global or found.is_multicast or any(found in network for network in _SET_ASIDE):
        return False
    if isinstance(found, ipaddress.IPv4Address):
        return True
    if found.ipv4_mapped or found in _NAT64:
        return is_public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    carried = [found.sixtofour, *(found.teredo or ())]
    return found in _HANDED_OUT and all(is_public(str(inner)) for inner in carried if inner is not None)


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Its last 32 bits are an IPv4 address (RFC 6052)."""
_HANDED_OUT = ipaddress.IPv6Network("2000::/3")
_SET_ASIDE = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
"""Protocols' own addresses, the former relays of 6to4, documentation."""


def retry_after_seconds(header: str | None) -> float | None:
    """What `Retry-After` asks for (RFC 9110: seconds, or a date), within reason; None where it asks for nothing."""
    if not header:
        return None
    if header.isascii() and header.isdigit():
        return min(max(float(header[:10]), 1.0), LONGEST_RETRY_SECONDS)
    try:
        moment = parsedate_to_datetime(header)
        seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 1.0), LONGEST_RETRY_SECONDS)


def _beginning(response: BaseHTTPResponse) -> bytes:
    with suppress(*_TROUBLE):
        return response.read(ERROR_BYTES, decode_content=False)
    return b""


def _cut(wire: socket.socket) -> None:
    with suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
