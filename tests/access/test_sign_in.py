"""Passwords, one-time links, and the sessions that they begin."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from argon2 import PasswordHasher

from tests.factories import make_client, make_member, make_user
from webapp.access import passwords, sign_in
from webapp.access.models import Role, User, UserSession
from webapp.access.tokens import digest
from webapp.audit.services import SYSTEM
from webapp.database import db, transaction
from webapp.errors import NotFound

PASSWORD = "correct horse battery"


def enter(browser, email, password=PASSWORD, **more):
    return browser.submit("/sign-in", {"email": email, "password": password, **more})


def new_link(user, **how):
    with transaction():
        return sign_in.make_link(user.id, SYSTEM, **how).token


def is_signed_in(browser):
    return browser.get("/account").status_code == 200


@pytest.fixture
def member(in_app):
    return make_member(make_client(), Role.STAFF, make_user(password=PASSWORD))


# --- password


def test_a_password_signs_in(browse, member):
    answer = enter(browse, member.email)
    assert (answer.status_code, answer.location) == (303, "/")
    assert is_signed_in(browse)


def test_case_and_blanks_around_the_address_do_not_matter(browse, member):
    assert enter(browse, f"  {member.email.upper()} ").status_code == 303


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(app, browse, member):
    enter(browse, member.email)
    cookie = browse.get_cookie(app.config["ACCESS_COOKIE"])
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert not cookie.secure  # this installation is reached by plain HTTP
    assert cookie.max_age == 30 * 86400


def test_only_the_hash_of_the_token_is_kept(app, browse, member, owner):
    enter(browse, member.email)
    token = browse.get_cookie(app.config["ACCESS_COOKIE"]).value
    assert owner.execute("SELECT token_hash FROM sessions").fetchall() == [(digest(token),)]
    assert token not in str(owner.execute("SELECT * FROM sessions").fetchall())


@pytest.mark.parametrize("email", ["nobody@example.com", "", "no address", "x" * 5000 + "@example.com"])
def test_an_unknown_account_looks_like_a_wrong_password(browse, member, email):
    wrong = enter(browse, member.email, "something else")
    unknown = enter(browse, email)
    assert wrong.status_code == unknown.status_code == 422
    says = "E-mail address or password is wrong."
    assert says in wrong.text
    assert says in unknown.text


def test_an_unknown_account_costs_as_much_as_a_wrong_password(in_app, monkeypatch):
    asked = []

    class Counting(PasswordHasher):
        def verify(self, *args):
            asked.append(args)
            return super().verify(*args)

    monkeypatch.setattr(passwords, "hasher", Counting(time_cost=1, memory_cost=8, parallelism=1))
    with pytest.raises(Exception, match="wrong"):
        sign_in.check_password("nobody@example.com", PASSWORD)
    assert len(asked) == 1


def test_what_was_typed_is_kept_but_for_the_password(browse, member):
    answer = enter(browse, member.email, "my secret guess", next="/account")
    assert f'value="{member.email}"' in answer.text
    assert 'value="/account"' in answer.text
    assert "my secret guess" not in answer.text


def test_a_closed_account_cannot_sign_in(browse, member, owner):
    owner.execute("UPDATE users SET is_active = false")
    assert enter(browse, member.email).status_code == 422


def test_a_password_hashed_with_other_costs_is_hashed_again(browse, member, owner):
    other = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    owner.execute("UPDATE users SET password_hash = %s", (other,))
    assert enter(browse, member.email).status_code == 303
    (kept,) = owner.execute("SELECT password_hash FROM users").fetchone()
    assert kept != other
    assert passwords.matches(PASSWORD, kept)


def test_a_password_that_is_taken_away_while_it_is_compared_opens_no_session(browse, member, owner, monkeypatch):
    compare = passwords.matches

    def taken_away_meanwhile(typed, kept):
        owner.execute("UPDATE users SET password_hash = NULL WHERE id = %s", (member.id,))
        return compare(typed, kept)

    monkeypatch.setattr(passwords, "matches", taken_away_meanwhile)
    assert enter(browse, member.email).status_code == 422
    assert not is_signed_in(browse)


@pytest.mark.parametrize("inside", ["/account", "/?scope=mine&state=failed", "/products/1"])
def test_after_signing_in_one_is_where_one_wanted_to_be(browse, member, inside):
    assert enter(browse, member.email, next=inside).location == inside


@pytest.mark.parametrize(
    "outside",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil",
    ],
)
def test_signing_in_leads_nowhere_else(browse, member, outside):
    assert enter(browse, member.email, next=outside).location == "/"


def test_signing_in_again_replaces_the_session(app, browse, member, owner):
    enter(browse, member.email)
    first = browse.get_cookie(app.config["ACCESS_COOKIE"]).value
    browse.token = None
    enter(browse, member.email)
    assert browse.get_cookie(app.config["ACCESS_COOKIE"]).value != first
    other = app.test_client()
    other.set_cookie(app.config["ACCESS_COOKIE"], first)
    assert not is_signed_in(other)


def test_who_worked_for_a_client_last_works_for_it_again(browse, member, sign_in, owner):
    second = make_client("Zweite")
    make_member(second, user=member)
    sign_in(member).submit("/client/switch", {"client_id": str(second.id)})
    enter(browse, member.email)
    assert "Zweite" in browse.get("/account").text


# --- limits


def test_an_account_rests_after_ten_wrong_passwords(browse, member):
    for _ in range(10):
        assert enter(browse, member.email, "wrong").status_code == 422
    refused = enter(browse, member.email)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 15 * 60 + 1
    assert enter(browse, make_user(password=PASSWORD).email).status_code == 303


def from_address(browser, address, email, password=PASSWORD):
    answer = browser.submit(
        "/sign-in", {"email": email, "password": password}, environ_overrides={"REMOTE_ADDR": address}
    )
    return answer.status_code


@pytest.mark.parametrize(
    ("thief", "neighbour", "holder"),
    [
        ("192.0.2.1", "192.0.2.77", "198.51.100.1"),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::1", "2001:db8:0:2::1"),
        ("::ffff:192.0.2.1", "192.0.2.77", "198.51.100.1"),
    ],
)
def test_a_stranger_who_guesses_does_not_lock_the_holder_out(browse, member, thief, neighbour, holder):
    assert [from_address(browse, thief, member.email, "wrong") for _ in range(11)] == [422] * 10 + [429]
    assert from_address(browse, neighbour, member.email, "wrong") == 429
    assert from_address(browse, holder, member.email) == 303


def test_many_strangers_together_come_to_an_end(browse, member):
    tries = [from_address(browse, f"10.{n // 10}.0.1", member.email, "wrong") for n in range(101)]
    assert tries == [422] * 100 + [429]


def test_a_burst_gets_no_more_tries_than_one_after_the_other(app, member, monkeypatch):
    compare, together = passwords.matches, threading.Barrier(10)

    def all_at_once(typed, kept):
        with suppress(threading.BrokenBarrierError):
            together.wait(2)
        return compare(typed, kept)

    monkeypatch.setattr(passwords, "matches", all_at_once)
    with ThreadPoolExecutor(16) as threads:
        answers = [threads.submit(enter, app.test_client(), member.email, "wrong") for _ in range(16)]
    assert sorted(answer.result().status_code for answer in answers) == [422] * 10 + [429] * 6


def test_an_address_rests_after_twenty_wrong_passwords(browse, member):
    for number in range(20):
        assert enter(browse, f"{number}@example.com").status_code == 422
    assert enter(browse, member.email).status_code == 429


def test_success_does_not_count(browse, member):
    for _ in range(25):
        browse.token = None
        assert enter(browse, member.email).status_code == 303


# --- links


def test_looking_at_a_link_does_not_use_it_up(browse, member):
    token = new_link(member)
    for _ in range(2):
        page = browse.get(f"/sign-in/{token}")
        assert page.status_code == 200
        assert member.email in page.text
    assert not is_signed_in(browse)


def test_a_link_signs_in_once(browse, app, member):
    token = new_link(member)
    assert browse.submit(f"/sign-in/{token}").status_code == 303
    assert is_signed_in(browse)
    again = app.test_client().submit(f"/sign-in/{token}")
    assert again.status_code == 404
    assert "used already" in again.text


def test_of_many_who_use_a_link_at_once_one_comes_in(app, member):
    token = new_link(member)
    came_in = []
    start = threading.Barrier(6)

    def use():
        with app.app_context(), suppress(NotFound):
            start.wait()
            with transaction():
                came_in.append(sign_in.use_link(token))

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(came_in) == 1


def test_a_link_ends_after_its_hour(browse, member, owner):
    token = new_link(member)
    owner.execute("UPDATE sign_in_links SET expires_at = now() - interval '1 second'")
    assert browse.get(f"/sign-in/{token}").status_code == 404
    assert browse.submit(f"/sign-in/{token}").status_code == 404


def test_a_newer_link_ends_the_older_one(browse, member):
    old, new = new_link(member), new_link(member)
    assert browse.submit(f"/sign-in/{old}").status_code == 404
    assert browse.submit(f"/sign-in/{new}").status_code == 303


def test_a_link_of_a_closed_account_is_dead(browse, member, owner):
    token = new_link(member)
    owner.execute("UPDATE users SET is_active = false")
    assert browse.submit(f"/sign-in/{token}").status_code == 404


@pytest.mark.parametrize("token", ["x", "direct-", "ä", "%00", "a" * 5000, "..%2f..%2fetc"])
def test_a_made_up_link_is_not_found(browse, token):
    assert browse.get(f"/sign-in/{token}").status_code in (400, 404)


def test_a_link_from_the_own_terminal_signs_in_when_opened(browse, member):
    token = new_link(member, direct=True)
    assert browse.get(f"/sign-in/{token}").location == "/"
    assert is_signed_in(browse)
    assert browse.get(f"/sign-in/{token}").location == "/"  # reloaded: no complaint


@pytest.mark.parametrize(
    "glance", [{"method": "HEAD"}, {"method": "GET", "headers": {"Sec-Purpose": "prefetch;prerender"}}]
)
def test_a_glance_does_not_use_a_direct_link_up(browse, member, glance):
    token = new_link(member, direct=True)
    assert browse.open(f"/sign-in/{token}", **glance).status_code == 200
    assert not is_signed_in(browse)


def test_signing_in_is_written_down(browse, member, owner):
    enter(browse, member.email, headers={"User-Agent": "Testbrowser"})
    found = owner.execute("SELECT user_id, host(address), details FROM audit WHERE action = 'signed_in'").fetchall()
    assert found == [(member.id, "127.0.0.1", {"how": "password"})]
    assert db.session.get(User, member.id, populate_existing=True).last_sign_in_at is not None


def test_signing_out_ends_the_session_for_every_copy_of_its_cookie(app, browse, member):
    enter(browse, member.email)
    copy = app.test_client()
    copy.set_cookie(app.config["ACCESS_COOKIE"], browse.get_cookie(app.config["ACCESS_COOKIE"]).value)
    browse.token = None
    answer = browse.submit("/sign-out")
    assert answer.location == "/sign-in"
    assert "You are signed out." in browse.get("/sign-in").text
    assert not is_signed_in(copy)
    assert db.session.query(UserSession).filter(UserSession.revoked_at.is_(None)).count() == 0


def test_the_sign_in_page_sends_those_on_who_are_signed_in(sign_in, member):
    assert sign_in(member).get("/sign-in?next=/account").location == "/account"
