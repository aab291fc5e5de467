"""The account, the users page, the client page: as a person meets them."""

import re

import pytest

from tests.factories import make_client, make_member, make_user
from webapp.access import sessions
from webapp.access.models import Role
from webapp.access.sign_in import make_link
from webapp.audit.services import SYSTEM, Actor
from webapp.database import transaction

PASSWORD = "correct horse battery"


@pytest.fixture
def client(in_app):
    return make_client()


@pytest.fixture
def admin(client):
    return make_member(client, Role.ADMIN, name="Ada")


@pytest.fixture
def browser(sign_in, admin):
    return sign_in(admin)


def audited(owner, action):
    rows = owner.execute(
        "SELECT client_id, user_id, session_id IS NOT NULL, row_id, old, new, changed_fields FROM audit"
        " WHERE action = %s ORDER BY id",
        (action,),
    )
    return rows.fetchall()


def roles(owner, client):
    rows = owner.execute("SELECT user_id, role FROM memberships WHERE client_id = %s", (client.id,))
    return dict(rows.fetchall())


# --- who may what


@pytest.mark.parametrize(
    ("role", "open_pages"),
    [
        (Role.STAFF, {"/account"}),
        (Role.REVIEWER, {"/account", "/reviews"}),
        (Role.ADMIN, {"/account", "/reviews", "/users", "/client"}),
    ],
)
def test_each_role_opens_its_pages_and_no_others(sign_in, client, role, open_pages):
    browser = sign_in(make_member(client, role))
    for path in ("/account", "/reviews", "/users", "/client"):
        assert browser.get(path).status_code == (200 if path in open_pages else 403), path


@pytest.mark.parametrize("path", ["/users", "/client"])
def test_a_role_that_may_not_look_may_not_change_either(sign_in, client, owner, path):
    browser = sign_in(make_member(client, Role.REVIEWER))
    before = roles(owner, client)
    assert (
        browser.submit(path, {"do": "add", "email": "x@example.com", "name": "X", "role": "admin"}).status_code == 403
    )
    assert roles(owner, client) == before


def test_an_operator_without_a_client_sees_no_clients_pages(sign_in, in_app):
    browser = sign_in(make_user(is_operator=True))
    assert browser.get("/users").location == "/no-client"


# --- users


def test_the_users_page_asks_as_much_for_many_as_for_few(browser, client, count_queries):
    browser.get("/users")
    with count_queries() as few:
        browser.get("/users")
    for _ in range(5):
        make_member(client)
    with count_queries() as many:
        browser.get("/users")
    assert len(many) == len(few) <= 4


def test_a_new_person_gets_a_link_that_is_shown_once(browser, client, app, owner):
    answer = browser.submit(
        "/users", {"do": "add", "name": "Grace", "email": " Grace@Example.com ", "role": "reviewer"}
    )
    assert answer.status_code == 200
    token = answer.text.split("/sign-in/")[1].split("<")[0]
    assert token not in browser.get("/users").text
    assert "grace@example.com" in browser.get("/users").text
    newcomer = app.test_client()
    newcomer.submit(f"/sign-in/{token}")
    assert newcomer.get("/reviews").status_code == 200
    assert newcomer.get("/users").status_code == 403
    assert audited(owner, "member_added")[-1][5]["role"] == "reviewer"


def test_the_link_leads_to_where_the_admin_reaches_the_server(app, browser):
    cookie = browser.get_cookie(app.config["ACCESS_COOKIE"])
    browser.set_cookie(cookie.key, cookie.value, domain="10.0.0.7")
    answer = browser.post(
        "/users",
        data={"do": "add", "name": "G", "email": "g@example.com", "role": "staff"},
        headers={"X-CSRFToken": browser.form_token()},
        base_url="http://10.0.0.7:8000",
    )
    assert "http://10.0.0.7:8000/sign-in/" in answer.text
    assert "works on this machine only" not in answer.text


def test_a_link_that_other_machines_cannot_follow_says_so(browser):
    answer = browser.submit("/users", {"do": "add", "name": "G", "email": "g@example.com", "role": "staff"})
    assert "http://localhost/sign-in/" in answer.text
    assert "works on this machine only" in answer.text


def test_an_account_that_exists_is_not_an_admins_to_give(browser, client, owner):
    known = make_user(name="Known", password=PASSWORD)
    answer = browser.submit("/users", {"do": "add", "name": "Other", "email": known.email.upper(), "role": "staff"})
    assert answer.status_code == 422
    assert "The operator of this installation can do it" in answer.text
    assert "Known" not in answer.text
    assert known.id not in roles(owner, client)
    ((client_id, *_),) = audited(owner, "member_refused")
    assert client_id == client.id
    owner.execute("UPDATE users SET is_active = false WHERE id = %s", (known.id,))
    again = browser.submit("/users", {"do": "add", "name": "Other", "email": known.email, "role": "staff"})
    assert "closed" not in again.text


def test_looking_for_other_clients_people_comes_to_an_end(browser, sign_in, client):
    known, second = make_user(), sign_in(make_member(client, Role.ADMIN))
    asks = {"do": "add", "name": "Other", "email": known.email, "role": "staff"}
    for number in range(20):
        assert (browser if number % 2 else second).submit("/users", asks).status_code == 422
    assert browser.submit("/users", asks).status_code == 429
    assert second.submit("/users", asks).status_code == 429
    assert browser.submit("/users", {"do": "role", "user_id": str(known.id), "role": "staff"}).status_code != 429
    elsewhere = sign_in(make_member(make_client("Elsewhere"), Role.ADMIN))
    assert elsewhere.submit("/users", asks | {"email": "new@a.example"}).status_code == 200


def test_an_operator_lets_who_has_an_account_work_here_too(browser, client, owner, admin):
    owner.execute("UPDATE users SET is_operator = true WHERE id = %s", (admin.id,))
    known = make_user(name="Known", password=PASSWORD)
    answer = browser.submit("/users", {"do": "add", "name": "Other", "email": known.email.upper(), "role": "staff"})
    assert answer.status_code == 200
    assert "Known works here now" in answer.text
    assert "Other" not in answer.text
    assert roles(owner, client)[known.id] == "staff"


def test_who_set_an_account_up_for_anothers_address_does_not_come_along(app, browser, sign_in, client, owner, admin):
    planter = sign_in(make_member(make_client("Elsewhere"), Role.ADMIN))
    page = planter.submit("/users", {"do": "add", "name": "Boss", "email": "boss@a.example", "role": "staff"}).text
    planted = app.test_client()
    planted.submit("/sign-in/" + page.split("/sign-in/")[1].split("<")[0])
    planted.submit("/account", {"do": "password", "new_password": PASSWORD})

    owner.execute("UPDATE users SET is_operator = true WHERE id = %s", (admin.id,))
    answer = browser.submit("/users", {"do": "add", "name": "", "email": "boss@a.example", "role": "admin"})
    assert "signed out everywhere" in answer.text
    assert planted.get("/account").status_code != 200, "its session ended"
    again = app.test_client().submit("/sign-in", {"email": "boss@a.example", "password": PASSWORD})
    assert again.status_code == 422, "its password is gone"

    boss = app.test_client()
    boss.submit("/sign-in/" + answer.text.split("/sign-in/")[1].split("<")[0])
    assert boss.get("/users").status_code == 200
    memberships = "SELECT count(*) FROM memberships JOIN users ON id = user_id WHERE email = 'boss@a.example'"
    assert owner.execute(memberships).fetchone() == (2,)
    assert len(audited(owner, "account_handed_over")) == 1


def test_an_operator_who_joins_a_client_signs_in_as_before(browser, client, owner, admin, sign_in):
    owner.execute("UPDATE users SET is_operator = true WHERE id = %s", (admin.id,))
    other = make_user(name="Olga", is_operator=True)
    session = sign_in(other)
    assert browser.submit("/users", {"do": "add", "email": other.email, "role": "staff"}).status_code == 303
    assert "signs in as before" in browser.get("/users").text
    assert session.get("/account").status_code == 200


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"email": "no address"}, "not an e-mail address"),
        ({"email": ""}, "not an e-mail address"),
        ({"email": "rita@x"}, "not an e-mail address; one looks like rita@example.com"),
        ({"email": "rita@x..com"}, "not an e-mail address"),
        ({"email": "a@" + "b" * 300}, "not an e-mail address"),
        ({"name": ""}, "Say how the person is called"),
        ({"name": "x" * 121}, "at most 120"),
        ({"role": "emperor"}, "Choose one of the roles"),
    ],
)
def test_what_cannot_be_is_said_and_what_was_typed_stays(browser, client, owner, inputs, says):
    typed = {"do": "add", "name": "Grace", "email": "grace@example.com", "role": "reviewer"} | inputs
    answer = browser.submit("/users", typed)
    assert answer.status_code == 422
    assert says in answer.text
    assert f'value="{typed["email"]}"' in answer.text
    assert len(roles(owner, client)) == 1


def test_nobody_is_added_twice(browser, client, owner):
    member = make_member(client, Role.REVIEWER)
    answer = browser.submit("/users", {"do": "add", "name": "X", "email": member.email, "role": "admin"})
    assert answer.status_code == 422
    assert "works here already" in answer.text
    assert roles(owner, client)[member.id] == "reviewer"


def test_a_role_is_changed_and_written_down(browser, admin, client, owner):
    member = make_member(client)
    assert browser.submit("/users", {"do": "role", "user_id": str(member.id), "role": "reviewer"}).status_code == 303
    assert roles(owner, client)[member.id] == "reviewer"
    assert audited(owner, "member_role_changed") == [
        (client.id, admin.id, True, str(member.id), {"role": "staff"}, {"role": "reviewer"}, ["role"])
    ]


@pytest.mark.parametrize("role", ["operator", "", "Admin"])
def test_a_role_that_there_is_not_changes_nothing(browser, client, owner, role):
    member = make_member(client, Role.REVIEWER)
    answer = browser.submit("/users", {"do": "role", "user_id": str(member.id), "role": role})
    assert answer.status_code == 422
    assert "Choose one of the roles" in answer.text
    assert roles(owner, client)[member.id] == "reviewer"


def test_a_removed_member_is_out_at_once(browser, client, sign_in, owner):
    member = make_member(client)
    theirs = sign_in(member)
    assert theirs.get("/account").status_code == 200
    assert browser.submit("/users", {"do": "remove", "user_id": str(member.id)}).status_code == 303
    assert theirs.get("/").location == "/no-client"
    assert audited(owner, "member_removed")[0][4] == {"user_id": str(member.id), "role": "staff"}


@pytest.mark.parametrize("change", [{"do": "remove"}, {"do": "role", "role": "staff"}])
def test_the_last_admin_stays(browser, admin, client, owner, change):
    answer = browser.submit("/users", {"user_id": str(admin.id), **change})
    assert answer.status_code == 422
    assert "make another person an admin first" in answer.text
    assert roles(owner, client) == {admin.id: "admin"}


def test_an_admin_whose_account_is_closed_does_not_count(browser, admin, client, owner):
    make_member(client, Role.ADMIN, is_active=False)
    assert browser.submit("/users", {"do": "remove", "user_id": str(admin.id)}).status_code == 422


def test_an_admin_may_leave_when_another_remains(browser, admin, client, owner):
    make_member(client, Role.ADMIN)
    assert browser.submit("/users", {"do": "remove", "user_id": str(admin.id)}).status_code == 303
    assert browser.get("/users").location == "/no-client"


@pytest.mark.parametrize("do", ["role", "remove", "link"])
def test_people_of_other_clients_cannot_be_touched(browser, owner, do):
    elsewhere = make_client()
    stranger = make_member(elsewhere)
    answer = browser.submit("/users", {"do": do, "user_id": str(stranger.id), "role": "admin"})
    assert answer.status_code == 422
    assert roles(owner, elsewhere) == {stranger.id: "staff"}
    assert owner.execute("SELECT count(*) FROM sign_in_links").fetchone() == (0,)


@pytest.mark.parametrize("inputs", [{}, {"do": "dance"}, {"do": "remove"}, {"do": "remove", "user_id": "1"}])
def test_a_form_that_is_none_of_ours_is_refused(browser, inputs):
    assert browser.submit("/users", inputs).status_code == 400


def test_a_member_gets_a_new_link(browser, client, app):
    member = make_member(client)
    answer = browser.submit("/users", {"do": "link", "user_id": str(member.id)})
    token = answer.text.split("/sign-in/")[1].split("<")[0]
    theirs = app.test_client()
    theirs.submit(f"/sign-in/{token}")
    assert member.email in theirs.get("/account").text


def test_no_admin_gets_a_link_to_somebody_with_rights_elsewhere(browser, client, owner):
    both = make_member(client)
    make_member(make_client(), Role.ADMIN, both)
    operator = make_member(client, is_operator=True)
    for user in (both, operator):
        answer = browser.submit("/users", {"do": "link", "user_id": str(user.id)})
        assert answer.status_code == 422
        assert "only an operator" in answer.text
    assert owner.execute("SELECT count(*) FROM sign_in_links").fetchone() == (0,)


def test_a_link_that_one_admin_holds_does_not_lead_to_the_next_client(browser, app, admin, owner):
    owner.execute("UPDATE users SET is_operator = true WHERE id = %s", (admin.id,))
    user = make_member(make_client())
    with transaction():
        held = make_link(user.id, SYSTEM).token
    browser.submit("/users", {"do": "add", "name": "", "email": user.email, "role": "admin"})
    assert app.test_client().submit(f"/sign-in/{held}").status_code == 404


# --- account


def test_name_and_time_zone_are_kept(browser, admin, owner):
    assert browser.submit("/account", {"do": "profile", "name": "  Ada  L. ", "time_zone": "Europe/Berlin"}).location
    page = browser.get("/account").text
    assert "Ada L." in page
    assert 'data-time-zone="Europe/Berlin"' in page
    assert audited(owner, "profile_changed")[0][6] == ["name", "time_zone"]


def test_a_time_zone_that_is_none_is_refused_and_the_name_stays_typed(browser):
    answer = browser.submit("/account", {"do": "profile", "name": "Typed", "time_zone": "Mars/Base"})
    assert answer.status_code == 422
    assert 'value="Typed"' in answer.text
    assert "Choose one of the time zones" in answer.text


def test_the_first_password_needs_no_earlier_one(browser, admin, app):
    assert "You have no password yet" in browser.get("/account").text
    assert browser.submit("/account", {"do": "password", "new_password": PASSWORD}).status_code == 303
    theirs = app.test_client()
    assert theirs.submit("/sign-in", {"email": admin.email, "password": PASSWORD}).status_code == 303


def test_a_password_is_changed_by_who_knows_it(sign_in, client, app):
    user = make_member(client, user=make_user(password=PASSWORD))
    browser, elsewhere = sign_in(user), sign_in(user)
    wrong = browser.submit(
        "/account", {"do": "password", "current_password": "a guess", "new_password": "x" + PASSWORD}
    )
    assert wrong.status_code == 422
    assert "This is not your password." in wrong.text
    changes = {"do": "password", "current_password": PASSWORD, "new_password": "x" + PASSWORD}
    assert browser.submit("/account", changes).status_code == 303
    assert browser.get("/account").status_code == 200
    assert elsewhere.get("/account").location == "/sign-in?next=/account"
    fresh = app.test_client()
    assert fresh.submit("/sign-in", {"email": user.email, "password": PASSWORD}).status_code == 422
    assert fresh.submit("/sign-in", {"email": user.email, "password": "x" + PASSWORD}).status_code == 303


@pytest.mark.parametrize("weak", ["", "short", "aaaaaaaaaaaa", "x" * 1001])
def test_a_weak_password_is_refused(browser, weak):
    answer = browser.submit("/account", {"do": "password", "new_password": weak})
    assert answer.status_code == 422
    assert weak not in answer.text or not weak


def test_guessing_the_current_password_comes_to_an_end(sign_in, client):
    browser = sign_in(make_member(client, user=make_user(password=PASSWORD)))
    guess = {"do": "password", "current_password": "a guess", "new_password": PASSWORD}
    for _ in range(20):
        assert browser.submit("/account", guess).status_code == 422
    assert browser.submit("/account", guess).status_code == 429


@pytest.mark.parametrize("wrong", [{"do": "password", "current_password": "x"}, {"do": "profile", "name": ""}])
def test_whatever_was_tried_before_other_browsers_can_be_signed_out(browser, admin, app, owner, wrong):
    for _ in range(25):
        browser.submit("/account", wrong)
    assert browser.submit("/account", {"do": "revoke_others"}).status_code == 303
    assert browser.submit("/account", {"do": "profile", "name": "Ada L.", "time_zone": ""}).status_code == 303


def test_ones_other_browsers_are_listed_and_signed_out(browser, admin, app, owner):
    with transaction():
        token = sessions.begin(admin.id, Actor(address="10.1.2.3", user_agent="Mozilla/5.0 (iPhone) Safari/604.1"), 30)
    phone = app.test_client()
    phone.set_cookie(app.config["ACCESS_COOKIE"], token)
    page = browser.get("/account").text
    assert "Safari on iPhone" in page
    assert "10.1.2.3" in page
    (session_id,) = owner.execute("SELECT id FROM sessions WHERE user_agent LIKE '%iPhone%'").fetchone()
    assert browser.submit("/account", {"do": "revoke", "session_id": str(session_id)}).status_code == 303
    assert phone.get("/account").status_code == 303
    assert browser.get("/account").status_code == 200
    assert browser.submit("/account", {"do": "revoke", "session_id": str(session_id)}).status_code == 422


def test_nobody_ends_the_sessions_of_others(browser, sign_in, client, owner):
    other = make_member(client)
    theirs = sign_in(other)
    (session_id,) = owner.execute("SELECT id FROM sessions WHERE user_id = %s", (other.id,)).fetchone()
    assert browser.submit("/account", {"do": "revoke", "session_id": str(session_id)}).status_code == 422
    browser.submit("/account", {"do": "revoke_others"})
    assert theirs.get("/account").status_code == 200


# --- client


def test_the_client_is_changed_and_it_is_written_down(browser, client, owner):
    assert browser.submit("/client", {"name": "New name", "threshold": "90", "audits": "2"}).status_code == 303
    assert owner.execute("SELECT name, review_threshold FROM clients").fetchall() == [("New name", 90)]
    assert audited(owner, "client_changed")[0][6] == ["name", "review_threshold"]
    browser.submit("/client", {"name": "New name", "threshold": "90", "audits": "2"})
    assert len(audited(owner, "client_changed")) == 1


@pytest.mark.parametrize("threshold", ["", "-1", "101", "80.5", "eighty", "9" * 5000, "٨٠", "1e2"])
def test_a_threshold_outside_0_to_100_is_refused(browser, client, owner, threshold):
    answer = browser.submit("/client", {"name": "New name", "threshold": threshold, "audits": "2"})
    assert answer.status_code == 422
    assert "whole number from 0 to 100" in answer.text
    assert 'value="New name"' in answer.text
    assert owner.execute("SELECT review_threshold FROM clients").fetchone() == (80,)


def test_whether_goods_have_barcodes_is_a_setting_that_an_older_page_leaves_alone(browser, client, owner):
    wanted = {"name": "New name", "threshold": "90", "audits": "2"}
    assert browser.submit("/client", wanted | {"barcodes": "perhaps"}).status_code == 422
    assert browser.submit("/client", wanted | {"barcodes": "no"}).status_code == 303
    browser.submit("/client", wanted)
    assert owner.execute("SELECT expects_barcodes FROM clients").fetchone() == (False,)


def test_only_an_operator_sets_how_many_phases_may_run_at_once(browser, sign_in, client, owner):
    wanted = {"name": "New name", "threshold": "90", "audits": "2", "running_cap": "3"}
    browser.submit("/client", wanted)
    assert owner.execute("SELECT running_cap FROM clients").fetchone() == (8,)
    operator = sign_in(make_member(client, Role.ADMIN, user=make_user(is_operator=True)))
    for refused in ("0", "1001", "", "many"):
        assert operator.submit("/client", wanted | {"running_cap": refused}).status_code == 422
    assert operator.submit("/client", wanted).status_code == 303
    assert owner.execute("SELECT running_cap FROM clients").fetchone() == (3,)
    assert "running_cap" in audited(owner, "client_changed")[-1][6]


@pytest.mark.parametrize("path", ["/account", "/watching", "/calibration", "/rules", "/models", "/offers", "/pricing"])
def test_the_page_one_is_on_is_marked_in_the_persons_menu(browser, path):
    page = browser.get(path).get_data(as_text=True)
    marked = re.findall(r'<a class="menu-item[^"]*"\s+href="([^"]+)"\s+aria-current="page"', page)
    assert marked == [path]
