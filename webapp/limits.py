"""How often somebody may try. Counted in Redis, and in this process's memory while Redis is away."""

import ipaddress
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

from flask import Flask, g, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import parse_many
from redis.backoff import NoBackoff
from redis.retry import Retry
from werkzeug.wrappers import Response

from webapp.config import Config

View = TypeVar("View", bound=Callable[..., Any])

limiter = Limiter(
    get_remote_address,
    strategy="moving-window",
    headers_enabled=False,
    in_memory_fallback_enabled=True,
    swallow_errors=True,  # a limit that cannot be counted must not close the door
    key_prefix="lotline",
)


def init_app(app: Flask, config: Config) -> None:
    """Count in the configured Redis, giving up on it as fast as every web request does."""
    app.config.update(
        RATELIMIT_STORAGE_URI=config.redis_url.replace("unix://", "redis+unix://", 1)
        if config.redis_url.startswith("unix://")
        else config.redis_url,
        RATELIMIT_STORAGE_OPTIONS={
            "socket_timeout": 0.2,
            "socket_connect_timeout": 0.2,
            "retry": Retry(NoBackoff(), 0),
        },
    )
    limiter.init_app(app)


def limit(
    rates: str,
    key: Callable[[], str],
    *,
    only_if: Callable[[], bool] | None = None,
    count_if: Callable[[Response], bool] | None = None,
) -> Callable[[View], View]:
    """Let each `key` post to the view so often: `rates` such as `20/minute;200/hour`; with `only_if` requests alone of
    which it says so. With `count_if` only those count whose answer it accepts, failed ones for example: a burst is
    counted after its answers, so what must not be guessed wants another limit beside it."""
    exempt = None if only_if is None else lambda: not only_if()
    decorate = limiter.limit(rates, key_func=key, methods=["POST"], deduct_when=count_if, exempt_when=exempt)
    return cast(Callable[[View], View], decorate)


def start_over(rates: str) -> None:
    """Forget what this request and those before it have used up of the limit with these rates."""
    counted = set(parse_many(rates))
    for each in limiter.current_limits:
        if each.limit in counted:
            with suppress(Exception):  # as counting does: a Redis that is away closes no door
                limiter.limiter.clear(each.limit, *each.request_args)


def address_key() -> str:
    """Who tries: the address; of IPv6 the network, since whoever has one address has all of it."""
    address = request.remote_addr or "local"
    return network_key() if ":" in address else address


def network_key() -> str:
    """Where somebody tries from: the network around the address (IPv4 /24, IPv6 /64)."""
    address = request.remote_addr or "local"
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    found = getattr(found, "ipv4_mapped", None) or found
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 64), strict=False))


def viewer_key() -> str:
    """Who tries: the person, where one is known."""
    viewer = g.get("viewer")
    return f"user {viewer.id}" if viewer else address_key()
