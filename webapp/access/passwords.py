"""Passwords: Argon2id with the library's recommended costs (RFC 9106, low-memory profile)."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH = 10
MAX_LENGTH = 1000

hasher = PasswordHasher()
_stand_in: dict[PasswordHasher, str] = {}


def hashed(password: str) -> str:
    """The hash to keep."""
    return hasher.hash(password)


def matches(password: str, kept: str | None) -> bool:
    """Whether it is the password that `kept` was made from.

    Takes as long when there is nothing to compare with, so that time does not tell which accounts exist.
    """
    if hasher not in _stand_in:
        _stand_in[hasher] = hasher.hash("nobody's password")
    try:
        hasher.verify(kept or _stand_in[hasher], password[:MAX_LENGTH])
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def is_outdated(kept: str) -> bool:
    """Whether it was hashed with other costs than today's and should be hashed again."""
    return hasher.check_needs_rehash(kept)


def weakness(password: str, email: str) -> str | None:
    """Why the password is not acceptable, in a sentence; None if it is."""
    if len(password) < MIN_LENGTH:
        return f"Use at least {MIN_LENGTH} characters; a few words in a row are easy to remember."
    if len(password) > MAX_LENGTH:
        return f"Use at most {MAX_LENGTH} characters."
    if password.casefold() in (email.casefold(), email.casefold().partition("@")[0]):
        return "Do not use your e-mail address as your password."
    if len(set(password)) < 5:
        return "Use more than a few different characters."
    return None
