"""What eBay's errors mean: `{"errors": [{"errorId", "domain", "category", "message", …}]}`, and OAuth's
`{"error", "error_description"}`."""

from http import HTTPStatus

import msgspec

from webapp.endpoint import LONGEST_RETRY_SECONDS
from webapp.errors import PermanentError, ProviderDown, WorkError
from webapp.lib.text import cut

NO_QUESTION = 12001
"""Neither a valid number nor words: eBay knows nothing by it."""
_SAYS = 200


class Fault(msgspec.Struct):
    """One error as eBay writes it."""

    errorId: int = 0
    domain: str = ""
    category: str = ""
    message: str = ""
    longMessage: str = ""


class Faults(msgspec.Struct):
    """What comes with a status that is not 200."""

    errors: list[Fault] = []
    error: str = ""
    error_description: str = ""


class TokenRefused(PermanentError):
    """eBay did not take the access token."""


class NoQuestion(PermanentError):
    """eBay takes this for no question."""


def explain(status: int, after_seconds: float | None, body: bytes) -> WorkError | None:
    """What a refused search means; None where HTTP says it all."""
    fault = next(iter(read(body).errors), Fault())
    said = _said(fault.errorId, fault.longMessage or fault.message)
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return TokenRefused(f"eBay refused our access{said}", cause="ebay.key_refused")
        case HTTPStatus.FORBIDDEN:
            return PermanentError(f"eBay does not let this application search{said}", cause="ebay.not_allowed")
        case HTTPStatus.TOO_MANY_REQUESTS if after_seconds is None:
            # eBay's limits are by the day, and it does not say when the day ends.
            return ProviderDown(
                f"eBay does not answer: its limit for today is used up{said}",
                after_seconds=LONGEST_RETRY_SECONDS,
                cause="ebay.limit",
            )
        case HTTPStatus.BAD_REQUEST if fault.errorId == NO_QUESTION:
            return NoQuestion(f"eBay takes this for no question{said}", cause="ebay.no_question")
        case HTTPStatus.BAD_REQUEST | HTTPStatus.CONFLICT if fault.errorId:
            return PermanentError(f"eBay did not accept the question{said}", cause=f"ebay.{fault.errorId}")
    return None


def explain_token(status: int, _after_seconds: float | None, body: bytes) -> WorkError | None:
    """What a refused token means; None where HTTP says it all."""
    found = read(body)
    if status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) or not found.error:
        return None
    says = f"eBay refused our keys ({cut(found.error, 60)}: {cut(found.error_description, _SAYS)})"
    return PermanentError(says, cause="ebay.key_refused")


def read(body: bytes) -> Faults:
    """What the body says; nothing where it cannot be read."""
    try:
        return msgspec.json.decode(body, type=Faults)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Faults()


def _said(number: int, message: str) -> str:
    return f" ({number}: {cut(message, _SAYS)})" if number else ""
