"""Every route says who may use it, and the guard holds them to it."""

import pytest

from tests.factories import make_client, make_member, make_user
from webapp.access.guard import Open, bare, mark_of
from webapp.access.models import Role

PUBLIC = {"access.sign_in", "access.use_link"}
BARE = {"static", "health.alive", "health.ready", "scrape.scrape"}
FOR_EVERY_PERSON = {"access.account", "access.sign_out", "access.switch", "access.no_client"}
SOME = {
    "uuid": "01a1f8d1-f51a-7145-9ccb-baae807e84c7",
    "int": "1",
    "path": "css/base.css",
    "token": "x",
    "variant": "thumb",
}


def marks(app):
    return {rule.endpoint: mark_of(app.view_functions[rule.endpoint]) for rule in app.url_map.iter_rules()}


def address(app, rule):
    """An address that the rule matches, about nothing that exists."""
    values = {}
    for name, converter in rule._converters.items():
        kind = type(converter).__name__
        values[name] = SOME.get(name) or (1 if kind == "IntegerConverter" else SOME["uuid"])
    with app.test_request_context():
        return app.url_map.bind("localhost").build(rule.endpoint, values, method=sorted(rule.methods)[0])


def test_every_route_asks_for_a_role_or_is_on_a_short_list(app):
    found = marks(app)
    assert {endpoint for endpoint, mark in found.items() if mark is Open.PUBLIC} == PUBLIC
    assert {endpoint for endpoint, mark in found.items() if mark is Open.BARE} == BARE
    assert {endpoint for endpoint, mark in found.items() if mark is Open.SIGNED_IN} == FOR_EVERY_PERSON
    rest = found.keys() - PUBLIC - BARE - FOR_EVERY_PERSON
    assert [endpoint for endpoint in sorted(rest) if not isinstance(found[endpoint], Role)] == []


def test_a_route_that_says_nothing_is_refused(app, browse, monkeypatch):
    unmarked = bare(lambda: "secret")
    del unmarked.guard_mark
    monkeypatch.setitem(app.view_functions, "health.alive", unmarked)
    answer = browse.get("/health")
    assert answer.status_code == 500
    assert "secret" not in answer.text


def test_a_stranger_gets_nowhere(app, browse):
    for rule in app.url_map.iter_rules():
        if rule.endpoint in PUBLIC | BARE:
            continue
        for method in rule.methods - {"OPTIONS", "HEAD"}:
            headers = {"Upgrade": "websocket", "Connection": "Upgrade"} if rule.websocket else {}
            url = address(app, rule).replace("ws:", "http:")
            answer = browse.open(url, method=method, headers=headers)
            assert answer.status_code in (303, 401), (method, url)
            if answer.status_code == 303:
                assert answer.location.startswith("/sign-in"), (method, url)


@pytest.mark.parametrize("role", [Role.STAFF, Role.REVIEWER])
def test_no_role_gets_beyond_its_own(app, sign_in, role):
    browser = sign_in(make_member(make_client(), role))
    too_high = [rule for rule in app.url_map.iter_rules() if isinstance(marks(app)[rule.endpoint], Role)]
    too_high = [rule for rule in too_high if not role.covers(marks(app)[rule.endpoint])]
    assert too_high
    for rule in too_high:
        for method in rule.methods - {"OPTIONS", "HEAD"}:
            answer = browser.open(address(app, rule), method=method)
            assert answer.status_code == 403, (method, rule.rule)


def test_without_a_client_there_is_only_the_account(app, sign_in):
    browser = sign_in(make_user())
    for rule in app.url_map.iter_rules():
        if isinstance(marks(app)[rule.endpoint], Role) and not rule.websocket:
            answer = browser.open(address(app, rule), method=sorted(rule.methods - {"OPTIONS", "HEAD"})[0])
            assert answer.location == "/no-client", rule.rule


def test_every_post_wants_its_forms_token(app, sign_in):
    browser = sign_in(make_member(make_client(), Role.ADMIN))
    posts = [rule for rule in app.url_map.iter_rules() if "POST" in rule.methods]
    assert len(posts) > 5
    for rule in posts:
        answer = browser.post(address(app, rule))
        assert answer.status_code == 400, rule.rule
        assert "did not arrive whole" in answer.text
