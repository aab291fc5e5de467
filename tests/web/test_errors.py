"""Each thing that can go wrong has its page, its status, and for htmx its message."""

import errno
import io
import logging

import pytest
from flask import Request, abort
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.factories import make_client, make_member, make_user
from webapp.access.guard import bare, public
from webapp.access.models import Role
from webapp.database import db, transaction
from webapp.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://localhost/products/1?tab=log"}


@pytest.fixture
def fail(app, browse, monkeypatch):
    """`fail(action)` puts the action behind /health; gives what a browser gets there."""

    def answer(action, mark=public, **how):
        monkeypatch.setitem(app.view_functions, "health.alive", mark(action))
        return browse.get("/health", **how)

    return answer


def throw(error):
    def view():
        raise error

    return view


@pytest.mark.parametrize(
    ("error", "status"),
    [(Invalid, 422), (NotFound, 404), (Forbidden, 403), (Conflict, 409), (TooLarge, 413)],
)
def test_a_services_complaint_is_a_page_in_its_words(fail, error, status):
    answer = fail(throw(error("The cat sits on it.")))
    assert answer.status_code == status
    assert "The cat sits on it." in answer.text
    assert 'class="bar"' in answer.text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 415, 418, 429, 500, 501, 503])
def test_every_status_has_a_page_in_our_look(fail, status):
    answer = fail(lambda: abort(status))
    assert answer.status_code == status
    assert "data-notice" in answer.text
    assert answer.headers["X-Request-ID"] in answer.text


def test_the_unexpected_is_written_down_with_its_traceback_and_not_shown(fail, caplog):
    answer = fail(throw(RuntimeError("the secret is a walnut")))
    assert answer.status_code == 500
    assert "walnut" not in answer.text
    (record,) = [record for record in caplog.records if record.message == "request_failed"]
    assert record.levelno == logging.ERROR
    assert "walnut" in str(record.exc_info[1])


def test_a_value_that_no_column_holds_is_the_askers_fault(fail):
    def view():
        with transaction() as session:
            session.execute(text("SELECT CAST(:n AS smallint)"), {"n": 10**9})

    assert fail(view).status_code == 400


def test_a_database_that_is_away_is_said_so(fail):
    answer = fail(throw(OperationalError("SELECT 1", {}, Exception("server closed the connection"))))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "server closed" not in answer.text


def test_after_a_failed_statement_the_error_page_can_still_ask_the_database(app, sign_in, monkeypatch):
    def view():
        db.session.execute(text("SELECT 1 / 0"))

    view.guard_mark = Role.REVIEWER
    monkeypatch.setitem(app.view_functions, "pipeline.desk", view)
    answer = sign_in(make_member(make_client("Ours"), Role.REVIEWER)).get("/")
    assert answer.status_code == 400
    assert "Ours" in answer.text


def test_when_even_the_error_page_fails_there_is_a_plain_one(fail, app, monkeypatch):
    monkeypatch.setitem(app.jinja_env.globals, "asset", throw(RuntimeError("no")))
    app.jinja_env.cache.clear()
    answer = fail(throw(RuntimeError("first")), mark=bare)
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"] in answer.text
    app.jinja_env.cache.clear()


@pytest.mark.parametrize("error", [NotFound("No."), Conflict("No."), Invalid("No."), RuntimeError("No.")])
def test_htmx_shows_an_error_among_the_pages_messages(fail, error):
    answer = fail(throw(error), headers=HTMX)
    assert answer.status_code >= 400
    assert answer.headers["HX-Retarget"] == "#flashes"
    assert answer.headers["HX-Reselect"] == "[data-notice]"
    assert answer.headers["HX-Reswap"].startswith("innerHTML")


def test_htmx_is_sent_to_sign_in_and_back_to_its_page(browse):
    answer = browse.get("/", headers=HTMX)
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/sign-in?next=/products/1?tab%3Dlog"
    assert answer.text == ""


def test_htmx_is_led_out_where_there_is_no_client_any_more(sign_in, in_app):
    answer = sign_in(make_user()).get("/", headers=HTMX)
    assert answer.headers["HX-Redirect"] == "/no-client"


def test_htmx_does_not_lead_back_to_another_site(browse):
    answer = browse.get("/", headers=HTMX | {"HX-Current-URL": "https://evil.example//evil.example"})
    assert answer.headers["HX-Redirect"] == "/sign-in"


@pytest.mark.parametrize("headers", [{"X-Requested-With": "XMLHttpRequest"}, {"Upgrade": "websocket"}])
def test_scripts_and_sockets_are_told_rather_than_redirected(browse, headers):
    assert browse.post("/intake", headers=headers).status_code == 401


def test_a_page_is_asked_for_again_after_signing_in(browse):
    assert browse.get("/reviews?a=b&c=d").location == "/sign-in?next=/reviews?a%3Db%26c%3Dd"
    assert browse.post("/users").location == "/sign-in"


def test_a_stale_form_is_told_so(sign_in, browse, in_app):
    browser = sign_in(make_member(make_client()))
    answer = browser.post("/account", data={"do": "revoke_others"})
    assert answer.status_code == 400
    assert "did not arrive whole" in answer.text
    of_another = browse.form_token()
    assert browser.post("/account", data={"csrf_token": of_another, "do": "revoke_others"}).status_code == 400


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_while_a_body_arrives_is_said(sign_in, in_app, monkeypatch, code):
    class Full(io.BytesIO):
        def write(self, _data):
            raise OSError(code, "no room")

    monkeypatch.setattr(Request, "_get_file_stream", lambda *_args, **_kwargs: Full())
    browser = sign_in(make_member(make_client()))
    for headers in ({}, HTMX):
        answer = browser.submit("/intake", {"photos": (io.BytesIO(b"x" * 1000), "a.jpg")}, headers=headers)
        assert answer.status_code == 507
        assert "disk is full, so nothing was kept" in answer.text
        assert "data-notice" in answer.text


def test_a_browser_that_stalls_in_the_middle_of_its_body_is_told_so(fail):
    answer = fail(throw(BlockingIOError(errno.EAGAIN, "silence")))
    assert answer.status_code == 408
    assert "The connection stalled" in answer.text


def test_other_trouble_with_files_is_our_fault(fail, caplog):
    answer = fail(throw(OSError(errno.EIO, "a secret path")))
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "request_failed" in caplog.text
