"""What sources read from the environment alike."""

from collections.abc import Mapping

from webapp.errors import ConfigError

LARGEST = 10_000


def number(environ: Mapping[str, str], key: str, default: float) -> float:
    """A number from 0 to LARGEST.

    Raises:
        ConfigError: it is none; the message names the key.
    """
    raw = environ.get(key, "").strip()
    try:
        value = float(raw) if raw else default
    except ValueError:
        raise ConfigError(f"{key}={raw!r} is not a number") from None
    if not 0 <= value <= LARGEST:
        raise ConfigError(f"{key}={raw!r} is not between 0 and {LARGEST}")
    return value
