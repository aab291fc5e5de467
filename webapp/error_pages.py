"""What people see when something cannot be done: a page in the app's own look, for everything that can go wrong.

For htmx the same page is sent, with the order to show only its message, among the page's messages.
"""

import logging
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from flask import Flask, g, make_response, render_template, request
from flask_limiter.errors import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.wrappers import Response

from webapp.config import MEBIBYTE
from webapp.database import db
from webapp.errors import DomainError
from webapp.limits import limiter
from webapp.storage import DISK_IS_FULL, NO_SPACE

log = logging.getLogger(__name__)

PAGES = {400, 403, 404, 409, 413, 429, 500, 503}
AS_NOTICE = {"HX-Retarget": "#flashes", "HX-Reselect": "[data-notice]", "HX-Reswap": "innerHTML show:none"}
TRY_AGAIN_SECONDS = 5
BARE_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Lotline</title>
<h1>Something broke on our side.</h1><p data-notice>Please try again in a moment.
If you ask for help, name this request: <code>{request_id}</code></p>"""
"""When not even the page for errors can be made."""


def init_app(app: Flask) -> None:
    """Answer every error with a page. Bad input is never the server's fault: no 500 for it."""
    app.register_error_handler(DomainError, _domain_error)
    app.register_error_handler(RateLimitExceeded, _too_often)
    app.register_error_handler(CSRFError, _form_is_stale)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(DataError, _value_does_not_fit)
    for away in (OperationalError, InterfaceError, PoolTimeoutError):
        app.register_error_handler(away, _database_is_away)
    app.register_error_handler(OSError, _body_did_not_come)
    app.register_error_handler(Exception, _unexpected)


def refuse_strange_address() -> None:
    """Refuse a path or a query with bytes that are no text, or with a zero byte: no person types it, and no database
    column takes it."""
    try:
        inputs = request.args
    except UnicodeDecodeError:
        raise BadRequest("not text") from None
    _refuse_zero_bytes(request.path, *_texts(inputs))


def refuse_strange_form() -> None:
    """Refuse zero bytes in form fields and file names, and fields without a name. Reads the body, so it comes after the
    guard."""
    if any(name is None for name in (*request.form, *request.files)):  # as werkzeug reads a part that has none
        raise BadRequest("nameless field")
    names = [file.filename or "" for _, file in request.files.items(multi=True)]
    _refuse_zero_bytes(*_texts(request.form), *names)


def _texts(inputs: MultiDict[str, str]) -> Iterator[str]:
    for pair in inputs.items(multi=True):
        yield from pair


def _refuse_zero_bytes(*texts: str) -> None:
    if any("\0" in text for text in texts):
        raise BadRequest("zero byte")


def answer(status: int, **facts: Any) -> Response:
    """The page for a status. `facts`: what its template may know (says, retry_in_seconds, max_mb)."""
    db.session.rollback()  # the page asks the database again
    general = 500 if status >= HTTPStatus.INTERNAL_SERVER_ERROR else 400
    page = status if status in PAGES else general
    try:
        body = render_template(f"errors/{page}.html", request_id=g.get("request_id"), **facts)
    except Exception:
        log.exception("error_page_failed")
        body = BARE_PAGE.format(request_id=g.get("request_id"))
    response = make_response(body, status)
    if request.headers.get("HX-Request"):
        response.headers.update(AS_NOTICE)
    return response


def _domain_error(error: DomainError) -> Response:
    response = answer(error.status, says=error.message)
    if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(TRY_AGAIN_SECONDS)
    return response


def _too_often(error: RateLimitExceeded) -> Response:
    broken = limiter.current_limit
    seconds = max(1, broken.reset_at - int(time.time())) if broken else 0
    log.warning("too_many_requests", extra={"endpoint": request.endpoint, "limit": str(error.limit.limit)})
    response = answer(HTTPStatus.TOO_MANY_REQUESTS, retry_in_seconds=seconds)
    if seconds:
        response.headers["Retry-After"] = str(seconds)
    return response


def _form_is_stale(error: CSRFError) -> Response:
    log.info("form_token_refused", extra={"endpoint": request.endpoint, "reason": error.description})
    return answer(HTTPStatus.BAD_REQUEST)


def _http_error(error: HTTPException) -> Response:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if status < HTTPStatus.BAD_REQUEST:
        return error.get_response()  # a redirect
    facts: dict[str, Any] = {}
    if status == HTTPStatus.UNAUTHORIZED:
        facts["says"] = "You are not signed in (any more). Sign in in another tab, then try again here."
    elif status == HTTPStatus.METHOD_NOT_ALLOWED:
        facts["says"] = "This address cannot be used in that way."
    elif status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        facts["max_mb"] = (request.max_content_length or 0) // MEBIBYTE
    response = answer(status, **facts)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _value_does_not_fit(error: DataError) -> Response:
    """A value that the database cannot hold (a number too large, say) and no form caught."""
    log.warning("value_does_not_fit", exc_info=error, extra={"endpoint": request.endpoint})
    return answer(HTTPStatus.BAD_REQUEST)


def _database_is_away(error: SQLAlchemyError) -> Response:
    log.error("database_is_away", exc_info=error, extra={"endpoint": request.endpoint})
    g.viewer = None  # the shell of a page asks the database; that of a stranger does not
    response = answer(HTTPStatus.SERVICE_UNAVAILABLE)
    response.headers["Retry-After"] = str(TRY_AGAIN_SECONDS)
    return response


def _body_did_not_come(error: OSError) -> Response:
    """The browser stalled, or there is no room for a body that is being received: large ones are kept in temporary
    files before any view sees them."""
    if isinstance(error, BlockingIOError):  # the browser went silent for longer than the server waits
        return answer(HTTPStatus.REQUEST_TIMEOUT, says="The connection stalled. Please send it again.")
    if error.errno not in NO_SPACE:
        return _unexpected(error)
    log.error("disk_is_full", exc_info=error, extra={"endpoint": request.endpoint})
    return answer(HTTPStatus.INSUFFICIENT_STORAGE, says=DISK_IS_FULL)


def _unexpected(error: Exception) -> Response:
    log.error("request_failed", exc_info=error, extra={"endpoint": request.endpoint})
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR)
