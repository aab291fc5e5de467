"""Who is recognised, for how long, and what it costs."""

import json

import pytest
from redis import Redis

from tests.factories import make_client, make_member, make_user
from webapp.access import sessions
from webapp.access.models import Role
from webapp.database import transaction
from webapp.live.bus import SESSIONS_CHANNEL


@pytest.fixture
def client(in_app):
    return make_client()


@pytest.fixture
def member(client):
    return make_member(client)


@pytest.fixture
def browser(sign_in, member):
    return sign_in(member)


def session_ids(owner):
    return [row[0] for row in owner.execute("SELECT id FROM sessions ORDER BY created_at")]


def test_recognition_is_one_query(browser, count_queries):
    browser.get("/no-client")  # the first one notes which client the session works for
    with count_queries() as statements:
        assert browser.get("/no-client").status_code == 303
    assert len(statements) == 1


def test_a_stranger_costs_no_query(browse, count_queries):
    with count_queries() as statements:
        browse.get("/")
        browse.get("/static/css/base.css")
        browse.get("/health")
    assert statements == []


def test_a_session_slides_and_its_being_seen_is_written_once_a_minute(app, browser, owner, count_queries):
    browser.get("/no-client")
    owner.execute("UPDATE sessions SET last_seen_at = now() - interval '61 s', expires_at = now() + interval '1 hour'")
    with count_queries() as statements:
        answer = browser.get("/no-client")
        browser.get("/no-client")
    assert sum(statement.startswith("UPDATE sessions") for statement in statements) == 1
    assert app.config["ACCESS_COOKIE"] in answer.headers["Set-Cookie"]
    (days,) = owner.execute("SELECT extract(day FROM expires_at - now()) FROM sessions").fetchone()
    assert days == 29


@pytest.mark.parametrize(
    "loss",
    [
        "UPDATE sessions SET revoked_at = now()",
        "UPDATE sessions SET expires_at = now()",
        "UPDATE users SET is_active = false",
        "DELETE FROM users",
    ],
)
def test_access_ends_at_once(browser, owner, loss):
    assert browser.get("/account").status_code == 200
    owner.execute(loss)
    answer = browser.get("/account")
    assert answer.location == "/sign-in?next=/account"


@pytest.mark.parametrize("loss", ["DELETE FROM memberships", "UPDATE clients SET is_active = false"])
def test_without_the_client_only_the_account_is_left(browser, owner, loss):
    assert browser.get("/").status_code != 303
    owner.execute(loss)
    answer = browser.get("/", follow_redirects=True)
    assert answer.request.path == "/no-client"
    assert "nobody has added you yet" in answer.text
    assert browser.get("/account").status_code == 200
    assert browser.submit("/sign-out").status_code == 303


@pytest.mark.parametrize("cookie", ["", "x", "ä", "a" * 4000, "%00", "\x01", '"quoted"', "a b"])
def test_a_strange_cookie_is_nobody(app, cookie):
    name = app.config["ACCESS_COOKIE"]
    browser = app.test_client(use_cookies=False)
    assert browser.get("/", headers={"Cookie": f"{name}={cookie}"}).location == "/sign-in"


def test_a_role_holds_from_the_next_request_on(sign_in, client, owner):
    browser = sign_in(make_member(client, Role.ADMIN))
    assert browser.get("/users").status_code == 200
    owner.execute("UPDATE memberships SET role = 'reviewer'")
    assert browser.get("/users").status_code == 403


def test_one_works_for_one_client_at_a_time(sign_in, client):
    user = make_member(client)
    other, strange = make_client("Other"), make_client("Strange")
    make_member(other, Role.ADMIN, user)
    browser = sign_in(user, client)
    assert browser.get("/users").status_code == 403
    assert browser.submit("/client/switch", {"client_id": str(other.id)}).location == "/"
    assert browser.get("/users").status_code == 200
    for refused in (str(strange.id), "no id", ""):
        assert browser.submit("/client/switch", {"client_id": refused}).status_code == 404
    assert browser.get("/users").status_code == 200


def test_sessions_that_ended_long_ago_are_forgotten_at_the_next_sign_in(sign_in, member, owner):
    for days in (1, 100):
        sign_in(member)
        owner.execute(
            "UPDATE sessions SET revoked_at = now() - make_interval(days => %s) WHERE revoked_at IS NULL", (days,)
        )
    sign_in(member)
    (kept,) = owner.execute("SELECT count(*) FROM sessions").fetchone()
    assert kept == 2


# --- what the sockets ask


def test_sessions_may_watch_while_they_and_the_membership_hold(app, sign_in, client, owner):
    users = [make_member(client) for _ in range(5)]
    for user in users:
        sign_in(user, client)
    stranger = make_user()
    sign_in(stranger)
    ids = session_ids(owner)
    held = [(session_id, client.id) for session_id in ids]
    assert sessions.live_sessions(held) == set(held[:5])
    assert sessions.live_sessions([(ids[0], make_client().id)]) == set()  # opened for a client it has left since
    owner.execute("UPDATE sessions SET revoked_at = now() WHERE id = %s", (ids[0],))
    owner.execute("UPDATE sessions SET expires_at = now() WHERE id = %s", (ids[1],))
    owner.execute("UPDATE users SET is_active = false WHERE id = %s", (users[2].id,))
    owner.execute("DELETE FROM memberships WHERE user_id = %s", (users[3].id,))
    assert sessions.live_sessions(held) == {held[4]}
    assert sessions.live_sessions([]) == set()


def test_the_client_that_a_session_works_for_is_noted_on_its_first_page(browser, owner, client):
    held = [(session_id, client.id) for session_id in session_ids(owner)]
    assert sessions.live_sessions(held) == set()
    browser.get("/")
    assert sessions.live_sessions(held) == set(held)


def test_sockets_are_told_of_a_revocation_once_it_is_committed(app, member, browser, owner):
    listener = Redis.from_url(app.extensions["lotline_config"].redis_url).pubsub(ignore_subscribe_messages=True)
    listener.subscribe(SESSIONS_CHANNEL)
    while listener.get_message(timeout=1):
        pass
    with pytest.raises(RuntimeError, match="no"), transaction():
        sessions.revoke(member.id)
        raise RuntimeError("no")
    assert listener.get_message(timeout=0.1) is None
    with transaction():
        ended = sessions.revoke(member.id)
    assert ended == session_ids(owner)
    heard = []
    while message := listener.get_message(timeout=1):
        heard += json.loads(message["data"])
        if str(ended[0]) in heard:
            break
    listener.close()
    assert str(ended[0]) in heard
