"""Log lines: one JSON object each, with the request, run, phase and work that they belong to."""

import io
import json
import logging

import pytest

from tests.factories import make_client, make_member
from webapp import logs
from webapp.access.guard import public

log = logging.getLogger("tests.logs")


@pytest.fixture
def lines():
    """`lines()` gives what was logged so far."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    logs.configure("tester", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_is_an_event_with_fields(lines):
    log.info("phase_done", extra={"seconds": 1.5, "run": "ä\n"})
    (line,) = lines()
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "level": "info",
        "event": "phase_done",
        "process": "tester",
        "logger": "tests.logs",
        "seconds": 1.5,
        "run": "ä\n",
    }


def test_bound_fields_stand_on_every_line_inside(lines):
    with logs.bound(run_id=1, phase_id=2):
        with logs.bound(phase_id=3, work_id=4):
            log.info("inside")
        log.info("between")
    log.info("outside")
    found = [{key: line.get(key) for key in ("run_id", "phase_id", "work_id")} for line in lines()]
    assert found == [
        {"run_id": 1, "phase_id": 3, "work_id": 4},
        {"run_id": 1, "phase_id": 2, "work_id": None},
        {"run_id": None, "phase_id": None, "work_id": None},
    ]


def test_a_traceback_is_a_field(lines):
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("failed")
    (line,) = lines()
    assert line["traceback"].endswith("ValueError: broken\n")


def test_no_field_breaks_a_line(lines):
    log.info("odd", extra={"thing": object(), "bytes": b"\xff", "set": {1}})
    assert lines()[0]["event"] == "odd"


def test_a_request_leaves_one_line_with_its_id(browse, sign_in, lines):
    client = make_client()
    member = make_member(client)
    answer = sign_in(member).get("/account?a=b")
    (line,) = [line for line in lines() if line["event"] == "request"]
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert (line["method"], line["rule"], line["path"], line["status"]) == ("GET", "/account", "/account", 200)
    assert (line["user_id"], line["client_id"]) == (str(member.id), str(client.id))
    assert line["milliseconds"] > 0


def test_requests_have_ids_of_their_own(browse):
    assert browse.get("/sign-in").headers["X-Request-ID"] != browse.get("/sign-in").headers["X-Request-ID"]


def test_what_is_logged_in_a_request_carries_its_id(app, browse, lines, monkeypatch):
    @public
    def view():
        log.warning("said")
        return "x"

    monkeypatch.setitem(app.view_functions, "health.alive", view)
    answer = browse.get("/health")
    (line,) = [line for line in lines() if line["event"] == "said"]
    assert line["request_id"] == answer.headers["X-Request-ID"]
    log.warning("after")
    assert "request_id" not in lines()[-1]


def test_secrets_are_not_logged(browse, lines):
    browse.get("/sign-in/a-secret-token")
    browse.get("/sign-in/a-secret-token/")
    browse.put("/sign-in/a-secret-token")
    browse.submit("/sign-in", {"email": "a@example.com", "password": "a-secret-password"})
    assert "a-secret" not in json.dumps(lines())
