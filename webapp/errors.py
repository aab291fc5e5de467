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


class Overloaded(DomainError):
    """More at once than there is room for; a moment later it may go."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class WorkError(Exception):
    """Work that did not succeed. The message is a sentence for a person.

    `cause`: a stable key; failures are grouped by it. Without one, the message stands for it.
    `not_done`: what was asked of somebody else surely did not happen, so it may be asked again.
    `status`: the HTTP status by which the other side said that it would not, where it did.
    """

    def __init__(self, message: str, *, cause: str = "", not_done: bool = False, status: int | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.not_done = not_done
        self.status = status


class PermanentError(WorkError):
    """Work that cannot succeed by trying again; it fails at once."""


class RetryLater(WorkError):
    """Work that may succeed later. `after_seconds`: not before, where the other side said so (Retry-After)."""

    def __init__(
        self,
        message: str,
        *,
        after_seconds: float | None = None,
        cause: str = "",
        not_done: bool = False,
        status: int | None = None,
    ) -> None:
        super().__init__(message, cause=cause, not_done=not_done, status=status)
        self.after_seconds = after_seconds


class ProviderDown(RetryLater):
    """Somebody else's service does not answer, or asks to be left alone: it counts against its circuit."""


class OutcomeUnknown(PermanentError):
    """A call may have happened or not, and must not be made twice: a person has to look."""


class CircuitOpen(Exception):
    """A service is known to be away, so it was not asked. Work waits for it, which costs no attempt.

    `circuit`: its circuit's name. `at_most_seconds`: how long work is willing to wait, counted from when it first did;
    None: for as long as it takes.
    """

    def __init__(self, message: str, circuit: str, *, at_most_seconds: float | None = None) -> None:
        super().__init__(message)
        self.circuit = circuit
        self.at_most_seconds = at_most_seconds


class ConfigError(Exception):
    """The environment lacks a key or holds a bad value; the message names it and says what to do."""
