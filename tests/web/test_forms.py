"""The forms' token: everywhere, in any number of tabs, for as long as the session."""

from datetime import timedelta

import pytest
import time_machine

from tests.factories import make_client, make_member

CHANGE = {"do": "revoke_others"}


@pytest.fixture
def browser(sign_in, in_app):
    return sign_in(make_member(make_client()))


def token_of(browser):
    browser.token = None
    return browser.form_token()


def test_a_field_or_a_header_will_do(browser):
    token = token_of(browser)
    assert browser.post("/account", data=CHANGE | {"csrf_token": token}).status_code == 303
    assert browser.post("/account", data=CHANGE, headers={"X-CSRFToken": token}).status_code == 303
    assert browser.post("/account", data=CHANGE).status_code == 400


def test_all_tabs_keep_working(browser):
    tokens = [token_of(browser) for _ in range(3)]
    for token in tokens:
        assert browser.post("/account", data=CHANGE | {"csrf_token": token}).status_code == 303


def test_a_tab_survives_the_loss_of_the_pages_cookie(app, browser):
    token = token_of(browser)
    browser.delete_cookie(app.config["SESSION_COOKIE_NAME"])
    assert browser.post("/account", data=CHANGE | {"csrf_token": token}).status_code == 303


def test_an_old_tab_keeps_working_for_days(browser):
    token = token_of(browser)
    with time_machine.travel(timedelta(days=20)):
        assert browser.post("/account", data=CHANGE | {"csrf_token": token}).status_code == 303


def test_signing_in_wants_a_token_too(browse):
    assert browse.post("/sign-in", data={"email": "a@example.com", "password": "x"}).status_code == 400


def test_a_token_from_before_signing_in_is_worth_nothing_after(app, browse, sign_in):
    before = token_of(browse)
    user = make_member(make_client())
    after = sign_in(user)
    after.get("/account")
    assert after.post("/account", data=CHANGE | {"csrf_token": before}).status_code == 400
