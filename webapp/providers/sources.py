"""The sources of offers that this installation has, as its environment says."""

from collections.abc import Mapping
from importlib import import_module

from flask import Flask, current_app

from webapp.providers.interface import OutsideSource
from webapp.providers.settings import number

SOURCES = ("webapp.providers.ebay", "webapp.providers.json_feed")
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
    app.extensions[_PATIENCE_KEY] = 60 * number(environ, "LOTLINE_PATIENCE_MINUTES", PATIENCE_MINUTES)


def configured() -> tuple[OutsideSource, ...]:
    """The sources to ask."""
    sources: tuple[OutsideSource, ...] = current_app.extensions[_KEY]
    return sources


def patience_seconds() -> float:
    """How long a product waits for a source that is away, before it goes on without."""
    seconds: float = current_app.extensions[_PATIENCE_KEY]
    return seconds
