"""The environment, read once into one frozen value. A missing or bad key is named in one line."""

import hashlib
import hmac
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from webapp.errors import ConfigError

APP_ROLE = "lotline_app"
SYSTEM_ROLE = "lotline_system"
SLOT_PLACE = "LOTLINE_SLOT"
"""Environment variable by which the pool tells a slot its place: `<the pool's pid>:<name>`."""
MEBIBYTE = 1024 * 1024
WEB_THREADS = 6
Number = TypeVar("Number", int, float)


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings. Sizes in bytes, times in seconds."""

    secret_key: str
    database_url: str
    database_app_url: str
    database_system_url: str
    redis_url: str
    var: Path
    base_url: str
    lease_seconds: float = 15.0
    beat_seconds: float = 4.0
    slots_heavy: int = 1
    slots_light: int = 1
    slots_bulk: int = 0
    database_pool: int = WEB_THREADS
    web_threads: int = WEB_THREADS
    """Requests that one process of the web server answers at once."""
    max_photo_bytes: int = 25 * MEBIBYTE
    max_photos: int = 12
    max_request_bytes: int = 160 * MEBIBYTE
    session_days: int = 30
    sockets_per_user: int = 20
    metrics_token: str = ""
    """What a scrape of `/metrics` brings; without one there is no such page."""
    trusted_proxies: int = 0
    """How many proxies in front of us add X-Forwarded-* headers that can be believed."""

    @property
    def secure_cookies(self) -> bool:
        """Whether browsers reach us by HTTPS, so that cookies can be told to travel by it only."""
        return self.base_url.startswith("https://")


def role_password(secret_key: str, role: str) -> str:
    """Password of a database login that migrations create, derived so that it need not be kept anywhere."""
    return hmac.new(secret_key.encode(), f"database role {role}".encode(), hashlib.sha256).hexdigest()


def load(environ: Mapping[str, str] | None = None) -> Config:
    """Read the configuration.

    Raises:
        ConfigError: a required key is missing or a value cannot be read; the message names it.
    """
    env = os.environ if environ is None else environ

    def required(key: str, hint: str) -> str:
        value = env.get(key, "").strip()
        if not value:
            raise ConfigError(f"{key} is not set: {hint}")
        return value

    def number(key: str, default: Number) -> Number:
        raw = env.get(key, "").strip()
        if not raw:
            return default
        try:
            value = type(default)(raw)
        except ValueError:
            raise ConfigError(f"{key}={raw!r} is not a number") from None
        if value < 0:
            raise ConfigError(f"{key}={raw!r} must not be negative")
        return value

    secret_key = required(
        "SECRET_KEY",
        "give at least 32 random characters, the same to every process; commands find those of `make run` by"
        ' `make flask ARGS="…"`, and with the LOTLINE_VAR that it runs with',
    )
    if len(secret_key) < 32:
        raise ConfigError("SECRET_KEY is too short: at least 32 random characters are needed")
    owner = _postgres_url("DATABASE_URL", required("DATABASE_URL", "or start with `make run`, which brings its own"))

    def derived(key: str, role: str) -> str:
        given = env.get(key, "").strip()
        if given:
            return _postgres_url(key, given)
        url = make_url(owner).set(username=role, password=role_password(secret_key, role))
        return url.render_as_string(hide_password=False)

    metrics_token = env.get("LOTLINE_METRICS_TOKEN", "").strip()
    if metrics_token and len(metrics_token) < 16:
        raise ConfigError("LOTLINE_METRICS_TOKEN is too short: at least 16 random characters are needed")

    return Config(
        secret_key=secret_key,
        database_url=owner,
        database_app_url=derived("DATABASE_APP_URL", APP_ROLE),
        database_system_url=derived("DATABASE_SYSTEM_URL", SYSTEM_ROLE),
        redis_url=required("REDIS_URL", "or start with `make run`, which brings its own"),
        var=Path(env.get("LOTLINE_VAR", "var")).resolve(),
        base_url=env.get("BASE_URL", f"http://127.0.0.1:{env.get('PORT', '8000')}").rstrip("/"),
        lease_seconds=number("LOTLINE_LEASE_SECONDS", 15.0),
        beat_seconds=number("LOTLINE_BEAT_SECONDS", 4.0),
        slots_heavy=number("LOTLINE_SLOTS_HEAVY", 1),
        slots_light=number("LOTLINE_SLOTS_LIGHT", 1),
        slots_bulk=number("LOTLINE_SLOTS_BULK", 0),
        database_pool=number("LOTLINE_DATABASE_POOL", WEB_THREADS),
        web_threads=number("WEB_THREADS", WEB_THREADS),
        max_photo_bytes=number("LOTLINE_MAX_PHOTO_MB", 25) * MEBIBYTE,
        max_photos=number("LOTLINE_MAX_PHOTOS", 12),
        max_request_bytes=number("LOTLINE_MAX_REQUEST_MB", 160) * MEBIBYTE,
        session_days=number("LOTLINE_SESSION_DAYS", 30),
        sockets_per_user=number("LOTLINE_SOCKETS_PER_USER", 20),
        metrics_token=metrics_token,
        trusted_proxies=number("LOTLINE_TRUSTED_PROXIES", 0),
    )


@contextmanager
def exit_on_config_error(code: int = 1) -> Iterator[None]:
    """End the process with one clear line, not a traceback, when the environment is at fault. For entry points."""
    try:
        yield
    except ConfigError as error:
        print(f"lotline: {error}", file=sys.stderr)  # noqa: T201 - logging is not set up yet
        raise SystemExit(code) from None


def _postgres_url(key: str, raw: str) -> str:
    """The URL with the psycopg 3 driver named, whichever of the usual spellings was given."""
    try:
        url = make_url(raw)
    except ArgumentError:
        raise ConfigError(f"{key} is not a database URL such as postgresql://user:password@host/name") from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ConfigError(f"{key} must name a PostgreSQL database (postgresql://…)")
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
