"""Errors that a person caused or can mend, and what HTTP calls them.

Services raise these; the web layer turns them into pages or fragments in the app's own look, commands into one line.
"""

from http import HTTPStatus


class DomainError(Exception):
    """Something asked for cannot be done. `message` is a sentence for the person; `fields` names faulty inputs."""

    status = HTTPStatus.BAD_REQUEST

    def __init__(self, message: str, *, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields or {}


class Invalid(DomainError):
    """The input is not acceptable; `fields` says which and why."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class NotFound(DomainError):
    """It does not exist, or not for this client."""

    status = HTTPStatus.NOT_FOUND


class Forbidden(DomainError):
    """The person's role does not allow it."""

    status = HTTPStatus.FORBIDDEN


class Conflict(DomainError):
    """It was possible a moment ago: somebody else, or the machine, was faster."""

    status = HTTPStatus.CONFLICT


class TooLarge(DomainError):
    """More bytes, files or pixels than the limits allow."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class PermanentError(Exception):
    """Work that cannot succeed by trying again; it fails at once. The message is for a person."""


class RetryLater(Exception):
    """Work that may succeed later. `after_seconds`: not before, where the other side said so (Retry-After)."""

    def __init__(self, message: str, *, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class ConfigError(Exception):
    """The environment lacks a key or holds a bad value; the message names it and says what to do."""
