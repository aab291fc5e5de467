"""The sources of offers that this installation has, as its environment says."""

from collections.abc import Mapping
from importlib import import_module

from flask import Flask, current_app

from webapp.errors import ConfigError
from webapp.providers.interface import OutsideSource

SOURCES = ("webapp.providers.json_feed",)
"""The folders that there are; each has `configured(environ) -> OutsideSource | None`."""
PATIENCE_MINUTES = 30.0
_KEY, _PATIENCE_KEY = "lotline_sources", "lotline_patience_seconds"


def init_app(app: Flask, environ: Mapping[str, str]) -> None:
    """Read what is configured; nothing connects yet.

    Raises:
        ConfigError: a key is wrong; the message names it.
    """
    found = (import_module(name).configured(environ) for name in SOURCES)
    app.extensions[_KEY] = tuple(source for source in found if source is not None)
    app.extensions[_PATIENCE_KEY] = 60 * _minutes(environ, "LOTLINE_PATIENCE_MINUTES", PATIENCE_MINUTES)


def configured() -> tuple[OutsideSource, ...]:
    """The sources to ask."""
    sources: tuple[OutsideSource, ...] = current_app.extensions[_KEY]
    return sources


def patience_seconds() -> float:
    """How long a product waits for a source that is away, before it goes on without."""
    seconds: float = current_app.extensions[_PATIENCE_KEY]
    return seconds


def _minutes(environ: Mapping[str, str], key: str, default: float) -> float:
    raw = environ.get(key, "").strip()
    try:
        value = float(raw) if raw else default
    except ValueError:
        raise ConfigError(f"{key}={raw!r} is not a number") from None
    if not 0 <= value <= 10_000:
        raise ConfigError(f"{key}={raw!r} is not between 0 and 10000")
    return value
