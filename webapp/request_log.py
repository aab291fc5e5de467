"""Each request has an id, on its log lines, in its answer's headers and on its error page; and one line at its end."""

import logging
import re
import time
from contextlib import ExitStack

from flask import Flask, Response, g, request

from webapp import logs, metrics
from webapp.database import new_id

log = logging.getLogger(__name__)

HEADER = "X-Request-ID"
UNLOGGED_PATHS = "/sign-in/"
"""Not logged, not even one that no route takes: a link with a slash too many is still a link."""
QUIET = {"static", "health.alive", "health.ready", "scrape.scrape"}
NO_ROUTE = "none"
"""What figures call the endpoint of an address that no route takes."""
_GIVEN = re.compile(r"[A-Za-z0-9._-]{8,64}")


def init_app(app: Flask, *, trust_given_id: bool) -> None:
    """Number requests. An id that a proxy gave is kept if proxies are trusted."""

    @app.before_request
    def begin() -> None:
        given = request.headers.get(HEADER, "") if trust_given_id else ""
        g.request_id = given if _GIVEN.fullmatch(given) else new_id().hex
        g.began = time.perf_counter()
        stack = g.log_fields = ExitStack()
        stack.enter_context(logs.bound(request_id=g.request_id))

    @app.after_request
    def end(response: Response) -> Response:
        viewer = g.get("viewer")
        seconds = time.perf_counter() - g.began
        metrics.HTTP.labels(request.endpoint or NO_ROUTE).observe(seconds)
        metrics.ANSWERS.labels(request.endpoint or NO_ROUTE, f"{response.status_code // 100}xx").inc()
        metrics.note_kept()
        response.headers[HEADER] = g.request_id
        log.log(
            logging.DEBUG if request.endpoint in QUIET and response.status_code < 400 else logging.INFO,
            "request",
            extra={
                "method": request.method,
                "rule": request.url_rule.rule if request.url_rule else None,
                "path": None if request.path.startswith(UNLOGGED_PATHS) else request.path[:200],
                "status": response.status_code,
                "milliseconds": round(seconds * 1000, 1),
                "user_id": viewer and viewer.id,
                "client_id": viewer and viewer.client_id,
                "address": request.remote_addr,
            },
        )
        return response

    @app.teardown_request
    def forget(_error: BaseException | None) -> None:
        stack: ExitStack | None = g.pop("log_fields", None)
        if stack:
            stack.close()
