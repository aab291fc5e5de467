"""Secrets that a browser holds and the database knows only by their hash."""

import hashlib
import secrets

TOKEN_BYTES = 32


def new_token() -> str:
    """A token that cannot be guessed: 256 random bits, safe in URLs and cookies."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str) -> str:
    """What is kept of a token. A plain hash will do: there is nothing to guess, unlike with passwords."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
